import { ACTIVITY_KINDS, type RecordKind } from '../../connectors/connector.ts';
import { listActivityStubs } from '../activities/store.ts';
import { releaseHeldDeals } from '../attribution/dirty-store.ts';
import { type Tx, withOrganization } from '../platform/db/client.ts';
import type { LaneHandler } from '../platform/jobs/run-lane.ts';
import { markWork } from '../platform/jobs/work-store.ts';
import {
  advanceBackfill,
  type Connection,
  findConnection,
  listPositions,
  type SyncPosition,
  saveFacts,
} from './connection-store.ts';
import { applySnapshots, markFetch } from './ingest.ts';
import { openConnector, type SyncDeps } from './open-connector.ts';
import { again, forAll, whenConnected } from './with-connection.ts';

/** Companies and people before deals, deals before what happened around them. */
const ORDER: readonly RecordKind[] = ['account', 'contact', 'deal', ...ACTIVITY_KINDS];
/** References read per step: ten batch reads and one read per association. */
const ACTIVITIES_PER_STEP = 1_000;

/**
 * The backfill lane: one page per turn, stored with its cursor in one transaction, so that a kill repeats at most a page.
 * Activities are read around deals only: deals name them, this lane reads those known by name alone.
 */
export function createBackfillLane(deps: SyncDeps): LaneHandler {
  return {
    lane: 'backfill',
    batch: 1,
    handle: (batch) =>
      whenConnected(deps, batch, async (found) => {
        const connection = found.facts === null ? await describe(deps, found, batch.signal) : found;
        const positions = await withOrganization(deps.db, connection.organizationId, (tx) =>
          listPositions(tx, connection),
        );
        const kind = ORDER.find((k) => positions.some((p) => p.kind === k && p.backfill !== 'done'));
        if (kind === undefined) {
          await withOrganization(deps.db, connection.organizationId, (tx) => finish(tx, deps, connection));
          return new Map();
        }
        if (isActivity(kind)) await readActivities(deps, connection, kind, batch.signal);
        else {
          const position = positions.find((p) => p.kind === kind);
          await readPage(deps, connection, kind, position, batch.signal);
        }
        return forAll(batch.items, again(deps.clock.now()));
      }),
  };
}

const isActivity = (kind: RecordKind): kind is (typeof ACTIVITY_KINDS)[number] =>
  (ACTIVITY_KINDS as readonly string[]).includes(kind);

async function describe(deps: SyncDeps, connection: Connection, signal: AbortSignal): Promise<Connection> {
  const facts = await openConnector(deps, connection).describeAccount(signal);
  const described = await withOrganization(deps.db, connection.organizationId, async (tx) => {
    await saveFacts(tx, connection, facts, deps.clock.now());
    return findConnection(tx, connection);
  });
  return described ?? { ...connection, facts };
}

async function readPage(
  deps: SyncDeps,
  connection: Connection,
  kind: RecordKind,
  position: SyncPosition | undefined,
  signal: AbortSignal,
): Promise<void> {
  for await (const page of openConnector(deps, connection).list(kind, position?.cursor ?? null, signal)) {
    const now = deps.clock.now();
    await withOrganization(deps.db, connection.organizationId, async (tx) => {
      await applySnapshots(tx, connection, page.snapshots, { now, verified: false, backfilling: true });
      const expected = page.progress?.total ?? null;
      await advanceBackfill(
        tx,
        connection,
        kind,
        { cursor: page.next, rows: page.snapshots.length, expected },
        now,
      );
    });
    return;
  }
  await withOrganization(deps.db, connection.organizationId, (tx) =>
    advanceBackfill(tx, connection, kind, { cursor: null, rows: 0, expected: null }, deps.clock.now()),
  );
}

async function readActivities(
  deps: SyncDeps,
  connection: Connection,
  kind: RecordKind,
  signal: AbortSignal,
): Promise<void> {
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
    await applySnapshots(tx, connection, snapshots, { now, verified: true, backfilling: true });
    const cursor = stubs.length < ACTIVITIES_PER_STEP ? null : 'more';
    await advanceBackfill(tx, connection, kind, { cursor, rows: snapshots.length, expected: null }, now);
  });
}

/** All evidence is in: results may be computed, and the watch over changes begins. */
async function finish(tx: Tx, deps: SyncDeps, connection: Connection): Promise<void> {
  const now = deps.clock.now();
  const scope = { organizationId: connection.organizationId, scopeId: connection.connectionId };
  // Named by a webhook's deal after the read of its kind had ended.
  for (const kind of ACTIVITY_KINDS) {
    const late = await listActivityStubs(tx, connection, kind, ACTIVITIES_PER_STEP);
    await markFetch(
      tx,
      connection,
      late.map((externalId) => `${kind}:${externalId}`),
      { now },
    );
  }
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
