import { RECORD_KINDS, type RecordKind } from '../../connectors/connector.ts';
import { withOrganization } from '../platform/db/client.ts';
import type { LaneHandler } from '../platform/jobs/run-lane.ts';
import type { Connection } from './connection-store.ts';
import { hasBecomeUnreadable, isUnreadable } from './describing.ts';
import { applySnapshots } from './ingest.ts';
import { openConnector, type SyncDeps } from './open-connector.ts';
import { isBackfilled, listPositions, raiseWatermark } from './position-store.ts';
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
        const [positions, backfilled] = await withOrganization(
          deps.db,
          connection.organizationId,
          async (tx) => [await listPositions(tx, connection), await isBackfilled(tx, connection)] as const,
        );
        for (const kind of RECORD_KINDS) {
          const watermark = positions.find((p) => p.kind === kind)?.watermark;
          if (watermark === undefined || watermark === null || !backfilled) continue;
          if (isUnreadable(connection, kind)) continue;
          const since = new Date(Date.parse(watermark) - deps.intervals.lookbackMs).toISOString();
          try {
            await pollKind(deps, connection, kind, since, batch.signal);
          } catch (error) {
            if (!(await hasBecomeUnreadable(deps, connection, kind, error, batch.signal))) throw error;
          }
        }
        return forAll(batch.items, inAWhile(deps.clock.now(), deps.intervals.pollMs));
      }),
  };
}

async function pollKind(
  deps: SyncDeps,
  connection: Connection,
  kind: RecordKind,
  since: string,
  signal: AbortSignal,
): Promise<void> {
  for await (const page of openConnector(deps, connection).changes(kind, since, signal)) {
    const now = deps.clock.now();
    await withOrganization(deps.db, connection.organizationId, async (tx) => {
      await applySnapshots(tx, connection, page.snapshots, { now, verified: false, backfilling: false });
      await raiseWatermark(tx, connection, kind, page.completeUntil, now);
    });
  }
}
