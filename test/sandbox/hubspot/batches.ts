import { z } from 'zod';
import { AssociationsInput, resolveLinks } from './association-input.ts';
import type { Call, Reply, RouteSpec } from './guard.ts';
import { VERSION } from './paths.ts';
import { archiveRecord, associateRecords, createRecord, resolveRow, updateRecord } from './records.ts';
import { type BatchError, batchReply, invalid, Refusal } from './replies.ts';
import type { ObjectTable, Row, Values } from './state.ts';
import {
  allowedTable,
  batchTimes,
  checkSize,
  MAX_PAGE,
  PropertiesInput,
  parseBody,
  toObject,
  written,
} from './wire.ts';
import { checkWrite, missingRows, toBatchError } from './writes.ts';

const Id = z.union([z.string(), z.number().transform(String)]);
const TraceId = z.string().optional();
const ReadInput = z.object({
  inputs: z.array(z.object({ id: Id })),
  properties: z.array(z.string()).optional(),
  propertiesWithHistory: z.array(z.string()).optional(),
  idProperty: z.string().nullish(),
});
const CreateInput = z.object({
  inputs: z.array(
    z.object({ properties: PropertiesInput, associations: AssociationsInput, objectWriteTraceId: TraceId }),
  ),
});
const ChangeInput = z.object({
  inputs: z.array(
    z.object({
      id: Id,
      idProperty: z.string().nullish(),
      properties: PropertiesInput,
      objectWriteTraceId: TraceId,
    }),
  ),
});
const ArchiveInput = z.object({ inputs: z.array(z.object({ id: Id })) });
const MAX_WITH_HISTORY = 50;

/** Batches of up to 100 records. */
export function batchRoutes(): RouteSpec[] {
  const base = `/crm/objects/${VERSION}/:objectType/batch`;
  return [
    { method: 'POST', path: `${base}/read`, operation: 'objects.batchRead', handle: read },
    { method: 'POST', path: `${base}/create`, operation: 'objects.batchCreate', handle: create },
    { method: 'POST', path: `${base}/update`, operation: 'objects.batchUpdate', handle: update },
    { method: 'POST', path: `${base}/upsert`, operation: 'objects.batchUpsert', handle: upsert },
    { method: 'POST', path: `${base}/archive`, operation: 'objects.batchArchive', handle: archive },
  ];
}

function read(call: Call): Reply {
  const table = allowedTable(call, 'read');
  const input = parseBody(ReadInput, call);
  call.note(table.name, input.inputs.length);
  const history = input.propertiesWithHistory ?? [];
  checkSize(input.inputs, history.length > 0 ? MAX_WITH_HISTORY : MAX_PAGE);
  const wantsArchived = call.query('archived') === 'true';
  const wanted = { properties: input.properties ?? [], history, associations: [] };
  const found = new Map<string, Row>();
  const missing: string[] = [];
  for (const { id } of input.inputs) {
    const row = byIdOrUnique(table, id, input.idProperty ?? undefined);
    if (row === null || (row.archivedAtMs !== null) !== wantsArchived) missing.push(id);
    // Two ids merged into one record give that record once.
    else found.set(row.id, row);
  }
  const results = [...found.values()].map((row) => toObject(call, table, row, wanted));
  const tells = missing.length > 0 && call.sandbox.knobs.missingInBatchRead === 'errors';
  return batchReply(results, tells ? [missingRows(table, missing)] : [], batchTimes(call));
}

function byIdOrUnique(table: ObjectTable, id: string, idProperty: string | undefined): Row | null {
  if (idProperty === undefined || idProperty === 'hs_object_id') return resolveRow(table, id);
  const owners = table.unique.get(idProperty);
  if (owners === undefined) throw invalid(`Property ${idProperty} is not a unique identifier.`);
  return table.rows.get(owners.get(id.toLowerCase()) ?? '') ?? null;
}

function create(call: Call): Reply {
  const table = allowedTable(call, 'write');
  const { inputs } = parseBody(CreateInput, call);
  call.note(table.name, inputs.length);
  checkSize(inputs, MAX_PAGE);
  const claimed = new Map<string, string>();
  const { ready, errors } = checkRows(inputs, (input) => ({
    values: checkWrite(call, table, input.properties, null, claimed),
    links: resolveLinks(call, table, input.associations ?? []),
  }));
  const results = ready.map(({ input, checked }) => {
    const row = createRecord(call, table, checked.values);
    for (const each of checked.links) {
      associateRecords(call, { type: table.typeId, id: row.id }, each.to, each.typeIds);
    }
    return { ...written(call, table, row, input.properties), ...trace(input) };
  });
  return batchReply(results, errors, batchTimes(call), 201);
}

