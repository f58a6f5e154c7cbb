import { z } from 'zod';
import { Rejected } from '../../src/platform/errors.ts';
import type {
  ChangesPage,
  ConnectorContext,
  Cursor,
  Instant,
  Page,
  RecordKind,
  Snapshot,
} from '../connector.ts';
import { ASSOCIATION_READ_BATCH, readAssociations } from './associations.ts';
import type { CallHubSpot } from './client.ts';
import { readBatch } from './fetching.ts';
import { modifiedProperty, propertiesOf, toObjectName } from './kinds.ts';
import type { MappingContext } from './mapper.ts';
import { toArchived, toPresent } from './mapper.ts';
import type { HubSpotObject } from './schema.ts';
import { ListSchema, SearchSchema } from './schema.ts';
import { HUBSPOT_API_VERSION } from './version.ts';

const LIST_LIMIT = 100;
const SEARCH_LIMIT = 200;
/** HubSpot refuses a search body above 3,000 characters. */
const SEARCH_BODY_LIMIT = 3_000;
/** One page of ours fills one association read of HubSpot's. */
const PAGE_ROWS = ASSOCIATION_READ_BATCH;

const PositionSchema = z.object({
  pass: z.enum(['live', 'archived']),
  after: z.string().nullable(),
  done: z.number().int().nonnegative(),
});
type Position = Readonly<z.infer<typeof PositionSchema>>;

/**
 * Full read: the live records, then those in the recycling bin as `missing`. Each page is up to 1,000 rows, so
 * that the association reads cost one call per thousand rows and relation.
 */
export async function* listRecords(
  ctx: ConnectorContext,
  call: CallHubSpot,
  kind: RecordKind,
  cursor: Cursor | null,
  signal: AbortSignal,
): AsyncIterable<Page> {
  let position: Position | null =
    cursor === null ? { pass: 'live', after: null, done: 0 } : PositionSchema.parse(JSON.parse(cursor));
  while (position !== null) {
    const readAt = ctx.clock.now().toISOString();
    const archived: boolean = position.pass === 'archived';
    const properties = archived ? [modifiedProperty(kind)] : propertiesOf(ctx, kind);
    const [chunk, total] = await Promise.all([
      listChunk(call, kind, position, properties, signal),
      position.done === 0 && !archived ? countRecords(call, kind, signal) : null,
    ]);
    const snapshots: readonly Snapshot[] = archived
      ? chunk.rows.map((row) => toArchived(kind, row, readAt))
      : await complete(call, kind, chunk.rows, { ...ctx, readAt }, signal);
    const done: number = position.done + chunk.rows.length;
    const next: Position | null = nextPosition(position, chunk.after, done);
    const progress = total === null ? { done } : { done, total };
    yield { snapshots, next: next === null ? null : JSON.stringify(next), progress };
    position = next;
  }
}

/** How many live records there are: lists do not tell, a search does. Null when HubSpot does not let us search. */
async function countRecords(
  call: CallHubSpot,
  kind: RecordKind,
  signal: AbortSignal,
): Promise<number | null> {
  const name = toObjectName(kind);
  try {
    const answer = await call(
      {
        operation: `${name}.count`,
        bucket: 'search',
        method: 'POST',
        path: `/crm/objects/${HUBSPOT_API_VERSION}/${name}/search`,
        body: { limit: 1, after: '0', properties: [], sorts: [], filterGroups: [] },
        schema: SearchSchema,
        repeatable: true,
      },
      signal,
    );
    return answer.total;
  } catch (error) {
    // Only a progress bar is the poorer for it.
    if (error instanceof Rejected) return null;
    throw error;
  }
}

/** Every live id with its modification instant, up to 1,000 at a time. */
export async function* listIds(
  call: CallHubSpot,
  kind: RecordKind,
  signal: AbortSignal,
): AsyncIterable<readonly { externalId: string; version: Instant }[]> {
  let position: Position | null = { pass: 'live', after: null, done: 0 };
  while (position?.pass === 'live') {
    const chunk: Chunk = await listChunk(call, kind, position, [modifiedProperty(kind)], signal);
    yield chunk.rows.map((row) => ({ externalId: row.id, version: new Date(row.updatedAt).toISOString() }));
    position = nextPosition(position, chunk.after, 0);
  }
}

/**
 * What changed in [since, now − `indexLagMs`]: HubSpot's search shows a write only after seconds to minutes.
 * Rows come by ascending id, each request asking for ids above the last one seen. That passes the cap of 10,000
 * results, and a row that is edited meanwhile and leaves the window cannot push another one off a page's edge,
 * as it would with offsets. The search never shows archived records.
 */
