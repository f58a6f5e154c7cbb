import { Rejected } from '../../src/platform/errors.ts';
import type { ConnectorContext, RecordKind, RecordRef, Snapshot } from '../connector.ts';
import { readAssociations } from './associations.ts';
import type { CallHubSpot } from './client.ts';
import { propertiesOf, toObjectName } from './kinds.ts';
import type { MappingContext } from './mapper.ts';
import { toArchived, toMergedIds, toPresent } from './mapper.ts';
import type { HubSpotObject } from './schema.ts';
import { BatchReadSchema, ObjectSchema } from './schema.ts';
import { HUBSPOT_API_VERSION } from './version.ts';

const READ_BATCH = 100;
const BATCHES_AT_ONCE = 10;
const SINGLE_READS_AT_ONCE = 5;

/**
 * Present truth of `refs`. In the usual case one step: batch reads and association reads run side by side, since
 * the latter need ids only. Ids that HubSpot answered with another id, or not at all, get a second look.
 */
export async function fetchRecords(
  ctx: ConnectorContext,
  call: CallHubSpot,
  refs: readonly RecordRef[],
  signal: AbortSignal,
): Promise<readonly Snapshot[]> {
  const byKind = Map.groupBy(refs, (ref) => ref.kind);
  const groups = await Promise.all(
    [...byKind].map(([kind, group]) =>
      fetchKind(ctx, call, kind, [...new Set(group.map((ref) => ref.externalId))], signal),
    ),
  );
  return groups.flat();
}

async function fetchKind(
  ctx: ConnectorContext,
  call: CallHubSpot,
  kind: RecordKind,
  asked: readonly string[],
  signal: AbortSignal,
): Promise<readonly Snapshot[]> {
  const context: MappingContext = { ...ctx, readAt: ctx.clock.now().toISOString() };
  const [rows, associationsOf] = await Promise.all([
    readBatch(call, toObjectName(kind), asked, propertiesOf(ctx, kind), false, signal),
    readAssociations(call, kind, asked, ctx.facts?.unreadableKinds ?? [], signal),
  ]);
  const byId = new Map(rows.map((row) => [row.id, row]));
  const present = asked.flatMap((id) => {
    const row = byId.get(id);
    return row === undefined ? [] : [toPresent(kind, row, associationsOf(id), context)];
  });
  const unanswered = asked.filter((id) => !byId.has(id));
  if (unanswered.length === 0) return present;
  return [
    ...present,
    ...(await lookAgain(ctx, call, kind, unanswered, byId, new Set(asked), context, signal)),
  ];
}

/** Merged away, archived, or gone: only HubSpot's own word decides which. */
async function lookAgain(
  ctx: ConnectorContext,
  call: CallHubSpot,
  kind: RecordKind,
  unanswered: readonly string[],
  known: ReadonlyMap<string, HubSpotObject>,
  asked: ReadonlySet<string>,
  context: MappingContext,
  signal: AbortSignal,
): Promise<readonly Snapshot[]> {
  const survivors = new Map<string, HubSpotObject>();
  const absorb = (row: HubSpotObject) => {
    for (const id of toMergedIds(row)) survivors.set(id, row);
  };
  for (const row of known.values()) absorb(row);

  const notMerged = unanswered.filter((id) => !survivors.has(id));
  const archived = new Map(
    (await readBatch(call, toObjectName(kind), notMerged, propertiesOf(ctx, kind), true, signal)).map(
      (row) => [row.id, row],
    ),
  );
  const unseen = notMerged.filter((id) => !archived.has(id));
  // A batch may leave out a merged id that a read by itself resolves: the last word before "gone".
  for (let from = 0; from < unseen.length; from += SINGLE_READS_AT_ONCE) {
    const part = unseen.slice(from, from + SINGLE_READS_AT_ONCE);
    const found = await Promise.all(
      part.map((id) => readOne(call, kind, id, propertiesOf(ctx, kind), signal)),
    );
    part.forEach((id, at) => {
      const row = found[at];
      if (row) survivors.set(id, row);
    });
  }

  const merged = unanswered.flatMap((id) => {
    const survivor = survivors.get(id);
    return survivor === undefined || survivor.id === id ? [] : [{ id, survivor }];
  });
  const extra = new Map(
    [...survivors.values()]
      .filter((row) => !asked.has(row.id) || !known.has(row.id))
      .map((row) => [row.id, row]),
  );
  const associationsOf = await readAssociations(
    call,
    kind,
    [...extra.keys()],
    ctx.facts?.unreadableKinds ?? [],
    signal,
  );
  const gone = unanswered.filter((id) => !survivors.has(id));
  return [
    ...[...extra.values()].map((row) => toPresent(kind, row, associationsOf(row.id), context)),
    ...merged.map(({ id, survivor }) => ({
      ref: { kind, externalId: id },
      status: 'merged' as const,
      survivorExternalId: survivor.id,
      changedAt: new Date(survivor.updatedAt).toISOString(),
      readAt: context.readAt,
    })),
    ...gone.map((id) => toGone(kind, id, archived.get(id), context)),
  ];
}

