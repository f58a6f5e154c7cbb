import { sql } from 'drizzle-orm';
import { linkedAccounts } from '../accounts/store.ts';
import { query, type Tx, uuidArray } from '../platform/db/client.ts';
import type { ActivityInput, DealInput, LinkInput, PartnerInput } from './types.ts';

/** A deal as the core needs it, with what decides whether and where its result goes. */
export interface LoadedDeal {
  readonly deal: DealInput;
  readonly connectionId: string;
  readonly externalId: string;
  readonly closeOn: string | null;
  readonly deleted: boolean;
  /** Closed before the day from which history counts. */
  readonly beforeHistory: boolean;
  readonly activities: readonly ActivityInput[];
  readonly links: readonly LinkInput[];
  readonly partners: readonly PartnerInput[];
}

interface DealSqlRow {
  readonly id: string;
  readonly connection_id: string;
  readonly external_id: string;
  readonly state: DealInput['state'] | null;
  readonly amount_minor: string | null;
  readonly currency: string | null;
  readonly close_on: string | null;
  readonly created_on: string;
  readonly created_at: string;
  readonly won_at: string | null;
  readonly blocked_reason: string | null;
  readonly deleted: boolean;
  readonly before_history: boolean;
}
interface EvidenceSqlRow extends Omit<ActivityInput, 'accountIds'> {
  readonly dealId: string;
  readonly accountIds: readonly string[];
}

const ISO = `'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'`;
const iso = (expression: string) => sql.raw(`to_char(${expression} at time zone 'UTC', ${ISO})`);

/**
 * Locks these deals and loads, set-wise, everything the core looks at: a handful of statements for any number of deals.
 * Evidence comes from activities (people's membership judged at the activity's date), from association labels and from
 * partner fields; the latter two carry no date in the CRM and count from the deal's creation.
 * Only evidence that touches a linked company is loaded.
 */
export async function loadInputs(
  tx: Tx,
  organizationId: string,
  dealIds: readonly string[],
): Promise<readonly LoadedDeal[]> {
  const organization = sql`${organizationId}::uuid`;
  const wanted = uuidArray(dealIds);
  const deals = await query<DealSqlRow>(
    tx,
    sql`
    select d.id, d.connection_id, d.external_id, d.state, d.amount_minor, d.currency, d.close_on::text as close_on,
      (d.crm_created_at at time zone o.time_zone)::date::text as created_on, ${iso('d.crm_created_at')} as created_at,
      ${iso('d.won_at')} as won_at, d.blocked_reason, d.deleted_at is not null as deleted,
      (d.state <> 'open' and d.close_on < o.history_from_on::date) is true as before_history
    from deals d join organizations o on o.organization_id = ${organization}
    where d.organization_id = ${organization} and d.id = any(${wanted}) order by d.id for update of d`,
  );
  if (deals.length === 0) return [];
  const evidence = await query<EvidenceSqlRow>(
    tx,
    sql`
    with recursive ${linkedAccounts(organizationId)},
    wanted as materialized (
      select d.id as deal_id, d.connection_id, d.external_id, d.crm_created_at from deals d
      where d.organization_id = ${organization} and d.id = any(${wanted}) and d.deleted_at is null),
    known_as as materialized (
      select w.deal_id, w.connection_id, w.external_id from wanted w
      union
      select w.deal_id, w.connection_id, d.external_id from wanted w join deals d on d.organization_id = ${organization}
        and d.connection_id = w.connection_id and d.merged_into_external_id = w.external_id),
    happened as materialized (
      select distinct k.deal_id, a.id, a.connection_id, a.kind, a.label, coalesce(a.occurred_at, a.logged_at) as occurred_at, a.logged_at, a.outcome, a.direction
      from known_as k join activity_deals e on e.organization_id = ${organization} and e.connection_id = k.connection_id and e.deal_external_id = k.external_id
      join activities a on a.organization_id = ${organization} and a.id = e.activity_id and a.changed_at is not null and a.deleted_at is null),
    -- Each step carries on what the next one needs, and what belongs to the deals is found before partners are looked for:
    -- joined in one go, a batch of deals is paired with every linked company, and its activities with each other.
    parties as (
      select h.*, p.external_id as party from happened h join activity_parties p
        on p.organization_id = ${organization} and p.activity_id = h.id and p.kind = 'account'
      union all
      select h.*, m.account_external_id from happened h join activity_parties p
        on p.organization_id = ${organization} and p.activity_id = h.id and p.kind = 'contact'
      join contact_accounts m on m.organization_id = ${organization} and m.connection_id = h.connection_id
        and m.contact_external_id = p.external_id and (m.from_at is null or m.from_at <= h.occurred_at)
        and (m.to_at is null or h.occurred_at < m.to_at)),
    labelled as materialized (
      select w.connection_id as of_connection, w.crm_created_at, da.* from wanted w join deal_accounts da
        on da.organization_id = ${organization} and da.deal_id = w.deal_id and da.label <> ''),
    named as materialized (
      select w.connection_id as of_connection, w.crm_created_at, f.* from wanted w join deal_fields f
        on f.organization_id = ${organization} and f.deal_id = w.deal_id),
    facts as (
      select h.deal_id, h.id, h.kind, h.label, h.occurred_at, h.logged_at, h.outcome, h.direction, l.account_id
      from parties h join linked l on l.connection_id = h.connection_id and l.external_id = h.party
      union
      select d.deal_id, d.id, 'association', d.label, d.crm_created_at, d.crm_created_at, 'done', null, l.account_id
      from labelled d join linked l on l.connection_id = d.of_connection and l.external_id = d.account_external_id
      union
      select d.deal_id, d.id, 'field', d.name, d.crm_created_at, d.crm_created_at, 'done', null, l.account_id
      from named d join accounts a on a.organization_id = ${organization} and a.connection_id = d.of_connection
        and lower(d.value) in (a.external_id, lower(a.name), lower(a.domain))
      join linked l on l.connection_id = d.of_connection and l.external_id = a.external_id)
    select f.deal_id as "dealId", f.id, f.kind, f.label, ${iso('f.occurred_at')} as "occurredAt",
      (f.occurred_at at time zone o.time_zone)::date::text as "occurredOn", ${iso('f.logged_at')} as "loggedAt", f.outcome, f.direction,
      array_agg(distinct f.account_id::text) as "accountIds"
    from facts f join organizations o on o.organization_id = ${organization}
    group by f.deal_id, f.id, f.kind, f.label, f.occurred_at, o.time_zone, f.logged_at, f.outcome, f.direction`,
  );
  const customers = await query<{ readonly dealId: string; readonly accountIds: readonly string[] }>(
    tx,
    sql`
    with recursive ${linkedAccounts(organizationId)}
    select da.deal_id as "dealId", array_agg(distinct l.account_id::text) as "accountIds" from deal_accounts da
    join linked l on l.connection_id = da.connection_id and l.external_id = da.account_external_id
    where da.organization_id = ${organization} and da.is_primary and da.deal_id = any(${wanted}) group by da.deal_id`,
  );
  const links = await query<LinkInput & { readonly partnerType: string; readonly partnerStatus: string }>(
    tx,
    sql`
    select l.partner_id as "partnerId", l.account_id as "accountId", l.from_on::text as "fromOn", l.to_on::text as "toOn",
      p.type as "partnerType", p.status as "partnerStatus"
    from partner_links l join partners p on p.organization_id = ${organization} and p.id = l.partner_id
    where l.organization_id = ${organization}
      and l.account_id = any(${uuidArray([...new Set([...evidence, ...customers].flatMap((e) => e.accountIds))])})`,
  );
  return assemble(deals, evidence, links, new Map(customers.map((c) => [c.dealId, c.accountIds])));
}

