import { ACTIVITY_KINDS, type ActivityKind, type RecordKind } from '../../connectors/connector.ts';
import { countActivityStubs, listActivityStubs } from '../activities/store.ts';
import { releaseHeldDeals } from '../attribution/dirty-store.ts';
import { type Tx, withOrganization } from '../platform/db/client.ts';
import type { LaneHandler, WorkBatch } from '../platform/jobs/run-lane.ts';
import { type ClaimedWork, markWork, type WorkOutcome } from '../platform/jobs/work-store.ts';
import type { Connection } from './connection-store.ts';
import { describeConnection, hasBecomeUnreadable, isUnreadable } from './describing.ts';
import { applySnapshots } from './ingest.ts';
import { openConnector, type SyncDeps } from './open-connector.ts';
import { advanceBackfill, listPositions, raiseWatermark, type SyncPosition } from './position-store.ts';
import { again, forAll, whenConnected } from './with-connection.ts';

/** Companies and people before deals, deals before what happened around them. */
const ORDER: readonly RecordKind[] = ['account', 'contact', 'deal', ...ACTIVITY_KINDS];
/** References read per step: ten batch reads and one read per association. */
const ACTIVITIES_PER_STEP = 1_000;
const RETRY_MS = 15 * 60_000;
/** In place of a cursor: an activity kind's references are read, what changed since its watermark is not yet. */
const CHANGES = 'changes';

/**
 * The backfill lane: one page per turn, stored with its cursor in one transaction, so that a kill repeats at most a page.
 * Activities are read around deals only: deals name them, this lane reads those known by name alone.
 */
export function createBackfillLane(deps: SyncDeps): LaneHandler {
  return {
    lane: 'backfill',
    batch: 1,
    // Until it ends every result of the connection waits: it is tried again, whatever went wrong.
    everyMs: RETRY_MS,
    handle: (batch) =>
      whenConnected(deps, batch, async (found) => {
        const positions = await withOrganization(deps.db, found.organizationId, (tx) =>
          listPositions(tx, found),
        );
        // Permissions and stages may be others than at the last read.
        const begins = ORDER.every((k) => positions.find((p) => p.kind === k)?.backfill === 'waiting');
        const connection =
          found.facts === null || begins ? await describeConnection(deps, found, batch.signal) : found;
        const kind = ORDER.find((k) => positions.some((p) => p.kind === k && p.backfill !== 'done'));
        const position = positions.find((p) => p.kind === kind);
        if (kind === undefined || position === undefined) return end(deps, connection, positions, batch);
        if (isActivity(kind)) await readIfShown(deps, connection, kind, position, batch.signal);
        else await readPage(deps, connection, kind, position, batch.signal);
        return forAll(batch.items, again(deps.clock.now()));
      }),
  };
}

const isActivity = (kind: RecordKind): kind is (typeof ACTIVITY_KINDS)[number] =>
  (ACTIVITY_KINDS as readonly string[]).includes(kind);

async function readPage(
  deps: SyncDeps,
  connection: Connection,
  kind: RecordKind,
  position: SyncPosition,
  signal: AbortSignal,
): Promise<void> {
  for await (const page of openConnector(deps, connection).list(kind, position.cursor ?? null, signal)) {
    const now = deps.clock.now();
    await withOrganization(deps.db, connection.organizationId, async (tx) => {
      await applySnapshots(tx, connection, page.snapshots, { now, verified: false, backfilling: true });
      const expected = page.progress?.total ?? null;
      await advanceBackfill(
        tx,
        connection,
        position,
        { cursor: page.next, rows: page.snapshots.length, expected },
        now,
      );
    });
    return;
  }
  await withOrganization(deps.db, connection.organizationId, (tx) =>
    advanceBackfill(tx, connection, position, { cursor: null, rows: 0, expected: null }, deps.clock.now()),
  );
}

/** A kind that the CRM refuses counts as read: everything else goes on without it. */
async function readIfShown(
  deps: SyncDeps,
  connection: Connection,
  kind: ActivityKind,
  position: SyncPosition,
  signal: AbortSignal,
): Promise<void> {
  const step = { cursor: null, rows: 0, expected: null };
  if (isUnreadable(connection, kind)) {
    await withOrganization(deps.db, connection.organizationId, (tx) =>
      advanceBackfill(tx, connection, position, step, deps.clock.now()),
    );
    return;
  }
  try {
    await readActivities(deps, connection, kind, position, signal);
  } catch (error) {
    if (!(await hasBecomeUnreadable(deps, connection, kind, error, signal))) throw error;
  }
}

