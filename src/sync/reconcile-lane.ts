import type { RecordKind } from '../../connectors/connector.ts';
import { withOrganization } from '../platform/db/client.ts';
import type { LaneHandler } from '../platform/jobs/run-lane.ts';
import { markWork } from '../platform/jobs/work-store.ts';
import type { Connection } from './connection-store.ts';
import { distrustRows, findOwnKeys, listDealsToCompare, placeOf } from './crm-row-store.ts';
import { openConnector, type SyncDeps } from './open-connector.ts';
import { saveReconciliation } from './position-store.ts';
import { reconcileRecords } from './reconcile-records.ts';
import { findWrongRows, isBehind } from './row-drift.ts';
import { forAll, inAWhile, whenConnected } from './with-connection.ts';
import { loadWriteBack } from './write-back-store.ts';

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
    everyMs: deps.intervals.reconcileMs,
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

/** Reads our own rows back: whatever a person changed, or a lost answer left unclear, is written again. */
async function reconcileRows(deps: SyncDeps, connection: Connection, signal: AbortSignal): Promise<void> {
  if (connection.schemaState === null || connection.schemaState.rung === 'none') return;
  const { organizationId, connectionId } = connection;
  const connector = openConnector(deps, connection);
  const place = placeOf(connection.schemaState);
  let after: string | null = null;
  let drift = 0;
  for (;;) {
    const deals = await withOrganization(deps.db, organizationId, async (tx) =>
      loadWriteBack(tx, connection, await listDealsToCompare(tx, connection, after, DEALS_PER_READ)),
    );
    after = deals.reduce(
      (last: string | null, deal) => (last === null || deal.dealId > last ? deal.dealId : last),
      null,
    );
    if (after === null) break;
    const standing = await connector.readBack(
      deals.map((deal) => deal.dealExternalId),
      signal,
    );
    const keys = await withOrganization(deps.db, organizationId, (tx) =>
      findOwnKeys(
        tx,
        organizationId,
        standing.map((row) => row.key),
      ),
    );
    const written = Map.groupBy(
      standing.filter((row) => keys.has(row.key)),
      (row) => row.dealExternalId,
    );
    const wrong = deals.flatMap((deal) => findWrongRows(deal, written.get(deal.dealExternalId) ?? []));
    drift += wrong.length;
    await withOrganization(deps.db, organizationId, async (tx) => {
      const now = deps.clock.now();
      await distrustRows(tx, connection, wrong, place, now);
      // Whatever should have been written by now and was not is marked again: no mark is lost for ever.
      const behind = deals.filter(isBehind).map((deal) => deal.dealId);
      const dealIds = [...wrong.map((row) => row.dealId), ...behind];
      await markWork(tx, { organizationId, scopeId: connectionId, lane: 'write-back' }, dealIds, now);
    });
  }
  await withOrganization(deps.db, organizationId, (tx) =>
    saveReconciliation(tx, connection, 'crm-rows', drift, deps.clock.now()),
  );
  if (drift > 0) deps.log.warn('reconciliation found changed rows', { drift, connectionId });
}
