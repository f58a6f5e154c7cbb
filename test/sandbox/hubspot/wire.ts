import { z } from 'zod';
import { linksFrom, typesFor } from './association-store.ts';
import { EMAIL_CONTENT } from './catalogue.ts';
import type { Call } from './guard.ts';
import { invalid, Refusal } from './replies.ts';
import type { ObjectTable, Portal, Row, Values } from './state.ts';
import { findTable } from './state.ts';

/** Records in a page of a list and in a batch. */
export const MAX_PAGE = 100;

/** Parses a request body; what does not fit is HubSpot's 400. */
export function parseBody<T>(schema: z.ZodType<T>, call: Call): T {
  const parsed = schema.safeParse(call.body);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue?.path.join('.') ?? '';
  throw invalid(
    `Invalid input JSON: ${issue?.message ?? 'unreadable'} at ${where === '' ? 'the top' : where}`,
  );
}

/** Values as callers send them: text, or JSON scalars that HubSpot turns into text. */
export const PropertiesInput = z.record(
  z.string(),
  z.union([z.string(), z.number().transform(String), z.boolean().transform(String), z.null()]),
);

export const objectScope = (table: ObjectTable, access: 'read' | 'write'): string => {
  if (table.custom !== null) return `crm.objects.custom.${access}`;
  if (table.typeId === '0-2' || table.typeId === '0-3') return `crm.objects.${table.name}.${access}`;
  // Engagements are read and written with the contacts' scopes.
  return `crm.objects.contacts.${access}`;
};

export const schemaScope = (table: ObjectTable, access: 'read' | 'write'): string => {
  if (table.custom !== null) return `crm.schemas.custom.${access}`;
  if (table.typeId === '0-2' || table.typeId === '0-3') return `crm.schemas.${table.name}.${access}`;
  return `crm.schemas.contacts.${access}`;
};

/** The type in the path, once the call may read or write it in this portal. */
export function allowedTable(call: Call, access: 'read' | 'write', name = 'objectType'): ObjectTable {
  const table = call.table(name);
  call.needScope(objectScope(table, access));
  needMailScope(call, table);
  needEdition(call.portal, table);
  return table;
}

export function needMailScope(call: Call, table: ObjectTable): void {
  if (table.typeId === '0-49' && call.sandbox.knobs.mailsWithoutScope === 'refused')
    call.needScope('sales-email-read');
}

export function needEdition(portal: Portal, table: Pick<ObjectTable, 'custom'>): void {
  if (table.custom === null || portal.edition === 'enterprise') return;
  throw noCustomObjects();
}

export const noCustomObjects = () =>
  new Refusal(403, {
    status: 'error',
    message: 'This account does not have access to custom objects. Upgrade to an Enterprise subscription.',
    category: 'MISSING_SCOPES',
  });

export interface Wanted {
  readonly properties: readonly string[];
  readonly history: readonly string[];
  readonly associations: readonly string[];
}

export const splitList = (text: string | undefined): string[] =>
  (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

/** A record in HubSpot's JSON. `values` may be older than the row: search shows what it has indexed. */
export function toObject(
  call: Call,
  table: ObjectTable,
  row: Row,
  wanted: Wanted,
  values: Values = row.values,
): Record<string, unknown> {
  const properties: Record<string, string | null> = {};
  for (const name of visibleNames(call, table, wanted.properties)) properties[name] = values[name] ?? null;
  return {
    id: row.id,
    properties,
    ...(wanted.history.length === 0
      ? {}
      : { propertiesWithHistory: toHistory(call, table, row, wanted.history) }),
    createdAt: new Date(row.createdAtMs).toISOString(),
    updatedAt: values[row.modifiedProperty] ?? new Date(row.updatedAtMs).toISOString(),
    archived: row.archivedAtMs !== null,
    ...(row.archivedAtMs === null ? {} : { archivedAt: new Date(row.archivedAtMs).toISOString() }),
    ...(wanted.associations.length === 0 ? {} : withAssociations(call, table, row, wanted.associations)),
  };
}

function visibleNames(call: Call, table: ObjectTable, asked: readonly string[]): string[] {
  const always = [table.createdProperty, table.modifiedProperty, 'hs_object_id'];
  const names = asked.length === 0 ? table.defaultProperties : new Set([...always, ...asked]);
  const hidden = call.portal.hidden.get(table.typeId);
  const mayReadMails = table.typeId !== '0-49' || call.token.scopes.includes('sales-email-read');
  return [...names].filter((name) => {
    const property = table.properties.get(name);
    if (property === undefined || property.archived || hidden?.has(name) === true) return false;
    return mayReadMails || !EMAIL_CONTENT.has(name);
  });
}

function toHistory(call: Call, table: ObjectTable, row: Row, names: readonly string[]) {
  const histories: Record<string, unknown> = {};
  for (const name of visibleNames(call, table, names)) {
    const value = row.values[name];
    histories[name] =
      row.history?.get(name) ??
      (value == null
        ? []
        : [
            { value, timestamp: new Date(row.createdAtMs).toISOString(), sourceType: 'CRM_UI', sourceId: '' },
          ]);
  }
  return histories;
}

function withAssociations(call: Call, table: ObjectTable, row: Row, names: readonly string[]) {
  const associations: Record<string, unknown> = {};
  for (const name of names) {
    const other = findTable(call.portal, name);
    if (other === null) throw invalid(`Unable to infer object type from: ${name}`);
    call.needScope(objectScope(other, 'read'));
    const types = typesFor(call.portal.associations, table.typeId, other.typeId);
    const results = liveLinks(call.portal, table, other, row.id).flatMap((each) =>
      each.types.map((typeId) => {
        const label = types.find((type) => type.typeId === typeId)?.label ?? null;
        const plain = `${table.singular}_to_${other.singular}`;
        return {
          id: each.toId,
          type: label === null ? plain : `${plain}_${label.toLowerCase().replaceAll(' ', '_')}`,
        };
      }),
    );
    if (results.length > 0) associations[other.name] = { results };
  }
  return Object.keys(associations).length === 0 ? {} : { associations };
}

/** Links of a live record to live records; the bin hides both ends. */
export function liveLinks(portal: Portal, from: ObjectTable, to: ObjectTable, id: string) {
  const row = from.rows.get(id);
  if (row === undefined || row.archivedAtMs !== null || row.mergedInto !== null) return [];
  return linksFrom(portal.associations, from.typeId, to.typeId, id).filter((each) => {
    const other = to.rows.get(each.toId);
    return other !== undefined && other.archivedAtMs === null && other.mergedInto === null;
  });
}

export function batchTimes(call: Call): { readonly startedAt: string; readonly completedAt: string } {
  const at = call.sandbox.clock.now().toISOString();
  return { startedAt: at, completedAt: at };
}

/** After a write HubSpot shows the default properties and those written. */
export function written(
  call: Call,
  table: ObjectTable,
  row: Row,
  properties: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const names = [...new Set([...table.defaultProperties, ...Object.keys(properties)])];
  return toObject(call, table, row, { properties: names, history: [], associations: [] });
}

export function checkSize(inputs: readonly unknown[], max: number): void {
  if (inputs.length === 0) throw invalid('The batch request must contain at least one input.');
  if (inputs.length <= max) return;
  throw invalid(
    `The maximum number of inputs supported in a batch request is ${max}. Received ${inputs.length}.`,
  );
}
