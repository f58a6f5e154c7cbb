import { findExpiredDeals, markRecompute, releaseHeldDeals } from '../attribution/dirty-store.ts';
import { forgetExpiredInstalls } from '../identity/install-link-store.ts';
import { withOrganization } from '../platform/db/client.ts';
import type { LaneHandler } from '../platform/jobs/run-lane.ts';
import { forgetUninstalled, listConnections } from './connection-store.ts';
import type { SyncDeps } from './open-connector.ts';
import { isBackfilled } from './position-store.ts';
import { retryRefused } from './set-aside-store.ts';
import { forAll, inAWhile } from './with-connection.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/**
 * The daily lane of an organization. It looks every hour, since organizations' days begin at different hours: open deals
 * whose window has moved on, rows the CRM refused a day ago, and data that has outlived its retention.
 */
export function createDailyLane(
  deps: Pick<SyncDeps, 'db' | 'clock'> & { readonly uninstalledRetentionMs: number },
): LaneHandler {
  return {
    lane: 'daily',
    batch: 1,
    everyMs: HOUR_MS,
    handle: async ({ organizationId, items }) => {
      const now = deps.clock.now();
      await withOrganization(deps.db, organizationId, async (tx) => {
        await markRecompute(
          tx,
          organizationId,
          { dealIds: await findExpiredDeals(tx, organizationId, now) },
          { now },
        );
        // Nothing may stay held that nobody waits for any more.
        for (const connection of await listConnections(tx, organizationId))
          if (await isBackfilled(tx, connection))
            await releaseHeldDeals(tx, organizationId, connection.connectionId, now);
        const attemptedBefore = new Date(now.getTime() - DAY_MS);
        await retryRefused(tx, organizationId, attemptedBefore, now);
        await forgetExpiredInstalls(tx, organizationId, new Date(now.getTime() - DAY_MS));
        await forgetUninstalled(tx, organizationId, new Date(now.getTime() - deps.uninstalledRetentionMs));
      });
      return forAll(items, inAWhile(now, HOUR_MS));
    },
  };
}
