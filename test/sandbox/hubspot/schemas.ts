import { z } from 'zod';
import { defineType, typesFor } from './association-store.ts';
import { standardProperties } from './catalogue.ts';
import type { Call, Reply, RouteSpec } from './guard.ts';
import { VERSION } from './paths.ts';
import { checkProperty, PropertyInput, toDefinition, toProperty } from './property-definitions.ts';
import { invalid, notFound, Refusal } from './replies.ts';
import { type CustomSchema, createTable, findTable, type ObjectTable } from './state.ts';
import { noCustomObjects, parseBody } from './wire.ts';

const SchemaInput = z.object({
  name: z.string(),
  labels: z.object({ singular: z.string(), plural: z.string() }),
  description: z.string().nullish(),
  primaryDisplayProperty: z.string().optional(),
  secondaryDisplayProperties: z.array(z.string()).optional(),
  requiredProperties: z.array(z.string()),
  searchableProperties: z.array(z.string()).optional(),
  properties: z.array(PropertyInput),
  associatedObjects: z.array(z.string()),
  allowsSensitiveProperties: z.boolean().optional(),
});
const AssociationInput = z.object({
  fromObjectTypeId: z.string(),
  toObjectTypeId: z.string(),
  name: z.string().optional(),
});

/** Custom object types an Enterprise portal may have. */
export const MAX_CUSTOM_TYPES = 10;
const ENGAGEMENT_TYPES = ['0-27', '0-46', '0-47', '0-48', '0-49'] as const;

/** Custom object types; Enterprise only. */
export function schemaRoutes(): RouteSpec[] {
  const base = `/crm-object-schemas/${VERSION}/schemas`;
  return [
    { method: 'GET', path: base, operation: 'schemas.list', handle: list },
    { method: 'POST', path: base, operation: 'schemas.create', handle: create },
    { method: 'GET', path: `${base}/:objectType`, operation: 'schemas.get', handle: get },
    { method: 'DELETE', path: `${base}/:objectType`, operation: 'schemas.delete', handle: remove },
    {
      method: 'POST',
      path: `${base}/:objectType/associations`,
      operation: 'schemas.associate',
      handle: associate,
    },
  ];
}

function enter(call: Call, access: 'read' | 'write'): void {
  if (call.portal.edition !== 'enterprise') throw noCustomObjects();
  call.needScope(`crm.schemas.custom.${access}`);
  call.note('schemas', 1);
}

const customTables = (call: Call): ObjectTable[] =>
  [...call.portal.tables.values()].filter((table) => table.custom !== null);

function list(call: Call): Reply {
  enter(call, 'read');
  const archived = call.query('archived') === 'true';
  const results = customTables(call)
    .filter((table) => table.custom?.archived === archived)
    .map((table) => toSchema(call, table));
  return { status: 200, body: { results } };
}

function get(call: Call): Reply {
  enter(call, 'read');
  const table = findTable(call.portal, call.param('objectType'));
  if (table === null || table.custom === null) throw notFound();
  return { status: 200, body: toSchema(call, table) };
}

function create(call: Call): Reply {
  enter(call, 'write');
  const input = parseBody(SchemaInput, call);
  if (!/^[a-zA-Z][a-zA-Z0-9_]*$/.test(input.name))
    throw invalid(`Object type name "${input.name}" is not valid.`);
  if (customTables(call).some((table) => table.custom?.name === input.name)) {
    throw new Refusal(409, {
      status: 'error',
      message: `An object type named ${input.name} already exists, or was deleted and not yet purged.`,
      category: 'OBJECT_ALREADY_EXISTS',
    });
  }
  if (customTables(call).filter((table) => table.custom?.archived === false).length >= MAX_CUSTOM_TYPES) {
    throw invalid(`This account has reached its limit of ${MAX_CUSTOM_TYPES} custom object types.`);
  }
  const table = newTable(call, input);
  call.portal.tables.set(table.typeId, table);
  for (const other of [...new Set([...(table.custom?.associatedTypeIds ?? []), ...ENGAGEMENT_TYPES])]) {
    defineType(call.portal.associations, table.typeId, other, {
      name: `${input.name}_to_${other}`,
      label: null,
      inverseLabel: null,
    });
  }
  return { status: 201, body: toSchema(call, table) };
}

