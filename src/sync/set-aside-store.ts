import { sql } from 'drizzle-orm';
import type { Finding } from '../../connectors/connector.ts';
import { type ConnectionKey, query, type Tx } from '../platform/db/client.ts';
import { LANES, type Lane } from '../platform/jobs/lanes.ts';
import { markWork } from '../platform/jobs/work-store.ts';
import { forgetRejections, listDealsToCompare } from './crm-row-store.ts';

const REASONS_SHOWN = 5;

interface Waiting {
  readonly lane: string;
  readonly scopeId: string;
  readonly object: string;
}

/**
 * Takes work up again that was set aside: a person said so, or something changed. Rows that the CRM refused are tried again
 * with it, those of the chosen deals and no others.
 * @returns how many objects.
 */
export async function retrySetAside(
  tx: Tx,
  organizationId: string,
  which: { readonly lane?: Lane; readonly scopeId?: string; readonly object?: string },
  now: Date,
): Promise<number> {
  const only = (column: string, value: string | undefined) =>
    value === undefined ? sql`` : sql`and ${sql.identifier(column)} = ${value}`;
  const waiting = await query<Waiting>(
    tx,
    sql`select lane, scope_id as "scopeId", object from work where organization_id = ${organizationId}::uuid and set_aside_at is not null
      ${only('lane', which.lane)} ${only('object', which.object)}
      ${which.scopeId === undefined ? sql`` : sql`and scope_id = ${which.scopeId}::uuid`} order by lane, scope_id, object`,
  );
  return takeUp(tx, organizationId, waiting, now);
}

/** Once a day: what a CRM refused before `before`, whether the refusal was of a row or of us as a whole. */
export async function retryRefused(tx: Tx, organizationId: string, before: Date, now: Date): Promise<void> {
  const at = sql`${before.toISOString()}::timestamptz`;
  const waiting = await query<Waiting>(
    tx,
    sql`select 'write-back' as lane, w.scope_id as "scopeId", w.object from work w
        join connections n on n.organization_id = ${organizationId}::uuid and n.id = w.scope_id and n.status <> 'uninstalled'
        where w.organization_id = ${organizationId}::uuid and w.lane = 'write-back' and w.set_aside_at < ${at}
      union select 'write-back', r.connection_id, r.deal_id::text from crm_rows r
        join connections n on n.organization_id = ${organizationId}::uuid and n.id = r.connection_id and n.status <> 'uninstalled'
        where r.organization_id = ${organizationId}::uuid and r.status = 'rejected' and r.attempted_at < ${at}`,
  );
  await takeUp(tx, organizationId, waiting, now);
}

async function takeUp(
  tx: Tx,
  organizationId: string,
  waiting: readonly Waiting[],
  now: Date,
): Promise<number> {
  for (const group of Map.groupBy(waiting, (w) => `${w.lane} ${w.scopeId}`).values()) {
    const [first] = group;
    const lane = LANES.find((known) => known === first?.lane);
    if (first === undefined || lane === undefined) continue;
    const objects = group.map(({ object }) => object);
    if (lane === 'write-back')
      await forgetRejections(tx, { organizationId, connectionId: first.scopeId }, objects);
    await markWork(tx, { organizationId, lane, scopeId: first.scopeId }, objects, now);
  }
  return waiting.length;
}

/** Every deal with something of ours in the CRM, or that should have it, is compared and brought right. */
export async function markAllWriteBack(tx: Tx, key: ConnectionKey, now: Date): Promise<void> {
  const dealIds = await listDealsToCompare(tx, key, null, null);
  await forgetRejections(tx, key, dealIds);
  const scope = {
    organizationId: key.organizationId,
    scopeId: key.connectionId,
    lane: 'write-back',
  } as const;
  await markWork(tx, scope, dealIds, now);
}

/** Rows of this partner are associated with its company: when a link changes, each is compared, whatever its credit says. */
export async function markPartnerWriteBack(
  tx: Tx,
  organizationId: string,
  partnerId: string,
  now: Date,
): Promise<void> {
  const rows = await query<{ scopeId: string; dealId: string }>(
    tx,
    sql`select distinct d.connection_id as "scopeId", d.id as "dealId" from credits c
      join deals d on d.organization_id = ${organizationId}::uuid and d.id = c.deal_id
      where c.organization_id = ${organizationId}::uuid and c.partner_id = ${partnerId}::uuid`,
  );
  for (const [scopeId, deals] of Map.groupBy(rows, (row) => row.scopeId)) {
    const dealIds = deals.map(({ dealId }) => dealId);
    await markWork(tx, { organizationId, scopeId, lane: 'write-back' }, dealIds, now);
  }
}

/**
 * The account was connected again: a farewell that was not yet said is off, everything set aside is tried again, and every
 * deal is compared once the check-up has found out where to write now.
 */
export async function takeUpAgain(tx: Tx, key: ConnectionKey, now: Date): Promise<void> {
  const { organizationId, connectionId } = key;
  await dropDisconnect(tx, key);
  await tx.execute(sql`update connections set schema_state = null where organization_id = ${organizationId}::uuid
    and id = ${connectionId}::uuid`);
  await retrySetAside(tx, organizationId, { scopeId: connectionId }, now);
  await markAllWriteBack(tx, key, now);
}

/** Nobody asks for this connection's end any more. */
export async function dropDisconnect(tx: Tx, key: ConnectionKey): Promise<void> {
  await tx.execute(sql`delete from work where organization_id = ${key.organizationId}::uuid and lane = 'disconnect'
    and scope_id = ${key.connectionId}::uuid`);
}

/** Is this connection's end asked for? */
export async function isDisconnectAsked(tx: Tx, key: ConnectionKey): Promise<boolean> {
  const rows = await query(
    tx,
    sql`select 1 from work where organization_id = ${key.organizationId}::uuid and lane = 'disconnect'
      and scope_id = ${key.connectionId}::uuid for update`,
  );
  return rows.length > 0;
}

/** What the CRM refuses to take now, each reason once, the most frequent first. */
export async function listWriteRefusals(tx: Tx, key: ConnectionKey): Promise<readonly Finding[]> {
  const rows = await query<{ reason: string; deals: string }>(
    tx,
    sql`select coalesce(reason, '') as reason, count(*) as deals from work where organization_id = ${key.organizationId}::uuid
      and lane = 'write-back' and scope_id = ${key.connectionId}::uuid and set_aside_at is not null
      group by 1 order by 2 desc, 1 limit ${REASONS_SHOWN}`,
  );
  return rows.map(({ reason, deals }) => ({
    severity: 'error',
    code: 'write_refused',
    message: `The credits of ${deals} ${deals === '1' ? 'deal is' : 'deals are'} not written. ${reason}`,
    fix: 'Mend this in the CRM. It is tried again once a day, when the account is connected again, or at once by a retry.',
  }));
}
