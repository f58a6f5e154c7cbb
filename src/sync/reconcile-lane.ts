import type { RecordKind } from '../../connectors/connector.ts';
import { type Tx, withOrganization } from '../platform/db/client.ts';
import type { LaneHandler } from '../platform/jobs/run-lane.ts';
import { markWork } from '../platform/jobs/work-store.ts';
import { type Connection, saveReconciliation } from './connection-store.ts';
import { markFetch } from './ingest.ts';
import { openConnector, type SyncDeps } from './open-connector.ts';
import { findDiffering, listLiveIds } from './reconcile-store.ts';
import { forAll, inAWhile, whenConnected } from './with-connection.ts';
import { distrustRows, listWrittenDeals, loadWriteBack } from './write-back-store.ts';

const DEALS_PER_READ = 200;

/**
 * The reconcile lane, once a day for each kind of record and for our own rows: compares both ends and sends every
 * difference down the same line again. A record that the sweep did not see is not deleted here: it is read by id, and
 * only the CRM's own word on that id counts.
 */
export function createReconcileLane(deps: SyncDeps): LaneHandler {
  return {
    lane: 'reconcile',
    batch: 1,
    leaseMs: 60 * 60_000,
    handle: (batch) =>
      whenConnected(deps, batch, async (connection) => {
        for (const item of batch.items) {
          if (item.object === 'crm-rows') await reconcileRows(deps, connection, batch.signal);
          else await reconcileRecords(deps, connection, item.object as RecordKind, batch.signal);
        }
        return forAll(batch.items, inAWhile(deps.clock.now(), deps.intervals.reconcileMs));
      }),
  };
}

async function reconcileRecords(
  deps: SyncDeps,
  connection: Connection,
  kind: RecordKind,
  signal: AbortSignal,
): Promise<void> {
  const startedAt = deps.clock.now();
  const seen = new Set<string>();
  let drift = 0;
  const look = async (tx: Tx, ids: readonly string[]) => {
    drift += ids.length;
    await markFetch(
      tx,
      connection,
      ids.map((id) => `${kind}:${id}`),
      { now: deps.clock.now() },
    );
  };
  for await (const batch of openConnector(deps, connection).ids(kind, signal)) {
    for (const { externalId } of batch) seen.add(externalId);
    await withOrganization(deps.db, connection.organizationId, async (tx) =>
      look(tx, await findDiffering(tx, connection, kind, batch)),
    );
  }
  await withOrganization(deps.db, connection.organizationId, async (tx) => {
    const ours = await listLiveIds(tx, connection, kind, startedAt);
    await look(
      tx,
      ours.filter((id) => !seen.has(id)),
    );
    await saveReconciliation(tx, connection, kind, drift, deps.clock.now());
  });
  if (drift > 0)
    deps.log.warn('reconciliation found differences', { kind, drift, connectionId: connection.connectionId });
}

/** Reads our own rows back: whatever a person changed, or a lost answer left unclear, is written again. */
async function reconcileRows(deps: SyncDeps, connection: Connection, signal: AbortSignal): Promise<void> {
  const schema = connection.schemaState;
  if (schema === null || schema.rung === 'none') return;
  const connector = openConnector(deps, connection);
  let after: string | null = null;
  let drift = 0;
  for (;;) {
    const dealIds = await withOrganization(deps.db, connection.organizationId, (tx) =>
      listWrittenDeals(tx, connection, after, DEALS_PER_READ),
    );
    if (dealIds.length === 0) break;
    after = dealIds.at(-1) ?? null;
    const deals = await withOrganization(deps.db, connection.organizationId, (tx) =>
      loadWriteBack(tx, connection, dealIds),
    );
    const written = await connector.readBack(
      deals.map((deal) => deal.dealExternalId),
      signal,
    );
    const writtenOf = Map.groupBy(written, (w) => w.dealExternalId);
    const wrong = deals.flatMap((deal) => {
      const standing = new Map((writtenOf.get(deal.dealExternalId) ?? []).map((w) => [w.key, w]));
      const known = new Map(deal.known.map((k) => [k.key, k]));
      const missingOrChanged = deal.desired.filter((row) => {
        const stands = standing.get(row.key);
        if (known.get(row.key)?.writtenHash !== row.hash) return false;
        return (
          stands === undefined ||
          stands.sharePercent === null ||
          Number(stands.sharePercent) !== Number(row.sharePercent) ||
          ((stands.amount ?? null) !== (row.amount ?? null) &&
            Number(stands.amount) !== Number(row.amount)) ||
          stands.model !== row.model
        );
      });
      const foreign = [...standing.values()].filter(
        (w) => !deal.desired.some((row) => row.key === w.key) && known.get(w.key)?.writtenHash == null,
      );
      const base = { dealId: deal.dealId, dealExternalId: deal.dealExternalId };
      return [
        ...missingOrChanged.map((row) => ({
          ...base,
          key: row.key,
          crmRowId: standing.get(row.key)?.crmRowId ?? null,
          stands: false,
        })),
        ...foreign.map((w) => ({ ...base, key: w.key, crmRowId: w.crmRowId, stands: true })),
      ];
    });
    drift += wrong.length;
    await withOrganization(deps.db, connection.organizationId, async (tx) => {
      const now = deps.clock.now();
      await distrustRows(tx, connection, wrong, now);
      const scope = {
        organizationId: connection.organizationId,
        scopeId: connection.connectionId,
        lane: 'write-back',
      } as const;
      await markWork(
        tx,
        scope,
        wrong.map((w) => w.dealId),
        now,
      );
    });
  }
  if (drift > 0)
    deps.log.warn('reconciliation found changed rows', { drift, connectionId: connection.connectionId });
}
