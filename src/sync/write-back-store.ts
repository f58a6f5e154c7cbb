import { createHash } from 'node:crypto';
import { sql } from 'drizzle-orm';
import type { DesiredRow, RowOutcome } from '../../connectors/connector.ts';
import { formatMinor } from '../attribution/money.ts';
import {
  type ConnectionKey,
  query,
  rowsParameter,
  type Tx,
  textArray,
  toInstant,
  uuidArray,
} from '../platform/db/client.ts';

/** A deal's rows as they should stand in the CRM, beside what we know stands there. */
export interface WriteBackDeal {
  readonly dealId: string;
  readonly dealExternalId: string;
  readonly desired: readonly (DesiredRow & { readonly hash: string })[];
  readonly known: readonly KnownRow[];
}
export interface KnownRow {
  readonly key: string;
  /** Rows of a merged-away deal stand under its old id. */
  readonly dealExternalId: string;
  readonly crmRowId: string | null;
  readonly writtenHash: string | null;
  readonly rejectedHash: string | null;
  readonly rejectedSchema: string | null;
}

interface CreditSqlRow {
  readonly deal_id: string;
  readonly partner_id: string;
  readonly partner_name: string;
  readonly partner_account: string | null;
  readonly share_bps: number;
  readonly amount_minor: string | null;
  readonly currency: string | null;
  readonly exponent: number | null;
  readonly role: DesiredRow['role'];
  readonly reason: string;
  readonly model: string;
  readonly state: 'projected' | 'earned' | 'lost';
  readonly blocked_reason: string | null;
  readonly computed_at: string;
  readonly run_id: string;
}

/**
 * Desired and known rows of these deals under the organization's model of record. Money is said in the credit's own
 * currency: a deal that is blocked since has none, and keeps its last result all the same.
 */
export async function loadWriteBack(
  tx: Tx,
  key: ConnectionKey,
  dealIds: readonly string[],
): Promise<readonly WriteBackDeal[]> {
  const organization = sql`${key.organizationId}::uuid`;
  const wanted = uuidArray(dealIds);
  const deals = await query<{ id: string; external_id: string; gone: boolean }>(
    tx,
    sql`select id, external_id, deleted_at is not null as gone from deals
      where organization_id = ${organization} and connection_id = ${key.connectionId}::uuid and id = any(${wanted})`,
  );
  const credits = await query<CreditSqlRow>(
    tx,
    sql`
    select c.deal_id, c.partner_id, p.name as partner_name, c.share_bps, c.amount_minor, c.currency,
      case when d.currency = c.currency then d.exponent else (n.facts #>> array['currencies', c.currency::text])::smallint end as exponent, c.role, c.reason,
      c.model, a.state, a.blocked_reason, a.computed_at, a.run_id,
      (select x.external_id from partner_links l join accounts k on k.organization_id = l.organization_id and k.id = l.account_id
        join accounts x on x.organization_id = k.organization_id and x.connection_id = k.connection_id
          and x.external_id = coalesce(k.merged_into_external_id, k.external_id)
        where l.organization_id = ${organization} and l.partner_id = c.partner_id and x.connection_id = d.connection_id and x.deleted_at is null
        order by l.to_on is not null, l.created_at, l.id limit 1) as partner_account
    from credits c join attributions a on a.organization_id = ${organization} and a.deal_id = c.deal_id and a.model_of_record = c.model
    join deals d on d.organization_id = ${organization} and d.id = c.deal_id
    join partners p on p.organization_id = ${organization} and p.id = c.partner_id
    join connections n on n.organization_id = ${organization} and n.id = d.connection_id
    where c.organization_id = ${organization} and c.deal_id = any(${wanted}) and d.deleted_at is null and c.share_bps > 0
    order by c.share_bps desc, c.partner_id`,
  );
  const known = await query<KnownRow & { readonly dealId: string }>(
    tx,
    sql`select deal_id as "dealId", key, deal_external_id as "dealExternalId", crm_row_id as "crmRowId", written_hash as "writtenHash",
      rejected_hash as "rejectedHash", rejected_schema as "rejectedSchema" from crm_rows
      where organization_id = ${organization} and connection_id = ${key.connectionId}::uuid and deal_id = any(${wanted}) and not retired`,
  );
  const creditsOf = Map.groupBy(credits, (c) => c.deal_id);
  const knownOf = Map.groupBy(known, (k) => k.dealId);
  return deals.map((deal) => ({
    dealId: deal.id,
    dealExternalId: deal.external_id,
    desired: (creditsOf.get(deal.id) ?? []).map((credit) => toDesiredRow(deal.external_id, credit)),
    known: knownOf.get(deal.id) ?? [],
  }));
}

