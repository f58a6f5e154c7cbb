import { RECORD_KINDS } from '../../connectors/connector.ts';
import { withOrganization } from '../platform/db/client.ts';
import type { LaneHandler } from '../platform/jobs/run-lane.ts';
import { isBackfilled, listPositions, raiseWatermark } from './connection-store.ts';
import { applySnapshots } from './ingest.ts';
import { openConnector, type SyncDeps } from './open-connector.ts';
import { forAll, inAWhile, whenConnected } from './with-connection.ts';

/**
 * The poll lane: what changed since the watermark, hints or no hints. It starts a lookback below the watermark, since
 * CRMs index late; each page is stored together with the watermark that it completes.
 */
export function createPollLane(deps: SyncDeps): LaneHandler {
  return {
    lane: 'poll',
    batch: 1,
    everyMs: deps.intervals.pollMs,
    handle: (batch) =>
      whenConnected(deps, batch, async (connection) => {
        const inOrganization = <T>(fn: Parameters<typeof withOrganization<T>>[2]) =>
          withOrganization(deps.db, connection.organizationId, fn);
        const [positions, backfilled] = await inOrganization(
          async (tx) => [await listPositions(tx, connection), await isBackfilled(tx, connection)] as const,
        );
        const connector = openConnector(deps, connection);
        for (const kind of RECORD_KINDS) {
          const watermark = positions.find((p) => p.kind === kind)?.watermark;
          if (watermark === undefined || watermark === null || !backfilled) continue;
          const since = new Date(Date.parse(watermark) - deps.intervals.lookbackMs).toISOString();
          for await (const page of connector.changes(kind, since, batch.signal)) {
            const now = deps.clock.now();
            await inOrganization(async (tx) => {
              await applySnapshots(tx, connection, page.snapshots, {
                now,
                verified: false,
                backfilling: false,
              });
              await raiseWatermark(tx, connection, kind, page.completeUntil, now);
            });
          }
        }
        return forAll(batch.items, inAWhile(deps.clock.now(), deps.intervals.pollMs));
      }),
  };
}
