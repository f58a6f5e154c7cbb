import { z } from 'zod';
import type { Call, Reply, RouteSpec } from './guard.ts';
import { VERSION } from './paths.ts';
import { checkProperty, defineProperty, PropertyInput, toProperty } from './property-definitions.ts';
import { type BatchError, batchReply, conflict, invalid, notFound, Refusal } from './replies.ts';
import type { ObjectTable, PropertyDefinition } from './state.ts';
import { batchTimes, checkSize, MAX_PAGE, needEdition, objectScope, parseBody, schemaScope } from './wire.ts';
import { toBatchError } from './writes.ts';

const GroupInput = z.object({ name: z.string(), label: z.string(), displayOrder: z.number().optional() });
const CreateBatch = z.object({ inputs: z.array(PropertyInput) });
const NamesBatch = z.object({
  inputs: z.array(z.object({ name: z.string() })),
  archived: z.boolean().optional(),
});
const ChangeInput = z.object({
  label: z.string().optional(),
  description: z.string().optional(),
  groupName: z.string().optional(),
  fieldType: z.string().optional(),
  options: z.array(z.looseObject({ label: z.string(), value: z.string() })).optional(),
});

/** Property definitions and their groups. */
export function propertyRoutes(): RouteSpec[] {
  const base = `/crm/properties/${VERSION}/:objectType`;
  return [
    { method: 'GET', path: base, operation: 'properties.list', handle: list },
    { method: 'POST', path: base, operation: 'properties.create', handle: create },
    {
      method: 'POST',
      path: `${base}/batch/create`,
      operation: 'properties.batchCreate',
      handle: createBatch,
    },
    { method: 'POST', path: `${base}/batch/read`, operation: 'properties.batchRead', handle: readBatch },
    {
      method: 'POST',
      path: `${base}/batch/archive`,
      operation: 'properties.batchArchive',
      handle: archiveBatch,
    },
    { method: 'GET', path: `${base}/groups`, operation: 'propertyGroups.list', handle: listGroups },
    { method: 'POST', path: `${base}/groups`, operation: 'propertyGroups.create', handle: createGroup },
    { method: 'GET', path: `${base}/groups/:groupName`, operation: 'propertyGroups.get', handle: getGroup },
    {
      method: 'DELETE',
      path: `${base}/groups/:groupName`,
      operation: 'propertyGroups.delete',
      handle: deleteGroup,
    },
    { method: 'GET', path: `${base}/:name`, operation: 'properties.get', handle: get },
    { method: 'PATCH', path: `${base}/:name`, operation: 'properties.update', handle: update },
    { method: 'DELETE', path: `${base}/:name`, operation: 'properties.archive', handle: archive },
  ];
}

function tableFor(call: Call, access: 'read' | 'write'): ObjectTable {
  const table = call.table();
  if (access === 'read') call.needScope(schemaScope(table, 'read'), objectScope(table, 'read'));
  else call.needScope(schemaScope(table, 'write'));
  needEdition(call.portal, table);
  call.note(table.name, 1);
  return table;
}

function visible(call: Call, table: ObjectTable, archived: boolean): PropertyDefinition[] {
  const hidden = call.portal.hidden.get(table.typeId);
  return [...table.properties.values()].filter(
    (property) => property.archived === archived && hidden?.has(property.name) !== true,
  );
}

function list(call: Call): Reply {
  const table = tableFor(call, 'read');
  const properties = visible(call, table, call.query('archived') === 'true');
  return {
    status: 200,
    body: { results: properties.map((property) => toProperty(call.portal, table, property)) },
  };
}

function find(call: Call, table: ObjectTable, archived = false): PropertyDefinition {
  const property = visible(call, table, archived).find((each) => each.name === call.param('name'));
  if (property === undefined) throw notFound(`Property ${call.param('name')} does not exist`);
  return property;
}

function get(call: Call): Reply {
  const table = tableFor(call, 'read');
  return {
    status: 200,
    body: toProperty(call.portal, table, find(call, table, call.query('archived') === 'true')),
  };
}

function create(call: Call): Reply {
  const table = tableFor(call, 'write');
  const input = parseBody(PropertyInput, call);
  checkProperty(table, input);
  const property = defineProperty(table, input, call.sandbox.clock.now().toISOString());
  return { status: 201, body: toProperty(call.portal, table, property) };
}