function toDesiredRow(dealExternalId: string, c: CreditSqlRow): DesiredRow & { readonly hash: string } {
  const said = {
    key: `${dealExternalId}:${c.partner_id}`,
    partnerId: c.partner_id,
    partnerName: c.partner_name,
    partnerAccountExternalId: c.partner_account,
    sharePercent: formatMinor(BigInt(c.share_bps), 2),
    amount:
      c.amount_minor === null || c.exponent === null ? null : formatMinor(BigInt(c.amount_minor), c.exponent),
    currency: c.currency,
    role: c.role,
    model: c.model,
    state: c.blocked_reason === null ? c.state : ('blocked' as const),
    reason: c.blocked_reason ?? c.reason,
  };
  // Run and instant are no part of what the row says: a run that says the same is no reason to write.
  const hash = createHash('sha256').update(JSON.stringify(said)).digest('hex');
  return { ...said, computedAt: toInstant(c.computed_at), runId: c.run_id, hash };
}

export interface AttemptedRow {
  readonly dealId: string;
  readonly outcome: RowOutcome;
  /** Hash of the row we wanted; null when it was to be retired. */
  readonly hash: string | null;
}

/** Records what the CRM said of each row, in the words a person will read. */
export async function saveOutcomes(
  tx: Tx,
  key: ConnectionKey,
  attempted: readonly AttemptedRow[],
  schemaVersion: string,
  now: Date,
): Promise<void> {
  const rows = attempted.flatMap(({ dealId, outcome, hash }) => {
    const { result } = outcome;
    if (result.status === 'later') return [];
    const rejected = result.status === 'rejected';
    return [
      {
        deal_id: dealId,
        key: outcome.key,
        deal_external_id: outcome.dealExternalId,
        crm_row_id: result.status === 'rejected' ? null : result.crmRowId,
        rejected,
        retired: result.status === 'retired',
        hash,
        reason: result.status === 'rejected' ? result.message : null,
      },
    ];
  });
  if (rows.length === 0) return;
  const at = sql`${now.toISOString()}::timestamptz`;
  await tx.execute(sql`
    insert into crm_rows as c (organization_id, connection_id, deal_id, key, deal_external_id, crm_row_id, written_hash, rejected_hash,
      rejected_schema, rejected_reason, status, attempted_at, written_at, retired)
    select ${key.organizationId}::uuid, ${key.connectionId}::uuid, r.deal_id, r.key, r.deal_external_id, r.crm_row_id,
      case when not r.rejected and not r.retired then r.hash end, case when r.rejected then coalesce(r.hash, 'retire') end,
      case when r.rejected then ${schemaVersion}::text end, r.reason, case when r.rejected then 'rejected' else 'written' end, ${at},
      case when not r.rejected then ${at} end, r.retired
    from jsonb_to_recordset(${rowsParameter(rows)}) as r(deal_id uuid, key text, deal_external_id text, crm_row_id text, rejected boolean,
      retired boolean, hash text, reason text)
    order by r.deal_id, r.key
    on conflict (organization_id, connection_id, deal_id, key) do update set
      deal_external_id = excluded.deal_external_id, crm_row_id = coalesce(excluded.crm_row_id, c.crm_row_id),
      written_hash = case when excluded.status = 'rejected' then c.written_hash else excluded.written_hash end,
      rejected_hash = excluded.rejected_hash, rejected_schema = excluded.rejected_schema, rejected_reason = excluded.rejected_reason,
      status = excluded.status, attempted_at = excluded.attempted_at, written_at = coalesce(excluded.written_at, c.written_at),
      retired = excluded.retired`);
}

