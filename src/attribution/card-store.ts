import { sql } from 'drizzle-orm';
import type { RecordRef } from '../../connectors/connector.ts';
import { query, type Tx, toInstant, toInstantOrNull, uuidArray } from '../platform/db/client.ts';

/** What a card shows beside the result itself. */
export interface CardDeal {
  readonly dealId: string;
  readonly connectionId: string;
  readonly externalId: string;
  readonly name: string | null;
  readonly currency: string | null;
  readonly exponent: number | null;
  readonly blockedReason: string | null;
  /** null: nothing was computed yet. */
  readonly runId: string | null;
  readonly computedAt: string | null;
}

type CardKey = { readonly dealId: string } | { readonly connectionId: string; readonly externalId: string };

/** The deal that answers for this id: a merged-away one gives its survivor; null when there is none. */
export async function findCardDeal(tx: Tx, organizationId: string, key: CardKey): Promise<CardDeal | null> {
  const which =
    'dealId' in key
      ? sql`d.id = ${key.dealId}::uuid`
      : sql`d.connection_id = ${key.connectionId}::uuid and d.external_id = ${key.externalId}`;
  const [row] = await query<{
    id: string;
    connection_id: string;
    external_id: string;
    name: string | null;
    currency: string | null;
    exponent: number | null;
    blocked_reason: string | null;
    run_id: string | null;
    computed_at: string | null;
  }>(
    tx,
    sql`
    with asked as (select d.* from deals d where d.organization_id = ${organizationId}::uuid and ${which})
    select d.id, d.connection_id, d.external_id, d.name, d.currency, d.exponent, d.blocked_reason, a.run_id, a.computed_at
    from asked join deals d on d.organization_id = asked.organization_id and d.connection_id = asked.connection_id
      and d.external_id = coalesce(asked.merged_into_external_id, asked.external_id)
    left join attributions a on a.organization_id = d.organization_id and a.deal_id = d.id
    where d.deleted_at is null`,
  );
  if (row === undefined) return null;
  return {
    dealId: row.id,
    connectionId: row.connection_id,
    externalId: row.external_id,
    name: row.name,
    currency: row.currency,
    exponent: row.exponent,
    blockedReason: row.blocked_reason,
    runId: row.run_id,
    computedAt: toInstantOrNull(row.computed_at),
  };
}

/** Evidence id → the CRM record that a person opens to see it: the activity, the labelled company, the deal with the field. */
export async function findEvidenceRecords(
  tx: Tx,
  organizationId: string,
  dealExternalId: string,
  evidenceIds: readonly string[],
): Promise<ReadonlyMap<string, RecordRef>> {
  const ids = uuidArray(evidenceIds);
  const rows = await query<{ id: string; kind: RecordRef['kind']; external_id: string }>(
    tx,
    sql`
    select id, kind, external_id from activities where organization_id = ${organizationId}::uuid and id = any(${ids})
    union all
    select id, 'account', account_external_id from deal_accounts where organization_id = ${organizationId}::uuid and id = any(${ids})
    union all
    select id, 'deal', ${dealExternalId}::text from deal_fields where organization_id = ${organizationId}::uuid and id = any(${ids})`,
  );
  return new Map(rows.map((r) => [r.id, { kind: r.kind, externalId: r.external_id }]));
}

/** Names of partners and, where one of their linked companies stands in this connection, that company's id there. */
export async function findCardPartners(
  tx: Tx,
  organizationId: string,
  connectionId: string,
  partnerIds: readonly string[],
): Promise<
  readonly { readonly id: string; readonly name: string; readonly accountExternalId: string | null }[]
> {
  return query(
    tx,
    sql`
    select p.id, p.name, (select coalesce(a.merged_into_external_id, a.external_id) from partner_links l join accounts a on a.organization_id = l.organization_id and a.id = l.account_id
        where l.organization_id = p.organization_id and l.partner_id = p.id and a.connection_id = ${connectionId}::uuid
        order by l.to_on is not null, l.created_at, l.id limit 1) as "accountExternalId"
    from partners p where p.organization_id = ${organizationId}::uuid and p.id = any(${uuidArray(partnerIds)})`,
  );
}

export interface CardWriteBack {
  readonly status: 'written' | 'pending' | 'rejected' | 'none';
  readonly message: string | null;
  readonly at: string | null;
}

/** What became of the result in the CRM. Work still marked is pending; then the worst of the rows speaks. */
export async function findWriteBack(
  tx: Tx,
  organizationId: string,
  deal: { readonly dealId: string; readonly connectionId: string },
): Promise<CardWriteBack> {
  const [row] = await query<{
    pending: boolean;
    aside: string | null;
    rejected: string | null;
    written: string | null;
  }>(
    tx,
    sql`
    select exists (select from work w where w.organization_id = ${organizationId}::uuid and w.lane = 'write-back'
        and w.scope_id = ${deal.connectionId}::uuid and w.object = ${deal.dealId} and w.set_aside_at is null) as pending,
      (select reason from work w where w.organization_id = ${organizationId}::uuid and w.lane = 'write-back'
        and w.scope_id = ${deal.connectionId}::uuid and w.object = ${deal.dealId} and w.set_aside_at is not null) as aside,
      (select min(rejected_reason) from crm_rows r where r.organization_id = ${organizationId}::uuid
        and r.connection_id = ${deal.connectionId}::uuid and r.deal_id = ${deal.dealId}::uuid and r.status = 'rejected') as rejected,
      (select max(written_at) from crm_rows r where r.organization_id = ${organizationId}::uuid
        and r.connection_id = ${deal.connectionId}::uuid and r.deal_id = ${deal.dealId}::uuid and not r.retired) as written`,
  );
  if (row === undefined) return { status: 'none', message: null, at: null };
  const at = row.written === null ? null : toInstant(row.written);
  if (row.pending) return { status: 'pending', message: null, at };
  const refusal = row.rejected ?? row.aside;
  if (refusal !== null) return { status: 'rejected', message: refusal, at };
  return { status: at === null ? 'none' : 'written', message: null, at };
}

export async function hasPartnerLinks(tx: Tx, organizationId: string): Promise<boolean> {
  const rows = await query(
    tx,
    sql`select 1 from partner_links where organization_id = ${organizationId}::uuid limit 1`,
  );
  return rows.length > 0;
}