function assemble(
  deals: readonly DealSqlRow[],
  evidence: readonly EvidenceSqlRow[],
  links: readonly (LinkInput & { readonly partnerType: string; readonly partnerStatus: string })[],
  customers: ReadonlyMap<string, readonly string[]>,
): readonly LoadedDeal[] {
  const evidenceOf = Map.groupBy(evidence, (e) => e.dealId);
  const linksOf = Map.groupBy(links, (l) => l.accountId);
  return deals.map((row) => {
    const activities = (evidenceOf.get(row.id) ?? []).map(({ dealId: _, ...activity }) => activity);
    // Without evidence nobody earns, whoever the customer is: nothing else belongs into the run's input.
    const customerAccountIds = activities.length === 0 ? [] : (customers.get(row.id) ?? []);
    const touched = [...new Set([...customerAccountIds, ...activities.flatMap((a) => a.accountIds)])].flatMap(
      (id) => linksOf.get(id) ?? [],
    );
    const partners = new Map(
      touched.map((l) => [
        l.partnerId,
        { id: l.partnerId, type: l.partnerType, status: l.partnerStatus } as PartnerInput,
      ]),
    );
    return {
      deal: {
        id: row.id,
        state: row.state ?? 'open',
        amountMinor: row.amount_minor === null ? null : BigInt(row.amount_minor),
        currency: row.currency,
        createdOn: row.created_on,
        createdAt: row.created_at,
        wonAt: row.won_at,
        customerAccountIds,
        blockedReason: row.blocked_reason,
      },
      connectionId: row.connection_id,
      externalId: row.external_id,
      closeOn: row.close_on,
      deleted: row.deleted,
      beforeHistory: row.before_history,
      activities,
      links: touched.map(({ partnerId, accountId, fromOn, toOn }) => ({
        partnerId,
        accountId,
        fromOn,
        toOn,
      })),
      partners: [...partners.values()],
    };
  });
}
