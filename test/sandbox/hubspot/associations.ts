import { z } from 'zod';
import { AssociationTypes, knownTypes } from './association-input.ts';
import { kindOf, labelRoutes } from './association-labels.ts';
import { type AssociationType, typesFor } from './association-store.ts';
import type { Call, Reply, RouteSpec } from './guard.ts';
import { VERSION } from './paths.ts';
import { associateRecords, disassociateRecords } from './records.ts';
import { type BatchError, batchReply, invalid, notFound } from './replies.ts';
import type { ObjectTable } from './state.ts';
import {
  batchTimes,
  checkSize,
  liveLinks,
  needEdition,
  needMailScope,
  objectScope,
  parseBody,
} from './wire.ts';

const MAX_READ = 1_000;
const MAX_WRITE = 2_000;
const Id = z.object({ id: z.coerce.string() });
const ReadInput = z.object({ inputs: z.array(Id.extend({ after: z.string().nullish() })) });
const CreateInput = z.object({ inputs: z.array(z.object({ from: Id, to: Id, types: AssociationTypes })) });
const DefaultInput = z.object({ inputs: z.array(z.object({ from: Id, to: Id })) });
const ArchiveInput = z.object({ inputs: z.array(z.object({ from: Id, to: z.array(Id) })) });
/** Associations live outside the 10-second bucket of the other calls, in one of their own. */
export function associationRoutes(): RouteSpec[] {
  const base = `/crm/associations/${VERSION}/:fromType/:toType`;
  const single = `/crm/objects/${VERSION}/:fromType/:fromId/associations/:toType/:toId`;
  const bucket = 'associations' as const;
  const batch = (rest: string, operation: string, handle: RouteSpec['handle']): RouteSpec => {
    return { method: 'POST', path: `${base}/batch/${rest}`, operation, bucket, handle };
  };
  return [
    batch('read', 'associations.read', read),
    batch('create', 'associations.create', create),
    batch('associate/default', 'associations.createDefault', createDefault),
    batch('archive', 'associations.archive', archive),
    batch('labels/archive', 'associations.archiveLabels', archiveLabels),
    ...labelRoutes(base),
    { method: 'PUT', path: single, operation: 'associations.put', bucket, handle: put },
    { method: 'DELETE', path: single, operation: 'associations.delete', bucket, handle: remove },
  ];
}

function ends(
  call: Call,
  access: 'read' | 'write',
): { readonly from: ObjectTable; readonly to: ObjectTable } {
  const from = call.table('fromType');
  const to = call.table('toType');
  call.needScope(objectScope(from, access));
  call.needScope(objectScope(to, 'read'));
  for (const table of [from, to]) needMailScope(call, table);
  needEdition(call.portal, from);
  needEdition(call.portal, to);
  return { from, to };
}
const isOld = (call: Call): boolean => call.version === 'v4';

function read(call: Call): Reply {
  const { from, to } = ends(call, 'read');
  const { inputs } = parseBody(ReadInput, call);
  call.note(kindOf(from, to), inputs.length);
  checkSize(inputs, MAX_READ);
  const types = typesFor(call.portal.associations, from.typeId, to.typeId);
  const results: unknown[] = [];
  const errors: BatchError[] = [];
  for (const { id, after } of inputs) {
    const links = liveLinks(call.portal, from, to, id);
    if (links.length === 0) errors.push(noAssociations(from, to, id));
    else results.push(pageOf(call, types, id, links, after ?? undefined));
  }
  return batchReply(results, errors, batchTimes(call));
}

function pageOf(
  call: Call,
  types: readonly AssociationType[],
  id: string,
  links: ReturnType<typeof liveLinks>,
  after: string | undefined,
) {
  const size = call.sandbox.knobs.associationPageSize;
  const start = after === undefined ? 0 : Number(Buffer.from(after, 'base64').toString());
  if (!Number.isInteger(start) || start < 0) throw invalid(`Invalid after value: ${after}`);
  const to = links.slice(start, start + size).map((each) => ({
    toObjectId: call.sandbox.knobs.associationIds === 'number' ? Number(each.toId) : each.toId,
    associationTypes: each.types.map((typeId) => {
      const type = types.find((candidate) => candidate.typeId === typeId);
      return { category: type?.category ?? 'HUBSPOT_DEFINED', typeId, label: type?.label ?? null };
    }),
  }));
  const next = Buffer.from(String(start + size)).toString('base64');
  return { from: { id }, to, ...(start + size < links.length ? { paging: { next: { after: next } } } : {}) };
}

const noAssociations = (from: ObjectTable, to: ObjectTable, id: string): BatchError => ({
  status: 'error',
  category: 'OBJECT_NOT_FOUND',
  subCategory: 'crm.associations.NO_ASSOCIATIONS_FOUND',
  message: `No ${to.singular} is associated with ${from.singular} ${id}.`,
  context: { fromObjectId: [id], fromObjectType: [from.typeId], toObjectType: [to.typeId] },
});