async function readActivities(
  deps: SyncDeps,
  connection: Connection,
  kind: ActivityKind,
  position: SyncPosition,
  signal: AbortSignal,
): Promise<void> {
  if (position.cursor === CHANGES) return readMissedChanges(deps, connection, kind, position, signal);
  const stubs = await withOrganization(deps.db, connection.organizationId, (tx) =>
    listActivityStubs(tx, connection, kind, ACTIVITIES_PER_STEP),
  );
  const refs = stubs.map((externalId) => ({ kind, externalId }));
  const snapshots = refs.length === 0 ? [] : await openConnector(deps, connection).fetch(refs, signal);
  const answered = new Set(snapshots.map((s) => s.ref.externalId));
  const unanswered = refs.filter((ref) => !answered.has(ref.externalId));
  if (unanswered.length > 0)
    throw new Error(
      `the connector gave no word on ${unanswered.length} of ${refs.length} ${kind} references`,
    );
  const now = deps.clock.now();
  await withOrganization(deps.db, connection.organizationId, async (tx) => {
    // Deals have named them all by now: counted once, before the first are read.
    const expected = position.backfill === 'waiting' ? await countActivityStubs(tx, connection, kind) : null;
    await applySnapshots(tx, connection, snapshots, { now, verified: true, backfilling: true });
    const cursor = stubs.length === ACTIVITIES_PER_STEP ? 'more' : missedSince(position) ? CHANGES : null;
    await advanceBackfill(tx, connection, position, { cursor, rows: snapshots.length, expected }, now);
  });
}

/** Was this kind complete up to an instant before this read began? Only a repeated read's is. */
const missedSince = (position: SyncPosition): boolean =>
  position.watermark != null &&
  position.backfillStartedAt !== null &&
  position.watermark < position.backfillStartedAt;

/** What happened to known activities while nobody looked: days may lie between the watermark and a repeated read. */
async function readMissedChanges(
  deps: SyncDeps,
  connection: Connection,
  kind: ActivityKind,
  position: SyncPosition,
  signal: AbortSignal,
): Promise<void> {
  const inOrganization = <T>(fn: Parameters<typeof withOrganization<T>>[2]) =>
    withOrganization(deps.db, connection.organizationId, fn);
  const from = Date.parse(position.watermark ?? '') - deps.intervals.lookbackMs;
  let completeUntil: string | null = null;
  for await (const page of openConnector(deps, connection).changes(
    kind,
    new Date(from).toISOString(),
    signal,
  )) {
    completeUntil = page.completeUntil;
    const now = deps.clock.now();
    const step = { cursor: CHANGES, rows: page.snapshots.length, expected: null };
    await inOrganization(async (tx) => {
      await applySnapshots(tx, connection, page.snapshots, { now, verified: false, backfilling: true });
      await advanceBackfill(tx, connection, position, step, now);
    });
  }
  const now = deps.clock.now();
  await inOrganization(async (tx) => {
    await raiseWatermark(tx, connection, kind, completeUntil, now);
    await advanceBackfill(tx, connection, position, { cursor: null, rows: 0, expected: null }, now);
  });
}

/** Every kind is read: what was named meanwhile is read, too, before anything is computed. */
async function end(
  deps: SyncDeps,
  connection: Connection,
  positions: readonly SyncPosition[],
  batch: WorkBatch,
): Promise<ReadonlyMap<ClaimedWork, WorkOutcome>> {
  const late = await withOrganization(deps.db, connection.organizationId, async (tx) => {
    // Named by a webhook's deal after the read of its kind had ended.
    for (const kind of ACTIVITY_KINDS.filter((k) => !isUnreadable(connection, k)))
      if ((await listActivityStubs(tx, connection, kind, 1)).length > 0) return kind;
    await finish(tx, deps, connection);
    return null;
  });
  if (late === null) return new Map();
  const position = positions.find((p) => p.kind === late);
  if (position !== undefined) await readIfShown(deps, connection, late, position, batch.signal);
  return forAll(batch.items, again(deps.clock.now()));
}

/** All evidence is in: results may be computed, and the watch over changes begins. */
async function finish(tx: Tx, deps: SyncDeps, connection: Connection): Promise<void> {
  const now = deps.clock.now();
  const scope = { organizationId: connection.organizationId, scopeId: connection.connectionId };
  await releaseHeldDeals(tx, connection.organizationId, connection.connectionId, now);
  await markWork(tx, { ...scope, lane: 'poll' }, [''], now, {
    runAt: new Date(now.getTime() + deps.intervals.pollMs),
  });
  await markWork(tx, { ...scope, lane: 'reconcile' }, [...ORDER, 'crm-rows'], now, {
    runAt: new Date(now.getTime() + deps.intervals.reconcileMs),
  });
  await markWork(
    tx,
    { organizationId: connection.organizationId, scopeId: connection.organizationId, lane: 'daily' },
    [''],
    now,
    { runAt: new Date(now.getTime() + 3_600_000) },
  );
}
