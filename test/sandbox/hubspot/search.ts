import { z } from 'zod';
import type { Call, Reply, RouteSpec } from './guard.ts';
import { VERSION } from './paths.ts';
import { invalid } from './replies.ts';
import { checkFilter, FilterInput, keyOf, testFilter } from './search-filters.ts';
import type { Indexed } from './search-index.ts';
import type { ObjectTable } from './state.ts';
import { instantMs } from './values.ts';
import { allowedTable, parseBody, toObject } from './wire.ts';

const SearchInput = z.object({
  limit: z.coerce.number().int().optional(),
  after: z.coerce.string().nullish(),
  query: z.string().nullish(),
  properties: z.array(z.string()).optional(),
  sorts: z
    .array(z.object({ propertyName: z.string(), direction: z.enum(['ASCENDING', 'DESCENDING']).optional() }))
    .optional(),
  filterGroups: z.array(z.object({ filters: z.array(FilterInput) })).optional(),
});
type SearchBody = z.infer<typeof SearchInput>;

const MAX_BODY = 3_000;
const MAX_PAGE = 200;
const MAX_RESULTS = 10_000;
const MAX_GROUPS = 5;
const MAX_PER_GROUP = 6;
const MAX_FILTERS = 18;

interface Remembered {
  readonly key: string;
  readonly generation: number;
  readonly found: readonly Indexed[];
}

/** Search: late by its index lag, blind to the bin, capped at 10,000 results. */
export function searchRoutes(): RouteSpec[] {
  // The next page of a query costs nothing as long as the index has not moved.
  const remembered = new WeakMap<ObjectTable, Remembered>();
  return [
    {
      method: 'POST',
      path: `/crm/objects/${VERSION}/:objectType/search`,
      operation: 'search',
      bucket: 'search',
      handle: (call) => search(call, remembered),
    },
  ];
}

function search(call: Call, remembered: WeakMap<ObjectTable, Remembered>): Reply {
  const table = allowedTable(call, 'read');
  call.note(table.name, 0);
  if (call.rawBody.length > MAX_BODY)
    throw invalid(`The request body is over the limit of ${MAX_BODY} characters.`);
  const body = parseBody(SearchInput, call);
  checkSearch(call, table, body);
  const limit = body.limit ?? 10;
  const offset = Number(body.after ?? '0');
  if (limit < 0 || limit > MAX_PAGE)
    throw invalid(`Invalid limit ${limit}: must be between 0 and ${MAX_PAGE}`);
  if (!Number.isInteger(offset) || offset < 0) throw invalid(`Invalid after value: ${body.after}`);
  if (offset + limit > MAX_RESULTS) {
    throw invalid(`Paging beyond ${MAX_RESULTS} results is not supported: after ${offset}, limit ${limit}`);
  }
  const found = find(call, table, body, remembered);
  const page = found.slice(offset, offset + limit);
  call.note(table.name, page.length);
  const wanted = { properties: body.properties ?? [], history: [], associations: [] };
  const results = page.map((indexed) => toObject(call, table, indexed.row, wanted, indexed.values));
  const more = offset + limit < found.length;
  return {
    status: 200,
    body: {
      total: found.length,
      results,
      ...(more ? { paging: { next: { after: String(offset + limit) } } } : {}),
    },
  };
}

function checkSearch(call: Call, table: ObjectTable, body: SearchBody): void {
  const groups = body.filterGroups ?? [];
  const filters = groups.flatMap((group) => group.filters);
  if (groups.length > MAX_GROUPS)
    throw invalid(`Too many filterGroups: ${groups.length}, the maximum is ${MAX_GROUPS}`);
  if (filters.length > MAX_FILTERS)
    throw invalid(`Too many filters: ${filters.length}, the maximum is ${MAX_FILTERS}`);
  if (groups.some((group) => group.filters.length > MAX_PER_GROUP)) {
    throw invalid(`Too many filters in a group, the maximum is ${MAX_PER_GROUP}`);
  }
  if ((body.sorts?.length ?? 0) > 1) throw invalid('Only one sort is supported.');
  const names = [...filters, ...(body.sorts ?? [])].map((each) => each.propertyName);
  const hidden = call.portal.hidden.get(table.typeId);
  const unknown = names.filter(
    (name) =>
      !name.startsWith('associations.') && (!table.properties.has(name) || hidden?.has(name) === true),
  );
  if (unknown.length > 0) {
    throw invalid('There was a problem with the request.', [
      {
        message: `Unknown property name ${unknown[0]}`,
        code: 'PROPERTY_DOESNT_EXIST',
        context: { propertyName: unknown },
      },
    ]);
  }
  for (const filter of filters) checkFilter(filter);
}

