import { z } from 'zod';
import { AssociationsInput, resolveLinks } from './association-input.ts';
import type { Call, Reply, RouteSpec } from './guard.ts';
import { mergeRecords } from './merging.ts';
import { VERSION } from './paths.ts';
import {
  archiveRecord,
  associateRecords,
  createRecord,
  eraseRecord,
  resolveRow,
  updateRecord,
} from './records.ts';
import { invalid, notFound, Refusal } from './replies.ts';
import type { ObjectTable, Row } from './state.ts';
import {
  allowedTable,
  MAX_PAGE,
  PropertiesInput,
  parseBody,
  splitList,
  toObject,
  type Wanted,
  written,
} from './wire.ts';
import { checkWrite } from './writes.ts';

const DEFAULT_PAGE = 10;
const MAX_WITH_HISTORY = 50;
const MAX_URL = 16_000;

const CreateInput = z.object({ properties: PropertiesInput, associations: AssociationsInput });
const UpdateInput = z.object({ properties: PropertiesInput });
const MergeInput = z.object({ primaryObjectId: z.coerce.string(), objectIdToMerge: z.coerce.string() });
const EraseInput = z.object({ objectId: z.coerce.string(), idProperty: z.string().optional() });

/** Lists, single records, merge and privacy deletion of every object type. */
export function objectRoutes(): RouteSpec[] {
  const base = `/crm/objects/${VERSION}/:objectType`;
  return [
    { method: 'GET', path: base, operation: 'objects.list', handle: list },
    { method: 'POST', path: base, operation: 'objects.create', handle: create },
    { method: 'POST', path: `${base}/merge`, operation: 'objects.merge', handle: merge },
    { method: 'POST', path: `${base}/gdpr-delete`, operation: 'objects.erase', handle: erase },
    { method: 'GET', path: `${base}/:objectId{[^/]+}`, operation: 'objects.get', handle: get },
    { method: 'PATCH', path: `${base}/:objectId{[^/]+}`, operation: 'objects.update', handle: update },
    { method: 'DELETE', path: `${base}/:objectId{[^/]+}`, operation: 'objects.archive', handle: archive },
  ];
}

function wantedOf(call: Call): Wanted {
  return {
    properties: splitList(call.query('properties')),
    history: splitList(call.query('propertiesWithHistory')),
    associations: splitList(call.query('associations')),
  };
}

function list(call: Call): Reply {
  const table = allowedTable(call, 'read');
  const wanted = wantedOf(call);
  if ((call.query('properties')?.length ?? 0) > MAX_URL) {
    throw new Refusal(414, '<html><body><h1>414 Request-URI Too Large</h1></body></html>', {
      'Content-Type': 'text/html',
    });
  }
  const limit = Number(call.query('limit') ?? DEFAULT_PAGE);
  const max = wanted.history.length > 0 ? MAX_WITH_HISTORY : MAX_PAGE;
  if (!Number.isInteger(limit) || limit < 1 || limit > max) {
    throw invalid(`Invalid limit ${call.query('limit')}: must be between 1 and ${max}`);
  }
  const ids = (call.query('archived') === 'true' ? table.archivedIds : table.liveIds).page(
    decodeCursor(call.query('after')),
    limit + 1,
  );
  const results = ids.slice(0, limit).flatMap((id) => {
    const row = table.rows.get(id);
    return row === undefined ? [] : [toObject(call, table, row, wanted)];
  });
  call.note(table.name, results.length);
  const next = ids[limit];
  if (next === undefined) return { status: 200, body: { results } };
  const after = encodeCursor(Number(next));
  const link = `https://api.hubapi.com/crm/objects/${call.version}/${table.name}?limit=${limit}&after=${encodeURIComponent(after)}`;
  return { status: 200, body: { results, paging: { next: { after, link } } } };
}

/** Opaque on purpose: callers must hand it back as it is. */
const encodeCursor = (id: number): string => Buffer.from(`from:${id}`).toString('base64');

function decodeCursor(after: string | undefined): number {
  if (after === undefined || after === '') return 0;
  const id = /^from:(\d+)$/.exec(Buffer.from(after, 'base64').toString())?.[1];
  if (id === undefined) throw invalid(`Invalid after value: ${after}`);
  return Number(id);
}

function create(call: Call): Reply {
  const table = allowedTable(call, 'write');
  const input = parseBody(CreateInput, call);
  const values = checkWrite(call, table, input.properties, null);
  const links = resolveLinks(call, table, input.associations ?? []);
  const row = createRecord(call, table, values);
  for (const each of links) associateRecords(call, { type: table.typeId, id: row.id }, each.to, each.typeIds);
  call.note(table.name, 1);
  return { status: 201, body: written(call, table, row, input.properties) };
}

function update(call: Call): Reply {
  const table = allowedTable(call, 'write');
  // A merged-away id still works here, and only here.
  const row = findRow(call, table, call.param('objectId'));
  if (row === null || row.archivedAtMs !== null) throw notFound();
  const { properties } = parseBody(UpdateInput, call);
  updateRecord(call, table, row, checkWrite(call, table, properties, row));
  call.note(table.name, 1);
  return { status: 200, body: written(call, table, row, properties) };
}

function get(call: Call): Reply {
  const table = allowedTable(call, 'read');
  call.note(table.name, 1);
  const row = findRow(call, table, call.param('objectId'));
  const wantsArchived = call.query('archived') === 'true';
  if (row === null || (row.archivedAtMs !== null) !== wantsArchived) throw notFound();
  return { status: 200, body: toObject(call, table, row, wantedOf(call)) };
}

function archive(call: Call): Reply {
  const table = allowedTable(call, 'write');
  call.note(table.name, 1);
  const row = table.rows.get(call.param('objectId'));
  if (row !== undefined) archiveRecord(call, table, row);
  return { status: 204 };
}

function merge(call: Call): Reply {
  const table = allowedTable(call, 'write');
  const input = parseBody(MergeInput, call);
  const primary = table.rows.get(input.primaryObjectId);
  const other = table.rows.get(input.objectIdToMerge);
  if (primary === undefined || other === undefined) throw notFound();
  if (primary === other) throw invalid('Cannot merge an object with itself.');
  for (const row of [primary, other]) {
    if (row.mergedInto !== null) throw invalid(`Object ${row.id} was already merged into ${row.mergedInto}.`);
    if (row.archivedAtMs !== null) throw notFound();
  }
  const row = mergeRecords(call, table, primary, other);
  call.note(table.name, 1);
  return { status: 200, body: toObject(call, table, row, { properties: [], history: [], associations: [] }) };
}

function erase(call: Call): Reply {
  const table = allowedTable(call, 'write');
  const input = parseBody(EraseInput, call);
  if (table.typeId !== '0-1') throw notFound();
  const id =
    input.idProperty === 'email'
      ? table.unique.get('email')?.get(input.objectId.toLowerCase())
      : input.objectId;
  const row = id === undefined ? undefined : table.rows.get(id);
  if (row !== undefined) eraseRecord(call, table, row);
  else if (input.idProperty === 'email') call.portal.blocklist.add(input.objectId.toLowerCase());
  else throw notFound();
  call.note(table.name, 1);
  return { status: 204 };
}

function findRow(call: Call, table: ObjectTable, text: string): Row | null {
  const idProperty = call.query('idProperty');
  if (idProperty === undefined || idProperty === 'hs_object_id') return resolveRow(table, text);
  const owners = table.unique.get(idProperty);
  if (owners === undefined) throw invalid(`Property ${idProperty} is not a unique identifier.`);
  return table.rows.get(owners.get(text.toLowerCase()) ?? '') ?? null;
}