function update(call: Call): Reply {
  const table = allowedTable(call, 'write');
  const { inputs } = parseBody(ChangeInput, call);
  call.note(table.name, inputs.length);
  checkSize(inputs, MAX_PAGE);
  checkDuplicates(inputs);
  const missing: string[] = [];
  const known = inputs.filter((input) => {
    // Unlike a single PATCH, a batch refuses ids that were merged away.
    const row = changeable(table, input);
    if (row === null) missing.push(input.id);
    return row !== null;
  });
  const claimed = new Map<string, string>();
  const { ready, errors } = checkRows(known, (input) => {
    const row = changeable(table, input);
    if (row === null) throw new Error(`row ${input.id} vanished within one call`);
    return { row, values: checkWrite(call, table, input.properties, row, claimed) };
  });
  const results = ready.map(({ input, checked }) => {
    updateRecord(call, table, checked.row, checked.values);
    return { ...written(call, table, checked.row, input.properties), ...trace(input) };
  });
  const all = missing.length > 0 ? [...errors, missingRows(table, missing)] : errors;
  return batchReply(results, all, batchTimes(call));
}

function changeable(
  table: ObjectTable,
  input: { id: string; idProperty?: string | null | undefined },
): Row | null {
  const idProperty = input.idProperty ?? 'hs_object_id';
  const row =
    idProperty === 'hs_object_id'
      ? (table.rows.get(input.id) ?? null)
      : byIdOrUnique(table, input.id, idProperty);
  return row === null || row.archivedAtMs !== null || row.mergedInto !== null ? null : row;
}

function upsert(call: Call): Reply {
  const table = allowedTable(call, 'write');
  const { inputs } = parseBody(ChangeInput, call);
  call.note(table.name, inputs.length);
  checkSize(inputs, MAX_PAGE);
  checkDuplicates(inputs);
  const claimed = new Map<string, string>();
  const { ready, errors } = checkRows(inputs, (input) => {
    const row = changeable(table, input);
    const properties = upsertValues(table, input, row);
    return { row, values: checkWrite(call, table, properties, row, claimed) as Values };
  });
  const results = ready.map(({ input, checked }) => {
    const row = checked.row ?? createRecord(call, table, checked.values);
    if (checked.row !== null) updateRecord(call, table, checked.row, checked.values);
    return { ...written(call, table, row, input.properties), new: checked.row === null, ...trace(input) };
  });
  return batchReply(results, errors, batchTimes(call));
}

function upsertValues(
  table: ObjectTable,
  input: z.infer<typeof ChangeInput>['inputs'][number],
  row: Row | null,
): Readonly<Record<string, string | null>> {
  const { idProperty, id, properties } = input;
  if (idProperty == null || idProperty === 'hs_object_id') {
    if (row === null)
      throw new Refusal(404, { status: 'error', category: 'OBJECT_NOT_FOUND', message: `${id} not found` });
    return properties;
  }
  const given = properties[idProperty];
  if (row === null && given == null) return { ...properties, [idProperty]: id };
  if (given != null && given.toLowerCase() !== id.toLowerCase() && row === null) {
    throw invalid(`The value of ${idProperty} differs from the id of the input of ${table.name}.`);
  }
  return properties;
}

function archive(call: Call): Reply {
  const table = allowedTable(call, 'write');
  const { inputs } = parseBody(ArchiveInput, call);
  call.note(table.name, inputs.length);
  checkSize(inputs, MAX_PAGE);
  for (const { id } of inputs) {
    const row = table.rows.get(id);
    if (row !== undefined) archiveRecord(call, table, row);
  }
  return { status: 204 };
}

interface Traced {
  readonly objectWriteTraceId?: string | undefined;
}

/**
 * Checks every row before the first is written. Only when each row carries its own trace id do bad rows fail
 * alone; otherwise the first bad one refuses the whole batch.
 */
function checkRows<I extends Traced, C>(inputs: readonly I[], check: (input: I) => C) {
  const traces = new Set(inputs.flatMap((input) => input.objectWriteTraceId ?? []));
  const partial = traces.size === inputs.length;
  const ready: { readonly input: I; readonly checked: C }[] = [];
  const errors: BatchError[] = [];
  for (const input of inputs) {
    try {
      ready.push({ input, checked: check(input) });
    } catch (error) {
      if (!(error instanceof Refusal) || !partial) throw error;
      errors.push(toBatchError(error, { objectWriteTraceId: [input.objectWriteTraceId ?? ''] }));
    }
  }
  return { ready, errors };
}

function checkDuplicates(inputs: readonly { readonly id: string }[]): void {
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const { id } of inputs) {
    if (seen.has(id)) twice.add(id);
    seen.add(id);
  }
  if (twice.size > 0)
    throw invalid(`Duplicate IDs found in batch input: [${[...twice].join(', ')}]. IDs must be unique`);
}

const trace = (input: Traced) =>
  input.objectWriteTraceId === undefined ? {} : { objectWriteTraceId: input.objectWriteTraceId };