function create(call: Call): Reply {
  const { from, to } = ends(call, 'write');
  const { inputs } = parseBody(CreateInput, call);
  call.note(kindOf(from, to), inputs.length);
  checkSize(inputs, MAX_WRITE);
  const all = inputs.map((input) => ({ ...input, known: knownTypes(call, from, to, input.types) }));
  const results: unknown[] = [];
  const errors: BatchError[] = [];
  for (const input of all) {
    const bad = invalidEnds(from, to, input.from.id, input.to.id);
    if (bad !== null) {
      errors.push(bad);
      continue;
    }
    const typeIds = input.known.map((type) => type.typeId);
    associateRecords(
      call,
      { type: from.typeId, id: input.from.id },
      { type: to.typeId, id: input.to.id },
      typeIds,
    );
    results.push(pair(from, to, input.from.id, input.to.id, input.known));
  }
  // The old path answers 201 here and 204 to an archive; the 2026-09 document says 200 for both.
  return batchReply(results, errors, batchTimes(call), isOld(call) ? 201 : 200);
}

function createDefault(call: Call): Reply {
  const { from, to } = ends(call, 'write');
  const { inputs } = parseBody(DefaultInput, call);
  call.note(kindOf(from, to), inputs.length);
  checkSize(inputs, MAX_WRITE);
  const plain = typesFor(call.portal.associations, from.typeId, to.typeId).find(
    (type) => type.label === null,
  );
  if (plain === undefined) throw invalid(`${from.typeId} cannot be associated with ${to.typeId}.`);
  const results: unknown[] = [];
  const errors: BatchError[] = [];
  for (const input of inputs) {
    const bad = invalidEnds(from, to, input.from.id, input.to.id);
    if (bad !== null) {
      errors.push(bad);
      continue;
    }
    associateRecords(call, { type: from.typeId, id: input.from.id }, { type: to.typeId, id: input.to.id }, [
      plain.typeId,
    ]);
    const associationSpec = { associationCategory: plain.category, associationTypeId: plain.typeId };
    results.push({ from: input.from, to: input.to, associationSpec });
  }
  return batchReply(results, errors, batchTimes(call));
}

function archive(call: Call): Reply {
  const { from, to } = ends(call, 'write');
  const { inputs } = parseBody(ArchiveInput, call);
  call.note(kindOf(from, to), inputs.length);
  checkSize(inputs, MAX_WRITE);
  for (const input of inputs) {
    for (const each of input.to) {
      disassociateRecords(call, { type: from.typeId, id: input.from.id }, { type: to.typeId, id: each.id });
    }
  }
  return isOld(call) ? { status: 204 } : batchReply([], [], batchTimes(call));
}

function archiveLabels(call: Call): Reply {
  const { from, to } = ends(call, 'write');
  const { inputs } = parseBody(CreateInput, call);
  call.note(kindOf(from, to), inputs.length);
  checkSize(inputs, MAX_WRITE);
  for (const input of inputs) {
    const typeIds = knownTypes(call, from, to, input.types).map((type) => type.typeId);
    disassociateRecords(
      call,
      { type: from.typeId, id: input.from.id },
      { type: to.typeId, id: input.to.id },
      typeIds,
    );
  }
  return isOld(call) ? { status: 204 } : batchReply([], [], batchTimes(call));
}

function put(call: Call): Reply {
  const { from, to } = ends(call, 'write');
  const known = knownTypes(call, from, to, parseBody(AssociationTypes, call));
  const [fromId, toId] = [call.param('fromId'), call.param('toId')];
  call.note(kindOf(from, to), 1);
  if (invalidEnds(from, to, fromId, toId) !== null) throw notFound();
  const typeIds = known.map((type) => type.typeId);
  associateRecords(call, { type: from.typeId, id: fromId }, { type: to.typeId, id: toId }, typeIds);
  return { status: 201, body: pair(from, to, fromId, toId, known) };
}

function remove(call: Call): Reply {
  const { from, to } = ends(call, 'write');
  call.note(kindOf(from, to), 1);
  disassociateRecords(
    call,
    { type: from.typeId, id: call.param('fromId') },
    { type: to.typeId, id: call.param('toId') },
  );
  return { status: 204 };
}

const pair = (
  from: ObjectTable,
  to: ObjectTable,
  fromId: string,
  toId: string,
  types: readonly AssociationType[],
) => ({
  fromObjectTypeId: from.typeId,
  fromObjectId: fromId,
  toObjectTypeId: to.typeId,
  toObjectId: toId,
  labels: types.flatMap((type) => type.label ?? []),
});

function invalidEnds(from: ObjectTable, to: ObjectTable, fromId: string, toId: string): BatchError | null {
  const isLive = (table: ObjectTable, id: string) => {
    const row = table.rows.get(id);
    return row !== undefined && row.archivedAtMs === null && row.mergedInto === null;
  };
  const bad = [
    ...(isLive(from, fromId) ? [] : [`${from.singular.toUpperCase()}=${fromId}`]),
    ...(isLive(to, toId) ? [] : [`${to.singular.toUpperCase()}=${toId}`]),
  ];
  if (bad.length === 0) return null;
  return {
    status: 'error',
    category: 'VALIDATION_ERROR',
    subCategory: 'crm.associations.INVALID_OBJECT_IDS',
    message: `${bad.join(', ')} is not valid`,
    context: { INVALID_OBJECT_IDS: bad },
  };
}
