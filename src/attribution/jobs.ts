import type { Clock } from '../platform/clock.ts';
import { type Database, withOrganization } from '../platform/db/client.ts';
import type { LaneHandler } from '../platform/jobs/run-lane.ts';
import { recompute } from './recompute.ts';

/** Deals per transaction: large enough to amortise the set-wise statements, small enough to hold locks briefly. */
const DEALS_PER_BATCH = 400;

/** The recompute lane: dirty deals of one organization. */
export function createRecomputeLane(deps: { readonly db: Database; readonly clock: Clock }): LaneHandler {
  return {
    lane: 'recompute',
    batch: DEALS_PER_BATCH,
    handle: async ({ organizationId, items }) => {
      const oldest = items.map((item) => item.causedAt).sort()[0];
      await withOrganization(deps.db, organizationId, (tx) =>
        recompute(
          tx,
          organizationId,
          items.map((item) => item.object),
          deps.clock.now(),
          {
            ...(oldest === undefined ? {} : { causedAt: oldest }),
            moreToCome: items.length === DEALS_PER_BATCH,
          },
        ),
      );
      return new Map();
    },
  };
}
