import { sql } from 'drizzle-orm';
import { type ConnectionKey, query, rowsParameter, type Tx, textArray } from '../platform/db/client.ts';
import { isMergeWord, isNewer } from '../platform/db/newer.ts';

export interface DealRow {
  readonly externalId: string;
  readonly name: string | null;
  readonly pipelineId: string | null;
  readonly stageId: string | null;
  readonly state: 'open' | 'won' | 'lost' | null;
  readonly amountMinor: bigint | null;
  readonly currency: string | null;
  readonly exponent: number | null;
  readonly closeAt: string | null;
  readonly crmCreatedAt: string;
  readonly wonAt: string | null;
  readonly ownerExternalId: string | null;
  readonly blockedReason: string | null;
  readonly changedAt: string;
  readonly readAt: string;
  readonly accounts: readonly {
    readonly externalId: string;
    readonly label: string;
    readonly primary: boolean;
  }[];
  readonly fields: readonly { readonly name: string; readonly value: string }[];
}

/**
 * Upserts present deals with their complete sets of companies and partner fields, the newer reading winning. The insert
 * asks for `before` so that it is read first: a row that the same statement has written already is not seen by `for update`.
 * @returns our ids of deals of which anything attribution looks at changed.
 */
export async function saveDeals(
  tx: Tx,
  { organizationId, connectionId }: ConnectionKey,
  rows: readonly DealRow[],
  verified: boolean,
): Promise<readonly string[]> {
  if (rows.length === 0) return [];
  const organization = sql`${organizationId}::uuid`;
  const input = sql`jsonb_to_recordset(${rowsParameter(rows)}) as r("externalId" text, name text, "pipelineId" text, "stageId" text, state text,
    "amountMinor" bigint, currency text, exponent smallint, "closeAt" timestamptz, "crmCreatedAt" timestamptz, "wonAt" timestamptz,
    "ownerExternalId" text, "blockedReason" text, "changedAt" timestamptz, "readAt" timestamptz, accounts jsonb, fields jsonb)`;
  const saved = await query<{ id: string; external_id: string; changed: boolean }>(
    tx,
    sql`
    with before as materialized (
      select d.* from deals d where d.organization_id = ${organization} and d.connection_id = ${connectionId}::uuid
        and d.external_id in (select r."externalId" from ${input}) order by d.external_id for update),
    after as (
      insert into deals (organization_id, connection_id, external_id, name, pipeline_id, stage_id, state, amount_minor, currency, exponent,
        close_at, close_on, crm_created_at, won_at, won_seq, owner_external_id, blocked_reason, changed_at, read_at)
      select ${organization}, ${connectionId}::uuid, r."externalId", r.name, r."pipelineId", r."stageId", r.state, r."amountMinor", r.currency, r.exponent,
        r."closeAt", (r."closeAt" at time zone o.time_zone)::date, r."crmCreatedAt", r."wonAt", case when r.state = 'won' then 1 else 0 end,
        r."ownerExternalId", r."blockedReason", r."changedAt", r."readAt"
      from ${input} join organizations o on o.organization_id = ${organization}
      where (select count(*) from before) >= 0 order by r."externalId"
      on conflict (organization_id, connection_id, external_id) do update set
        name = excluded.name, pipeline_id = excluded.pipeline_id, stage_id = excluded.stage_id, state = excluded.state,
        amount_minor = excluded.amount_minor, currency = excluded.currency, exponent = excluded.exponent, close_at = excluded.close_at,
        close_on = excluded.close_on, crm_created_at = excluded.crm_created_at, won_at = excluded.won_at,
        won_seq = deals.won_seq + case when excluded.state = 'won' and deals.state is distinct from 'won' then 1 else 0 end,
        owner_external_id = excluded.owner_external_id, blocked_reason = excluded.blocked_reason, changed_at = excluded.changed_at,
        read_at = excluded.read_at, deleted_at = null, merged_into_external_id = null
      where ${isNewer('deals', verified)}
      returning *)
    select after.id, after.external_id, before.id is null or
      (before.state, before.amount_minor, before.currency, before.exponent, before.close_on, before.crm_created_at, before.won_at, before.blocked_reason, before.deleted_at is null)
      is distinct from (after.state, after.amount_minor, after.currency, after.exponent, after.close_on, after.crm_created_at, after.won_at, after.blocked_reason, true) as changed
    from after left join before on before.id = after.id`,
  );
  if (saved.length === 0) return [];
  const savedRows = sql`jsonb_to_recordset(${rowsParameter(saved)}) as s(id uuid, external_id text, changed boolean)`;
  const changed = await query<{ id: string }>(
    tx,
    sql`
    with now_accounts as (
      select s.id, a."externalId" as external_id, a.label, a."primary" as is_primary from ${savedRows} join ${input} on r."externalId" = s.external_id
      cross join lateral jsonb_to_recordset(r.accounts) as a("externalId" text, label text, "primary" boolean)),
    now_fields as (
      select s.id, f.name, f.value from ${savedRows} join ${input} on r."externalId" = s.external_id
      cross join lateral jsonb_to_recordset(r.fields) as f(name text, value text)),
    accounts_gone as (
      delete from deal_accounts e using ${savedRows} where e.organization_id = ${organization} and e.deal_id = s.id
        and not exists (select from now_accounts n where n.id = e.deal_id and n.external_id = e.account_external_id and n.label = e.label)
      returning e.deal_id),
    accounts_new as (
      insert into deal_accounts as e (organization_id, connection_id, deal_id, account_external_id, label, is_primary)
      select ${organization}, ${connectionId}::uuid, n.id, n.external_id, n.label, bool_or(n.is_primary) from now_accounts n group by 3, 4, 5
      on conflict (organization_id, deal_id, account_external_id, label) do update set is_primary = excluded.is_primary
        where e.is_primary <> excluded.is_primary
      returning deal_id),
    fields_gone as (
      delete from deal_fields e using ${savedRows} where e.organization_id = ${organization} and e.deal_id = s.id
        and not exists (select from now_fields n where n.id = e.deal_id and n.name = e.name)
      returning e.deal_id),
    fields_new as (
      insert into deal_fields as e (organization_id, connection_id, deal_id, name, value)
      select ${organization}, ${connectionId}::uuid, n.id, n.name, n.value from now_fields n
      on conflict (organization_id, deal_id, name) do update set value = excluded.value where e.value <> excluded.value
      returning deal_id)
    select s.id from ${savedRows} where s.changed
    union select deal_id from accounts_gone union select deal_id from accounts_new
    union select deal_id from fields_gone union select deal_id from fields_new`,
  );
  return changed.map((r) => r.id);
}

