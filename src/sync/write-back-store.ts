import { createHash } from 'node:crypto';
import { sql } from 'drizzle-orm';
import type { DesiredRow } from '../../connectors/connector.ts';
import { formatMinor } from '../attribution/money.ts';
import { type ConnectionKey, query, type Tx, toInstant, uuidArray } from '../platform/db/client.ts';

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
  /** Null also when it is to be tried again. */
  readonly rejectedSchema: string | null;
  readonly rejectedReason: string | null;
  readonly accountExternalId: string | null;
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
    with wanted as materialized (
      select c.*, d.currency as deal_currency, d.exponent, a.state, a.blocked_reason, a.computed_at, a.run_id from credits c
      join attributions a on a.organization_id = ${organization} and a.deal_id = c.deal_id and a.model_of_record = c.model
      join deals d on d.organization_id = ${organization} and d.id = c.deal_id and d.connection_id = ${key.connectionId}::uuid
      where c.organization_id = ${organization} and c.deal_id = any(${wanted}) and d.deleted_at is null
        and (c.share_bps > 0 or c.amount_minor <> 0)),
    -- Once for each partner, however many deals it earned on.
    companies as materialized (
      select distinct on (l.partner_id) l.partner_id, x.external_id
      from partner_links l join accounts k on k.organization_id = ${organization} and k.id = l.account_id
      join accounts x on x.organization_id = ${organization} and x.connection_id = k.connection_id
        and x.external_id = coalesce(k.merged_into_external_id, k.external_id)
      where l.organization_id = ${organization} and l.partner_id = any(array(select partner_id from wanted))
        and k.connection_id = ${key.connectionId}::uuid and x.deleted_at is null
      order by l.partner_id, l.to_on is not null, l.created_at, l.id)
    select c.deal_id, c.partner_id, p.name as partner_name, c.share_bps, c.amount_minor, c.currency,
      case when c.deal_currency = c.currency then c.exponent else (n.facts #>> array['currencies', c.currency::text])::smallint end as exponent,
      c.role, c.reason, c.model, c.state, c.blocked_reason, c.computed_at, c.run_id, x.external_id as partner_account
    from wanted c join partners p on p.organization_id = ${organization} and p.id = c.partner_id
    join connections n on n.organization_id = ${organization} and n.id = ${key.connectionId}::uuid
    left join companies x on x.partner_id = c.partner_id
    order by c.share_bps desc, c.partner_id`,
  );
  const known = await query<KnownRow & { readonly dealId: string }>(
    tx,
    sql`select deal_id as "dealId", key, deal_external_id as "dealExternalId", crm_row_id as "crmRowId", written_hash as "writtenHash",
      rejected_hash as "rejectedHash", rejected_schema as "rejectedSchema", rejected_reason as "rejectedReason",
      account_external_id as "accountExternalId" from crm_rows
      where organization_id = ${organization} and connection_id = ${key.connectionId}::uuid and deal_id = any(${wanted}) and not retired`,
  );
  const creditsOf = Map.groupBy(credits, (c) => c.deal_id);
  const knownOf = Map.groupBy(known, (k) => k.dealId);
  return deals.map((deal) => {
    const rows = knownOf.get(deal.id) ?? [];
    const companyOf = new Map(rows.map((row) => [row.key, row.accountExternalId]));
    return {
      dealId: deal.id,
      dealExternalId: deal.external_id,
      desired: (creditsOf.get(deal.id) ?? []).map((credit) => {
        const row = toDesiredRow(deal.external_id, credit);
        return { ...row, associatedAccountExternalId: companyOf.get(row.key) ?? null };
      }),
      known: rows,
    };
  });
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