function newTable(call: Call, input: z.infer<typeof SchemaInput>): ObjectTable {
  const { portal } = call;
  const at = call.sandbox.clock.now().toISOString();
  const group = `${input.name}_information`;
  const associatedTypeIds = input.associatedObjects.map((name) => {
    const other = findTable(portal, name);
    if (other === null) throw invalid(`Unable to infer object type from: ${name}`);
    return other.typeId;
  });
  const custom: CustomSchema = {
    name: input.name,
    labels: input.labels,
    description: input.description ?? null,
    primaryDisplayProperty: input.primaryDisplayProperty ?? null,
    secondaryDisplayProperties: input.secondaryDisplayProperties ?? [],
    requiredProperties: input.requiredProperties,
    searchableProperties: input.searchableProperties ?? [],
    associatedTypeIds,
    createdAt: at,
    updatedAt: at,
    archived: false,
  };
  const typeId = `2-${portal.nextTypeNumber}`;
  const base = {
    typeId,
    name: `p${portal.id}_${input.name}`,
    singular: input.name.toLowerCase(),
    createdProperty: 'hs_createdate',
    modifiedProperty: 'hs_lastmodifieddate',
    defaultProperties: ['hs_createdate', 'hs_lastmodifieddate', 'hs_object_id'],
    groupName: group,
  };
  const own = ['hs_object_id number!', 'hs_createdate datetime!', 'hs_lastmodifieddate datetime!'];
  const fields = [...own, 'hs_merged_object_ids choice!', 'hubspot_owner_id choice'];
  const table = createTable({ ...base, custom, properties: standardProperties({ ...base, fields }, at) });
  for (const property of input.properties) {
    const placed = { ...property, groupName: property.groupName ?? group };
    if (!table.groups.has(placed.groupName)) {
      table.groups.set(placed.groupName, {
        name: placed.groupName,
        label: placed.groupName,
        archived: false,
        displayOrder: -1,
      });
    }
    checkProperty(table, placed);
    const made = toDefinition(placed, at);
    table.properties.set(made.name, made);
    if (made.hasUniqueValue) table.unique.set(made.name, new Map());
  }
  const named = [
    custom.primaryDisplayProperty,
    ...custom.secondaryDisplayProperties,
    ...custom.requiredProperties,
    ...custom.searchableProperties,
  ];
  for (const name of named) {
    if (name !== null && !table.properties.has(name))
      throw invalid(`Property ${name} is not part of the object type.`);
  }
  portal.nextTypeNumber += 1;
  return table;
}

/** First deletion archives (and keeps the name taken); a second with `archived=true` purges. */
function remove(call: Call): Reply {
  enter(call, 'write');
  const text = call.param('objectType');
  if (call.query('archived') === 'true') {
    const gone = customTables(call).find(
      (table) => table.custom?.archived === true && [table.typeId, table.name].includes(text),
    );
    if (gone === undefined) throw notFound();
    call.portal.tables.delete(gone.typeId);
    return { status: 204 };
  }
  const table = findTable(call.portal, text);
  if (table === null || table.custom === null) throw notFound();
  if (table.liveIds.size > 0) {
    throw invalid(`Object type ${table.name} still has ${table.liveIds.size} records; delete them first.`);
  }
  table.custom.archived = true;
  return { status: 204 };
}

function associate(call: Call): Reply {
  enter(call, 'write');
  const input = parseBody(AssociationInput, call);
  const from = findTable(call.portal, input.fromObjectTypeId);
  const to = findTable(call.portal, input.toObjectTypeId);
  if (from === null || to === null) throw notFound();
  const [made] = defineType(call.portal.associations, from.typeId, to.typeId, {
    name: input.name ?? `${from.singular}_to_${to.singular}`,
    label: null,
    inverseLabel: null,
  });
  from.custom?.associatedTypeIds.push(to.typeId);
  return {
    status: 201,
    body: {
      id: String(made?.typeId),
      name: made?.name,
      fromObjectTypeId: from.typeId,
      toObjectTypeId: to.typeId,
    },
  };
}

function toSchema(call: Call, table: ObjectTable): Record<string, unknown> {
  const { custom } = table;
  const associations = [...call.portal.tables.keys()].flatMap((other) => {
    const there = typesFor(call.portal.associations, table.typeId, other).filter(
      (type) => type.label === null,
    );
    const back = typesFor(call.portal.associations, other, table.typeId).filter(
      (type) => type.label === null,
    );
    return [
      ...there.map((type) => ({
        id: String(type.typeId),
        name: type.name,
        fromObjectTypeId: table.typeId,
        toObjectTypeId: other,
      })),
      ...back.map((type) => ({
        id: String(type.typeId),
        name: type.name,
        fromObjectTypeId: other,
        toObjectTypeId: table.typeId,
      })),
    ];
  });
  return {
    id: table.typeId.slice(2),
    objectTypeId: table.typeId,
    fullyQualifiedName: table.name,
    name: custom?.name,
    labels: custom?.labels,
    description: custom?.description,
    primaryDisplayProperty: custom?.primaryDisplayProperty,
    secondaryDisplayProperties: custom?.secondaryDisplayProperties,
    requiredProperties: custom?.requiredProperties,
    searchableProperties: custom?.searchableProperties,
    allowsSensitiveProperties: false,
    archived: custom?.archived,
    createdAt: custom?.createdAt,
    updatedAt: custom?.updatedAt,
    properties: [...table.properties.values()].map((property) => toProperty(call.portal, table, property)),
    associations,
  };
}