function createBatch(call: Call): Reply {
  const table = tableFor(call, 'write');
  const { inputs } = parseBody(CreateBatch, call);
  call.note(table.name, inputs.length);
  checkSize(inputs, MAX_PAGE);
  const results: unknown[] = [];
  const errors: BatchError[] = [];
  for (const input of inputs) {
    try {
      checkProperty(table, input);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      errors.push(toBatchError(error, { name: [input.name] }));
      continue;
    }
    const property = defineProperty(table, input, call.sandbox.clock.now().toISOString());
    results.push(toProperty(call.portal, table, property));
  }
  return batchReply(results, errors, batchTimes(call), 201);
}

function readBatch(call: Call): Reply {
  const table = tableFor(call, 'read');
  const { inputs, archived } = parseBody(NamesBatch, call);
  call.note(table.name, inputs.length);
  checkSize(inputs, MAX_PAGE);
  const properties = new Map(visible(call, table, archived ?? false).map((each) => [each.name, each]));
  const missing = inputs.filter(({ name }) => !properties.has(name)).map(({ name }) => name);
  const results = inputs.flatMap(({ name }) => {
    const property = properties.get(name);
    return property === undefined ? [] : [toProperty(call.portal, table, property)];
  });
  const error: BatchError = {
    status: 'error',
    category: 'OBJECT_NOT_FOUND',
    message: 'Could not find some properties.',
    context: { name: missing },
  };
  return batchReply(results, missing.length > 0 ? [error] : [], batchTimes(call));
}

function archiveBatch(call: Call): Reply {
  const table = tableFor(call, 'write');
  for (const { name } of parseBody(NamesBatch, call).inputs) bin(table, table.properties.get(name));
  return { status: 204 };
}

function archive(call: Call): Reply {
  const table = tableFor(call, 'write');
  bin(table, find(call, table));
  return { status: 204 };
}

function bin(table: ObjectTable, property: PropertyDefinition | undefined): void {
  if (property === undefined) return;
  if (property.hubspotDefined) throw invalid(`${property.name} is HubSpot's own and cannot be archived.`);
  property.archived = true;
  table.unique.delete(property.name);
}

function update(call: Call): Reply {
  const table = tableFor(call, 'write');
  const property = find(call, table);
  if (property.hubspotDefined) throw invalid(`${property.name} is HubSpot's own and cannot be changed.`);
  const input = parseBody(ChangeInput, call);
  if (input.groupName !== undefined && !table.groups.has(input.groupName)) {
    throw invalid(`Property group "${input.groupName}" does not exist.`);
  }
  property.label = input.label ?? property.label;
  property.description = input.description ?? property.description;
  property.groupName = input.groupName ?? property.groupName;
  property.fieldType = input.fieldType ?? property.fieldType;
  property.options = input.options?.map(({ label, value }) => ({ label, value })) ?? property.options;
  property.updatedAt = call.sandbox.clock.now().toISOString();
  return { status: 200, body: toProperty(call.portal, table, property) };
}

const listGroups = (call: Call): Reply => ({
  status: 200,
  body: { results: [...tableFor(call, 'read').groups.values()] },
});

function getGroup(call: Call): Reply {
  const group = tableFor(call, 'read').groups.get(call.param('groupName'));
  if (group === undefined) throw notFound();
  return { status: 200, body: group };
}

function createGroup(call: Call): Reply {
  const table = tableFor(call, 'write');
  const input = parseBody(GroupInput, call);
  if (table.groups.has(input.name)) throw conflict(`A property group named '${input.name}' already exists.`);
  const group = {
    name: input.name,
    label: input.label,
    archived: false,
    displayOrder: input.displayOrder ?? -1,
  };
  table.groups.set(input.name, group);
  return { status: 201, body: group };
}

function deleteGroup(call: Call): Reply {
  const table = tableFor(call, 'write');
  const name = call.param('groupName');
  if (!table.groups.has(name)) throw notFound();
  const used = [...table.properties.values()].some(
    (property) => property.groupName === name && !property.archived,
  );
  if (used) throw invalid(`Property group ${name} still has properties.`);
  table.groups.delete(name);
  return { status: 204 };
}
