import { sql } from 'drizzle-orm';
import { linkedAccounts } from '../accounts/store.ts';
import { query, type Tx, textArray, uuidArray } from '../platform/db/client.ts';
import { markWork, wake } from '../platform/jobs/work-store.ts';

/** Work that waits for the end of a full read: half the evidence would give the wrong answer. */
const HELD_UNTIL = new Date('9999-01-01T00:00:00Z');

export type DirtyDeals =
  | { readonly dealIds: readonly string[] }
  /** Every deal that these companies, or their people, took part in, if any of them counts as a partner. */
  | { readonly connectionId: string; readonly accountExternalIds: readonly string[] }
  /** Every deal that a link's companies, or their people, took part in. */
  | { readonly linkIds: readonly string[] }
  /** Every deal of the organization: the rules changed. */
  | { readonly all: true };

/**
 * Marks deals whose result may be another now, in the transaction that changed something. A deal whose connection is still
 * being read waits until all of it is: whoever marks it, half the evidence would give the wrong answer.
 */
export async function markRecompute(
  tx: Tx,
  organizationId: string,
  dirty: DirtyDeals,
  options: { readonly now: Date; readonly causedAt?: string },
): Promise<void> {
  const ids = await findDirtyDeals(tx, organizationId, dirty);
  const held = await findHeldDeals(tx, organizationId, ids);
  const cause = options.causedAt === undefined ? {} : { causedAt: options.causedAt };
  const scope = recomputeScope(organizationId);
  await markWork(
    tx,
    scope,
    ids.filter((id) => !held.has(id)),
    options.now,
    cause,
  );
  await markWork(tx, scope, [...held], options.now, { ...cause, runAt: HELD_UNTIL });
}

/** Those of the deals whose connection is in a full read. */
async function findHeldDeals(
  tx: Tx,
  organizationId: string,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  if (ids.length === 0) return new Set();
  const organization = sql`${organizationId}::uuid`;
  // Against the end of a full read, which locks its connection alone: who marks first is released, who comes later sees it.
  await tx.execute(
    sql`select from connections where organization_id = ${organization} order by id for key share`,
  );
  const rows = await query<{ id: string }>(
    tx,
    sql`
    with reading as (select distinct connection_id from sync_positions where organization_id = ${organization} and backfill <> 'done')
    select d.id from deals d where d.organization_id = ${organization} and exists (select from reading)
      and d.connection_id in (select connection_id from reading) and d.id = any(${uuidArray(ids)})`,
  );
  return new Set(rows.map((r) => r.id));
}

export const recomputeScope = (organizationId: string) =>
  ({ organizationId, lane: 'recompute', scopeId: organizationId }) as const;

/** Our ids of the deals that these words name as things stand in this transaction now. */
export async function findDirtyDeals(
  tx: Tx,
  organizationId: string,
  dirty: DirtyDeals,
): Promise<readonly string[]> {
  if ('dealIds' in dirty) return dirty.dealIds;
  const organization = sql`${organizationId}::uuid`;
  if ('all' in dirty) {
    const rows = await query<{ id: string }>(
      tx,
      sql`select id from deals where organization_id = ${organization} and deleted_at is null`,
    );
    return rows.map((r) => r.id);
  }
  if ('linkIds' in dirty ? dirty.linkIds.length === 0 : dirty.accountExternalIds.length === 0) return [];
  const wanted =
    'linkIds' in dirty
      ? sql`select distinct connection_id, external_id from linked where link_id = any(${uuidArray(dirty.linkIds)})`
      : sql`select distinct connection_id, external_id from linked where connection_id = ${dirty.connectionId}::uuid
          and external_id = any(${textArray(dirty.accountExternalIds)})`;
  const rows = await query<{ id: string }>(
    tx,
    sql`
    with recursive ${linkedAccounts(organizationId)}, wanted as materialized (${wanted}),
    activities_touched as (
      select p.activity_id, w.connection_id from wanted w join activity_parties p on p.organization_id = ${organization}
        and p.connection_id = w.connection_id and p.kind = 'account' and p.external_id = w.external_id
      union
      select p.activity_id, w.connection_id from wanted w join contact_accounts m on m.organization_id = ${organization}
        and m.connection_id = w.connection_id and m.account_external_id = w.external_id
      join activity_parties p on p.organization_id = ${organization} and p.connection_id = w.connection_id
        and p.kind = 'contact' and p.external_id = m.contact_external_id),
    deals_touched as (
      select t.connection_id, e.deal_external_id from activities_touched t join activity_deals e
        on e.organization_id = ${organization} and e.activity_id = t.activity_id
      union
      select w.connection_id, d.external_id from wanted w join deal_accounts da on da.organization_id = ${organization}
        and da.connection_id = w.connection_id and da.account_external_id = w.external_id
      join deals d on d.organization_id = ${organization} and d.id = da.deal_id
      union
      select a.connection_id, d.external_id from wanted w join accounts a on a.organization_id = ${organization}
        and a.connection_id = w.connection_id and a.external_id = w.external_id
      join deal_fields f on f.organization_id = ${organization} and f.connection_id = a.connection_id
        and lower(f.value) in (a.external_id, lower(a.name), lower(a.domain))
      join deals d on d.organization_id = ${organization} and d.id = f.deal_id)
    select distinct coalesce(s.id, d.id) as id from deals_touched t
    join deals d on d.organization_id = ${organization} and d.connection_id = t.connection_id and d.external_id = t.deal_external_id
    left join deals s on s.organization_id = ${organization} and s.connection_id = d.connection_id and s.external_id = d.merged_into_external_id`,
  );
  return rows.map((r) => r.id);
}

/**
 * Lets the deals of a connection that waited for its full read be recomputed now. Waits for transactions that are marking
 * some at this moment.
 */
export async function releaseHeldDeals(
  tx: Tx,
  organizationId: string,
  connectionId: string,
  now: Date,
): Promise<void> {
  await tx.execute(
    sql`select from connections where organization_id = ${organizationId}::uuid and id = ${connectionId}::uuid for update`,
  );
  await tx.execute(sql`
    update work w set run_at = ${now.toISOString()}::timestamptz from deals d
    where w.organization_id = ${organizationId}::uuid and w.lane = 'recompute' and w.scope_id = ${organizationId}::uuid
      and w.run_at > ${now.toISOString()}::timestamptz and d.organization_id = w.organization_id and d.id::text = w.object
      and d.connection_id = ${connectionId}::uuid`);
  await wake(tx, recomputeScope(organizationId));
}

/** Open deals whose result may be another today, in the organization's zone. */
export async function findExpiredDeals(
  tx: Tx,
  organizationId: string,
  now: Date,
): Promise<readonly string[]> {
  const rows = await query<{ deal_id: string }>(
    tx,
    sql`select a.deal_id from attributions a join organizations o on o.organization_id = a.organization_id
      where a.organization_id = ${organizationId}::uuid
        and a.valid_until_on <= (${now.toISOString()}::timestamptz at time zone o.time_zone)::date`,
  );
  return rows.map((r) => r.deal_id);
}
