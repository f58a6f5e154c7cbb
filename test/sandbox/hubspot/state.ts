import { type AssociationStore, createAssociationStore } from './association-store.ts';
import { STANDARD_TYPES, standardProperties } from './catalogue.ts';
import { addPipeline, defaultPipeline } from './deal-pipelines.ts';
import type { PortalOptions } from './options.ts';
import { SearchIndex } from './search-index.ts';
import { SortedIds } from './sorted-ids.ts';

/** HubSpot's values are text or nothing. */
export type Values = Readonly<Record<string, string | null>>;

export interface HistoryEntry {
  readonly value: string;
  readonly timestamp: string;
  readonly sourceType: string;
  readonly sourceId: string;
}

export interface Row {
  readonly id: string;
  readonly modifiedProperty: string;
  /** Replaced as a whole on every write, so that the search index may keep an older version. */
  values: Values;
  createdAtMs: number;
  updatedAtMs: number;
  archivedAtMs: number | null;
  /** Id of the record that answers for this one since a merge. */
  mergedInto: string | null;
  /** Newest first; only properties that changed after creation have one. */
  history: Map<string, HistoryEntry[]> | null;
  version: number;
}

export interface PropertyOption {
  readonly label: string;
  readonly value: string;
}
export interface PropertyDefinition {
  readonly name: string;
  label: string;
  readonly type: string;
  fieldType: string;
  groupName: string;
  description: string;
  options: readonly PropertyOption[];
  readonly hasUniqueValue: boolean;
  readonly hubspotDefined: boolean;
  readonly readOnly: boolean;
  readonly calculated: boolean;
  readonly createdAt: string;
  updatedAt: string;
  archived: boolean;
}

export interface ObjectTable {
  readonly typeId: string;
  /** Plural path name of a standard object, fully qualified name of a custom one. */
  readonly name: string;
  readonly singular: string;
  readonly custom: CustomSchema | null;
  readonly createdProperty: string;
  readonly modifiedProperty: string;
  readonly defaultProperties: readonly string[];
  readonly properties: Map<string, PropertyDefinition>;
  readonly groups: Map<string, { name: string; label: string; archived: boolean; displayOrder: number }>;
  /** Every record ever made, archived and merged-away ones included. */
  readonly rows: Map<string, Row>;
  readonly liveIds: SortedIds;
  readonly archivedIds: SortedIds;
  /** Unique property → value → record id. */
  readonly unique: Map<string, Map<string, string>>;
  readonly index: SearchIndex;
}

export interface CustomSchema {
  readonly name: string;
  labels: { singular: string; plural: string };
  description: string | null;
  primaryDisplayProperty: string | null;
  secondaryDisplayProperties: readonly string[];
  requiredProperties: readonly string[];
  searchableProperties: readonly string[];
  readonly associatedTypeIds: string[];
  readonly createdAt: string;
  updatedAt: string;
  archived: boolean;
}