/** HubSpot tells when a record was archived, but not when one vanished: the reading itself is then the news. */
function toGone(
  kind: RecordKind,
  id: string,
  row: HubSpotObject | undefined,
  context: MappingContext,
): Snapshot {
  if (row !== undefined) return toArchived(kind, row, context.readAt);
  return {
    ref: { kind, externalId: id },
    status: 'missing',
    changedAt: context.readAt,
    readAt: context.readAt,
  };
}

/** Batch read, 100 ids a call, ten calls side by side; ids that HubSpot does not know are simply not in it. */
export async function readBatch(
  call: CallHubSpot,
  objectName: string,
  ids: readonly string[],
  properties: readonly string[],
  archived: boolean,
  signal: AbortSignal,
): Promise<readonly HubSpotObject[]> {
  const chunks = Array.from({ length: Math.ceil(ids.length / READ_BATCH) }, (_, at) =>
    ids.slice(at * READ_BATCH, (at + 1) * READ_BATCH),
  );
  const rows: HubSpotObject[] = [];
  const read = async (chunk: readonly string[]) => {
    const answer = await call(
      {
        operation: `${metricName(objectName)}.batch_read`,
        method: 'POST',
        path: `/crm/objects/${HUBSPOT_API_VERSION}/${objectName}/batch/read`,
        ...(archived ? { query: { archived: 'true' } } : {}),
        body: { inputs: chunk.map((id) => ({ id })), properties, propertiesWithHistory: [] },
        schema: BatchReadSchema,
        repeatable: true,
      },
      signal,
    );
    return answer.results;
  };
  for (let from = 0; from < chunks.length; from += BATCHES_AT_ONCE) {
    rows.push(...(await Promise.all(chunks.slice(from, from + BATCHES_AT_ONCE).map(read))).flat());
  }
  return rows;
}

/** Our own object's id differs from account to account: it is no name for a metric. */
function metricName(objectName: string): string {
  return /^[a-z]+$/.test(objectName) ? objectName : 'attribution';
}

async function readOne(
  call: CallHubSpot,
  kind: RecordKind,
  id: string,
  properties: readonly string[],
  signal: AbortSignal,
): Promise<HubSpotObject | null> {
  const name = toObjectName(kind);
  try {
    return await call(
      {
        operation: `${name}.read`,
        path: `/crm/objects/${HUBSPOT_API_VERSION}/${name}/${encodeURIComponent(id)}`,
        query: { properties: properties.join(',') },
        schema: ObjectSchema,
        repeatable: true,
      },
      signal,
    );
  } catch (error) {
    if (error instanceof Rejected && error.reason === 'not_found') return null;
    throw error;
  }
}