export interface GoneDeal {
  readonly externalId: string;
  readonly changedAt: string;
  readonly readAt: string;
  /** null = deleted; else merged away. */
  readonly survivorExternalId: string | null;
}

/**
 * Marks deals deleted, or merged into a survivor, unless read since; whoever pointed at a merged-away deal points at the
 * survivor at once.
 * A deal we never read gets a tombstone, so that its activities still find the survivor.
 * @returns our ids of deals that changed (a survivor's own row is saved and reported by `saveDeals`).
 */
export async function saveGoneDeals(
  tx: Tx,
  { organizationId, connectionId }: ConnectionKey,
  gone: readonly GoneDeal[],
  verified: boolean,
): Promise<readonly string[]> {
  if (gone.length === 0) return [];
  const organization = sql`${organizationId}::uuid`;
  const input = sql`jsonb_to_recordset(${rowsParameter(gone)}) as r("externalId" text, "changedAt" timestamptz, "readAt" timestamptz, "survivorExternalId" text)`;
  const changed = await query<{ id: string }>(
    tx,
    sql`
    insert into deals (organization_id, connection_id, external_id, crm_created_at, changed_at, read_at, deleted_at, merged_into_external_id)
    select ${organization}, ${connectionId}::uuid, r."externalId", r."changedAt", r."changedAt", r."readAt", r."changedAt", r."survivorExternalId"
    from ${input} order by r."externalId"
    on conflict (organization_id, connection_id, external_id) do update set
      changed_at = excluded.changed_at, read_at = excluded.read_at, deleted_at = excluded.deleted_at,
      merged_into_external_id = coalesce(excluded.merged_into_external_id, deals.merged_into_external_id)
    where (${isNewer('deals', verified)} or ${isMergeWord('deals')})
      and (deals.deleted_at is null or deals.merged_into_external_id is distinct from coalesce(excluded.merged_into_external_id, deals.merged_into_external_id))
    returning id`,
  );
  await tx.execute(sql`
    update deals d set merged_into_external_id = m.merged_into_external_id from ${input}
    join deals m on m.organization_id = ${organization} and m.connection_id = ${connectionId}::uuid and m.external_id = r."externalId"
    where d.organization_id = ${organization} and d.connection_id = ${connectionId}::uuid
      and d.merged_into_external_id = r."externalId" and m.merged_into_external_id is not null`);
  return changed.map((r) => r.id);
}

/** Our ids of the deals that answer for these external ids now: merged-away ones give their survivor. */
export async function findDealIds(
  tx: Tx,
  { organizationId, connectionId }: ConnectionKey,
  externalIds: readonly string[],
): Promise<readonly string[]> {
  if (externalIds.length === 0) return [];
  const rows = await query<{ id: string }>(
    tx,
    sql`select distinct coalesce(s.id, d.id) as id from deals d
      left join deals s on s.organization_id = d.organization_id and s.connection_id = d.connection_id and s.external_id = d.merged_into_external_id
      where d.organization_id = ${organizationId}::uuid and d.connection_id = ${connectionId}::uuid
        and d.external_id = any(${textArray(externalIds)})`,
  );
  return rows.map((r) => r.id);
}

/** External ids of deals that something the CRM did not tell keeps from a result. */
export async function listBlockedDeals(
  tx: Tx,
  { organizationId, connectionId }: ConnectionKey,
): Promise<readonly string[]> {
  const rows = await query<{ external_id: string }>(
    tx,
    sql`select external_id from deals where organization_id = ${organizationId}::uuid and connection_id = ${connectionId}::uuid
      and blocked_reason is not null and deleted_at is null`,
  );
  return rows.map((r) => r.external_id);
}
