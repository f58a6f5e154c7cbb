import type { RecordKind, RecordRef } from '../../connectors/connector.ts';
import { type Tx, withOrganization } from '../platform/db/client.ts';
import { type Connection, dropFinding, saveFinding } from './connection-store.ts';
import { hasBecomeUnreadable, isUnreadable } from './describing.ts';
import { createIdSet, type IdSet } from './id-set.ts';
import { applySnapshots, markFetch } from './ingest.ts';
import { openConnector, type SyncDeps } from './open-connector.ts';
import { saveReconciliation } from './position-store.ts';
import { countLive, findDiffering, findKnown, listLiveIds } from './reconcile-store.ts';

/** More of ours than this that a sweep did not see, and the sweep itself is looked at before it is believed. */
const MISSING = { atLeast: 200, share: 0.2 } as const;
const SAMPLE = 200;
/** So many of a sample must really be gone for the sweep to be believed. */
const GONE_SHARE = 0.9;
const IDS_PER_PAGE = 5_000;

/**
 * Compares all records of a kind at both ends and sends every difference down the line again. A record that the sweep did
 * not see is not deleted here: it is read by id, and only the CRM's own word on that id counts.
 */
export async function reconcileRecords(
  deps: SyncDeps,
  connection: Connection,
  kind: RecordKind,
  signal: AbortSignal,
): Promise<void> {
  if (isUnreadable(connection, kind)) return;
  const startedAt = deps.clock.now();
  let drift = 0;
  try {
    const { seen, differing } = await sweep(deps, connection, kind, signal);
    drift = differing + (await followMissing(deps, connection, kind, seen, startedAt, signal));
  } catch (error) {
    if (await hasBecomeUnreadable(deps, connection, kind, error, signal)) return;
    throw error;
  }
  await withOrganization(deps.db, connection.organizationId, (tx) =>
    saveReconciliation(tx, connection, kind, drift, deps.clock.now()),
  );
  if (drift > 0)
    deps.log.warn('reconciliation found differences', { kind, drift, connectionId: connection.connectionId });
}

/** Everything that stands in the CRM, page by page: newer or unknown records are read again. */
async function sweep(
  deps: SyncDeps,
  connection: Connection,
  kind: RecordKind,
  signal: AbortSignal,
): Promise<{ readonly seen: IdSet; readonly differing: number }> {
  const seen = createIdSet();
  let count = 0;
  for await (const page of openConnector(deps, connection).list(kind, null, signal)) {
    const live = page.snapshots.filter((s) => s.status === 'present');
    const versions = live.map((s) => ({ externalId: s.ref.externalId, version: s.changedAt }));
    for (const { externalId } of versions) seen.add(externalId);
    await withOrganization(deps.db, connection.organizationId, async (tx) => {
      const differing = new Set(await findDiffering(tx, connection, kind, versions));
      const known = await findKnown(tx, connection, kind, versions);
      await look(deps, tx, connection, kind, [...differing]);
      // CRMs tell nobody that an association changed: the sets of what seems unchanged are compared as well.
      const unchanged = live.filter((s) => known.has(s.ref.externalId) && !differing.has(s.ref.externalId));
      const options = { now: deps.clock.now(), verified: false, backfilling: false };
      count += differing.size + (await applySnapshots(tx, connection, unchanged, options));
    });
  }
  return { seen, differing: count };
}

const look = (
  deps: SyncDeps,
  tx: Tx,
  connection: Connection,
  kind: RecordKind,
  ids: readonly string[],
): Promise<void> =>
  markFetch(
    tx,
    connection,
    ids.map((id) => `${kind}:${id}`),
    { now: deps.clock.now() },
  );

/**
 * What we hold as live and the sweep did not see is read by id. When that is a great part of all, the sweep may have been
 * cut short: a sample is read first, and only if that is really gone are the others read, too.
 * @returns how many were not seen
 */
async function followMissing(
  deps: SyncDeps,
  connection: Connection,
  kind: RecordKind,
  seen: IdSet,
  startedAt: Date,
  signal: AbortSignal,
): Promise<number> {
  const { organizationId } = connection;
  const held = await withOrganization(deps.db, organizationId, (tx) =>
    countLive(tx, connection, kind, startedAt),
  );
  const limit = Math.max(MISSING.atLeast, Math.floor(held * MISSING.share));
  const first: string[] = [];
  for await (const ids of missingIds(deps, connection, kind, seen, startedAt)) {
    first.push(...ids);
    if (first.length > limit) break;
  }
  const code = `incomplete_sweep_${kind}`;
  if (first.length > limit && !(await isGone(deps, connection, kind, spread(first, SAMPLE), signal))) {
    const message = `A comparison of all records of the kind "${kind}" did not see ${first.length} or more of ${held}, which are there when asked for.`;
    deps.log.warn('a sweep was not believed', { kind, held, connectionId: connection.connectionId });
    await withOrganization(deps.db, organizationId, (tx) =>
      saveFinding(tx, connection, {
        severity: 'warning',
        code,
        message,
        fix: 'Nothing was deleted. If this stays, check in the CRM that the user who connected Tributary may see all records.',
      }),
    );
    return first.length;
  }
  let missing = 0;
  for await (const ids of missingIds(deps, connection, kind, seen, startedAt)) {
    missing += ids.length;
    await withOrganization(deps.db, organizationId, (tx) => look(deps, tx, connection, kind, ids));
  }
  await withOrganization(deps.db, organizationId, (tx) => dropFinding(tx, connection, code));
  return missing;
}

/** Ids of ours that the sweep did not see, a page at a time. */
async function* missingIds(
  deps: SyncDeps,
  connection: Connection,
  kind: RecordKind,
  seen: IdSet,
  before: Date,
): AsyncIterable<readonly string[]> {
  for (let after = ''; ; ) {
    const ids = await withOrganization(deps.db, connection.organizationId, (tx) =>
      listLiveIds(tx, connection, kind, { before, after, limit: IDS_PER_PAGE }),
    );
    const missing = ids.filter((id) => !seen.has(id));
    if (missing.length > 0) yield missing;
    const last = ids.at(-1);
    if (last === undefined || ids.length < IDS_PER_PAGE) return;
    after = last;
  }
}

async function isGone(
  deps: SyncDeps,
  connection: Connection,
  kind: RecordKind,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<boolean> {
  const refs = ids.map((externalId): RecordRef => ({ kind, externalId }));
  const snapshots = await openConnector(deps, connection).fetch(refs, signal);
  await withOrganization(deps.db, connection.organizationId, (tx) =>
    applySnapshots(tx, connection, snapshots, { now: deps.clock.now(), verified: true, backfilling: false }),
  );
  const asked = new Set(ids);
  const gone = snapshots.filter((s) => asked.has(s.ref.externalId) && s.status !== 'present');
  return gone.length >= ids.length * GONE_SHARE;
}

/** `count` of them, evenly from front to back. */
const spread = (ids: readonly string[], count: number): readonly string[] =>
  ids.filter((_, at) => at % Math.ceil(ids.length / count) === 0);