function find(
  call: Call,
  table: ObjectTable,
  body: SearchBody,
  remembered: WeakMap<ObjectTable, Remembered>,
): readonly Indexed[] {
  table.index.catchUp(call.sandbox.nowMs());
  const key = JSON.stringify([body.filterGroups, body.sorts, body.query]);
  const last = remembered.get(table);
  if (last !== undefined && last.key === key && last.generation === table.index.generation) return last.found;
  const matches = matcher(call, table, body);
  const found: Indexed[] = [];
  for (const indexed of candidates(table, body)) {
    const live =
      indexed.row.archivedAtMs === null && indexed.row.mergedInto === null && table.rows.has(indexed.row.id);
    if (live && matches(indexed)) found.push(indexed);
  }
  found.sort(comparing(table, body));
  remembered.set(table, { key, generation: table.index.generation, found });
  return found;
}

/** The rows that can match at all: by the index on modification time when every group bounds it. */
function candidates(table: ObjectTable, body: SearchBody): Iterable<Indexed> {
  const groups = body.filterGroups ?? [];
  let from = Number.POSITIVE_INFINITY;
  let to = Number.NEGATIVE_INFINITY;
  for (const group of groups) {
    let [low, high] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
    for (const filter of group.filters) {
      if (filter.propertyName !== table.modifiedProperty) continue;
      const value = instantMs(filter.value ?? '');
      if (value === null) continue;
      if (['GT', 'GTE', 'BETWEEN', 'EQ'].includes(filter.operator)) low = Math.max(low, value);
      if (['LT', 'LTE', 'EQ'].includes(filter.operator)) high = Math.min(high, value);
      if (filter.operator === 'BETWEEN') high = Math.min(high, instantMs(filter.highValue ?? '') ?? high);
    }
    from = Math.min(from, low);
    to = Math.max(to, high);
  }
  const bounded = groups.length > 0 && (Number.isFinite(from) || Number.isFinite(to));
  return bounded ? table.index.modifiedWithin(from, to) : table.index.everything();
}

function comparing(table: ObjectTable, body: SearchBody): (a: Indexed, b: Indexed) => number {
  const sort = body.sorts?.[0];
  const byId = (a: Indexed, b: Indexed) => Number(a.row.id) - Number(b.row.id);
  if (sort === undefined) return byId;
  const sign = sort.direction === 'DESCENDING' ? -1 : 1;
  if (sort.propertyName === 'hs_object_id') return (a, b) => sign * byId(a, b);
  const key = keyOf(table, sort.propertyName);
  return (a, b) => {
    const [left, right] = [
      key(a.values[sort.propertyName] ?? null),
      key(b.values[sort.propertyName] ?? null),
    ];
    if (left === right) return byId(a, b);
    if (left === null) return 1;
    if (right === null) return -1;
    return left < right ? -sign : sign;
  };
}

function matcher(call: Call, table: ObjectTable, body: SearchBody): (indexed: Indexed) => boolean {
  const groups = (body.filterGroups ?? []).map((group) =>
    group.filters.map((filter) => testFilter(call, table, filter)),
  );
  const text = body.query?.toLowerCase().trim() ?? '';
  return (indexed) => {
    if (text !== '') {
      const hit = table.defaultProperties.some((name) =>
        (indexed.values[name] ?? '').toLowerCase().includes(text),
      );
      if (!hit) return false;
    }
    return groups.length === 0 || groups.some((group) => group.every((passes) => passes(indexed)));
  };
}