export async function* searchChanges(
  ctx: ConnectorContext,
  call: CallHubSpot,
  kind: RecordKind,
  since: Instant,
  indexLagMs: number,
  signal: AbortSignal,
): AsyncIterable<ChangesPage> {
  const until = new Date(ctx.clock.now().getTime() - indexLagMs).toISOString();
  if (new Date(since).getTime() > new Date(until).getTime()) {
    yield { snapshots: [], completeUntil: null };
    return;
  }
  let aboveId = 0n;
  for (let more = true; more; ) {
    const readAt = ctx.clock.now().toISOString();
    const rows: HubSpotObject[] = [];
    while (more && rows.length < PAGE_ROWS) {
      const found = await searchOnce(call, kind, propertiesOf(ctx, kind), since, until, aboveId, signal);
      rows.push(...found.rows);
      more = found.more;
      aboveId = found.rows.reduce(
        (highest, row) => (BigInt(row.id) > highest ? BigInt(row.id) : highest),
        aboveId,
      );
    }
    const snapshots = await complete(call, kind, rows, { ...ctx, readAt }, signal);
    yield { snapshots, completeUntil: more ? null : until };
  }
}

async function searchOnce(
  call: CallHubSpot,
  kind: RecordKind,
  properties: readonly string[],
  since: Instant,
  until: Instant,
  aboveId: bigint,
  signal: AbortSignal,
): Promise<{ readonly rows: readonly HubSpotObject[]; readonly more: boolean }> {
  const bodyWith = (names: readonly string[]) => ({
    limit: SEARCH_LIMIT,
    after: '0',
    properties: names,
    sorts: [{ propertyName: 'hs_object_id', direction: 'ASCENDING' }],
    filterGroups: [
      {
        filters: [
          {
            propertyName: modifiedProperty(kind),
            operator: 'BETWEEN',
            value: String(new Date(since).getTime()),
            highValue: String(new Date(until).getTime()),
          },
          { propertyName: 'hs_object_id', operator: 'GTE', value: String(aboveId + 1n) },
        ],
      },
    ],
  });
  const full = bodyWith(properties);
  const fits = JSON.stringify(full).length <= SEARCH_BODY_LIMIT;
  const name = toObjectName(kind);
  const answer = await call(
    {
      operation: `${name}.search`,
      bucket: 'search',
      method: 'POST',
      path: `/crm/objects/${HUBSPOT_API_VERSION}/${name}/search`,
      body: fits ? full : bodyWith([modifiedProperty(kind)]),
      schema: SearchSchema,
      repeatable: true,
    },
    signal,
  );
  const ids = answer.results.map((row) => row.id);
  const rows = fits ? answer.results : await readBatch(call, name, ids, properties, false, signal);
  return { rows, more: answer.results.length > 0 && answer.total > answer.results.length };
}

interface Chunk {
  readonly rows: readonly HubSpotObject[];
  readonly after: string | null;
}

/** HubSpot's cursor is a chain: pages of one pass can only be read one after the other. */
async function listChunk(
  call: CallHubSpot,
  kind: RecordKind,
  from: Position,
  properties: readonly string[],
  signal: AbortSignal,
): Promise<Chunk> {
  const name = toObjectName(kind);
  const rows: HubSpotObject[] = [];
  let after = from.after;
  do {
    const page = await call(
      {
        operation: `${name}.list`,
        path: `/crm/objects/${HUBSPOT_API_VERSION}/${name}`,
        query: {
          limit: String(LIST_LIMIT),
          archived: String(from.pass === 'archived'),
          properties: properties.join(','),
          ...(after === null ? {} : { after }),
        },
        schema: ListSchema,
        repeatable: true,
      },
      signal,
    );
    rows.push(...page.results);
    after = page.paging?.next?.after ?? null;
  } while (after !== null && rows.length < PAGE_ROWS);
  return { rows, after };
}

function nextPosition(position: Position, after: string | null, done: number): Position | null {
  if (after !== null) return { pass: position.pass, after, done };
  return position.pass === 'live' ? { pass: 'archived', after: null, done } : null;
}

/** Rows with their association sets. */
async function complete(
  call: CallHubSpot,
  kind: RecordKind,
  rows: readonly HubSpotObject[],
  context: MappingContext,
  signal: AbortSignal,
): Promise<readonly Snapshot[]> {
  if (rows.length === 0) return [];
  const ids = rows.map((row) => row.id);
  const associationsOf = await readAssociations(
    call,
    kind,
    ids,
    context.facts?.unreadableKinds ?? [],
    signal,
  );
  return rows.map((row) => toPresent(kind, row, associationsOf(row.id), context));
}