export interface Stage {
  readonly id: string;
  readonly label: string;
  readonly displayOrder: number;
  /** `{ isClosed: 'true', probability: '1.0' }`: text, as HubSpot gives it. */
  readonly metadata: Readonly<Record<string, string>>;
}
export interface Pipeline {
  readonly id: string;
  readonly label: string;
  readonly displayOrder: number;
  readonly stages: readonly Stage[];
  readonly createdAt: string;
  readonly updatedAt: string;
}
export interface Owner {
  readonly id: string;
  readonly userId: number;
  readonly email: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly archived: boolean;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface Portal {
  readonly id: number;
  readonly name: string;
  readonly timeZone: string;
  readonly homeCurrency: string;
  additionalCurrencies: readonly string[];
  /** Currency → units of the home currency for one unit of it, as decimal text. */
  readonly exchangeRates: Map<string, string>;
  edition: 'enterprise' | 'professional';
  grantedScopes: readonly string[] | null;
  /** Type id → names. */
  readonly required: Map<string, Set<string>>;
  readonly hidden: Map<string, Set<string>>;
  readonly tables: Map<string, ObjectTable>;
  readonly pipelines: Pipeline[];
  readonly owners: Owner[];
  readonly associations: AssociationStore;
  /** E-mail addresses that were erased and may not come back. */
  readonly blocklist: Set<string>;
  installed: boolean;
  deleted: boolean;
  lockedUntilMs: number;
  migratingUntilMs: number;
  nextId: number;
  nextTypeNumber: number;
}

/** An empty portal with HubSpot's standard objects and one owner-less default pipeline. */
export function createPortal(options: PortalOptions, nowMs: number): Portal {
  const at = new Date(nowMs).toISOString();
  const portal: Portal = {
    id: options.portalId,
    name: options.name ?? `Portal ${options.portalId}`,
    timeZone: options.timeZone ?? 'US/Eastern',
    homeCurrency: options.homeCurrency ?? 'USD',
    additionalCurrencies: options.additionalCurrencies ?? [],
    exchangeRates: new Map(),
    edition: options.edition ?? 'enterprise',
    grantedScopes: options.grantedScopes ?? null,
    required: new Map(),
    hidden: new Map(),
    tables: new Map(),
    pipelines: [],
    owners: [],
    associations: createAssociationStore(),
    blocklist: new Set(),
    installed: false,
    deleted: false,
    lockedUntilMs: 0,
    migratingUntilMs: 0,
    nextId: 1_000,
    nextTypeNumber: 100 + (options.portalId % 1_000),
  };
  for (const type of STANDARD_TYPES) {
    portal.tables.set(
      type.typeId,
      createTable({ ...type, custom: null, properties: standardProperties(type, at) }),
    );
  }
  addPipeline(portal, defaultPipeline(at), at);
  for (const [name, names] of Object.entries(options.requiredProperties ?? {})) {
    portal.required.set(tableNamed(portal, name).typeId, new Set(names));
  }
  for (const [name, names] of Object.entries(options.hiddenProperties ?? {})) {
    portal.hidden.set(tableNamed(portal, name).typeId, new Set(names));
  }
  return portal;
}

export function createTable(
  spec: Pick<
    ObjectTable,
    'typeId' | 'name' | 'singular' | 'custom' | 'createdProperty' | 'modifiedProperty' | 'defaultProperties'
  > & { readonly properties: readonly PropertyDefinition[] },
): ObjectTable {
  return {
    typeId: spec.typeId,
    name: spec.name,
    singular: spec.singular,
    custom: spec.custom,
    createdProperty: spec.createdProperty,
    modifiedProperty: spec.modifiedProperty,
    defaultProperties: spec.defaultProperties,
    properties: new Map(spec.properties.map((property) => [property.name, property])),
    groups: new Map(
      [...new Set(spec.properties.map((property) => property.groupName))].map((name, displayOrder) => [
        name,
        { name, label: name, archived: false, displayOrder },
      ]),
    ),
    rows: new Map(),
    liveIds: new SortedIds(),
    archivedIds: new SortedIds(),
    unique: new Map(
      spec.properties
        .filter((property) => property.hasUniqueValue)
        .map((property) => [property.name, new Map()]),
    ),
    index: new SearchIndex(),
  };
}

export function tableNamed(portal: Portal, name: string): ObjectTable {
  const table = findTable(portal, name);
  if (table === null) throw new Error(`portal ${portal.id} has no object type ${name}`);
  return table;
}

/**
 * Finds a type by what HubSpot allows in a path: type id, plural or singular standard name,
 * `p_name` or `p{portal}_name` for a custom object (its bare name was dropped).
 */
export function findTable(portal: Portal, text: string): ObjectTable | null {
  const byId = portal.tables.get(text);
  if (byId !== undefined) return byId.custom?.archived === true ? null : byId;
  const wanted = text.toLowerCase();
  for (const table of portal.tables.values()) {
    if (table.custom === null) {
      if (table.name === wanted || table.singular === wanted) return table;
    } else if (
      !table.custom.archived &&
      (wanted === table.name.toLowerCase() || wanted === `p_${table.custom.name}`.toLowerCase())
    ) {
      return table;
    }
  }
  return null;
}
