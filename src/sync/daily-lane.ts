import { sql } from 'drizzle-orm';
import { markRecompute } from '../attribution/dirty-store.ts';
import { query, type Tx, withOrganization } from '../platform/db/client.ts';
import type { LaneHandler } from '../platform/jobs/run-lane.ts';
import { markWork } from '../platform/jobs/work-store.ts';
import type { SyncDeps } from './open-connector.ts';
import { forAll, inAWhile } from './with-connection.ts';
import { forgetRejections } from './write-back-store.ts';

const HOUR_MS = 3_600_000;

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
    leaseMs: 10 * 60_000,
    handle: async ({ organizationId, items }) => {
      const now = deps.clock.now();
      await withOrganization(deps.db, organizationId, async (tx) => {
        await markRecompute(
          tx,
          organizationId,
          { dealIds: await findExpired(tx, organizationId, now) },
          { now },
        );
        const attemptedBefore = new Date(now.getTime() - 24 * HOUR_MS);
        const rejected = await forgetRejections(tx, organizationId, { attemptedBefore });
        for (const [scopeId, rows] of Map.groupBy(rejected, (r) => r.connectionId))
          await markWork(
            tx,
            { organizationId, lane: 'write-back', scopeId },
            rows.map((r) => r.dealId),
            now,
          );
        await forgetUninstalled(tx, organizationId, new Date(now.getTime() - deps.uninstalledRetentionMs));
      });
      return forAll(items, inAWhile(now, HOUR_MS));
    },
  };
}

async function findExpired(tx: Tx, organizationId: string, now: Date): Promise<readonly string[]> {
  const rows = await query<{ deal_id: string }>(
    tx,
    sql`select a.deal_id from attributions a join organizations o on o.organization_id = a.organization_id
      where a.organization_id = ${organizationId}::uuid
        and a.valid_until_on <= (${now.toISOString()}::timestamptz at time zone o.time_zone)::date`,
  );
  return rows.map((r) => r.deal_id);
}

/** Everything of connections uninstalled before then: links first, the rest goes with the connection. */
async function forgetUninstalled(tx: Tx, organizationId: string, before: Date): Promise<void> {
  const old = sql`(select c.id from connections c where c.organization_id = ${organizationId}::uuid
    and c.status = 'uninstalled' and c.uninstalled_at < ${before.toISOString()}::timestamptz)`;
  await tx.execute(sql`delete from partner_links l using accounts a where l.organization_id = ${organizationId}::uuid
    and a.organization_id = l.organization_id and a.id = l.account_id and a.connection_id in ${old}`);
  await tx.execute(
    sql`delete from work where organization_id = ${organizationId}::uuid and scope_id in ${old}`,
  );
  await tx.execute(
    sql`delete from connections where organization_id = ${organizationId}::uuid and id in ${old}`,
  );
}