/** Deals of rejected rows, for another try: by hand, once a day, or when the schema or the preflight changed. */
export async function forgetRejections(
  tx: Tx,
  organizationId: string,
  options: { readonly connectionId?: string; readonly attemptedBefore?: Date },
): Promise<readonly { readonly connectionId: string; readonly dealId: string }[]> {
  return query(
    tx,
    sql`update crm_rows set rejected_hash = null where organization_id = ${organizationId}::uuid and status = 'rejected'
      and rejected_hash is not null
      ${options.connectionId === undefined ? sql`` : sql`and connection_id = ${options.connectionId}::uuid`}
      ${options.attemptedBefore === undefined ? sql`` : sql`and attempted_at < ${options.attemptedBefore.toISOString()}::timestamptz`}
      returning connection_id as "connectionId", deal_id as "dealId"`,
  );
}

/** Deals with rows of ours in the CRM, after `afterDealId`, in a stable order. */
export async function listWrittenDeals(
  tx: Tx,
  key: ConnectionKey,
  afterDealId: string | null,
  limit: number,
): Promise<readonly string[]> {
  const rows = await query<{ deal_id: string }>(
    tx,
    sql`select distinct deal_id from crm_rows where organization_id = ${key.organizationId}::uuid and connection_id = ${key.connectionId}::uuid
      and not retired and (${afterDealId}::uuid is null or deal_id > ${afterDealId}::uuid) order by deal_id limit ${limit}`,
  );
  return rows.map((r) => r.deal_id);
}

/** Those of the row keys that name a partner of ours: another organization may keep its own rows in the same CRM account. */
export async function findOwnKeys(
  tx: Tx,
  organizationId: string,
  keys: readonly string[],
): Promise<ReadonlySet<string>> {
  const partnerOf = (key: string) => key.slice(key.lastIndexOf(':') + 1);
  const rows = await query<{ id: string }>(
    tx,
    sql`select id from partners where organization_id = ${organizationId}::uuid
      and id::text = any(${textArray([...new Set(keys.map(partnerOf))])})`,
  );
  const ours = new Set(rows.map((row) => row.id));
  return new Set(keys.filter((key) => ours.has(partnerOf(key))));
}

/** The CRM does not hold what we thought: forget it, so that the next write-back brings it right. */
export async function distrustRows(
  tx: Tx,
  key: ConnectionKey,
  rows: readonly {
    readonly dealId: string;
    readonly key: string;
    readonly dealExternalId: string;
    readonly crmRowId: string | null;
    readonly stands: boolean;
  }[],
  now: Date,
): Promise<void> {
  if (rows.length === 0) return;
  const input = rowsParameter(
    rows.map((r) => ({ d: r.dealId, k: r.key, x: r.dealExternalId, c: r.crmRowId, s: r.stands })),
  );
  await tx.execute(sql`
    insert into crm_rows as c (organization_id, connection_id, deal_id, key, deal_external_id, crm_row_id, written_hash, status, attempted_at)
    select ${key.organizationId}::uuid, ${key.connectionId}::uuid, r.d, r.k, r.x, r.c, case when r.s then 'unknown' end, 'written', ${now.toISOString()}::timestamptz
    from jsonb_to_recordset(${input}) as r(d uuid, k text, x text, c text, s boolean)
    on conflict (organization_id, connection_id, deal_id, key) do update set written_hash = excluded.written_hash,
      crm_row_id = coalesce(excluded.crm_row_id, c.crm_row_id), retired = false`);
}
