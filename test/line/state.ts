import type { Line } from './harness.ts';
import type { Tenant } from './tenant.ts';

type Rows = readonly Readonly<Record<string, unknown>>[];

/** Everything read from the CRM, by the CRM's own ids, without our ids and instants of reading. */
export async function readRecords({ sql }: Line, { organizationId: o }: Tenant) {
  const deals: Rows = await sql`
    select external_id, name, pipeline_id, stage_id, state, amount_minor::text, currency, close_on::text, won_at, won_seq, blocked_reason,
      deleted_at is not null as deleted, merged_into_external_id,
      (select json_agg(a.account_external_id || ' ' || a.label || ' ' || a.is_primary order by 1) from (
        select * from deal_accounts a where a.organization_id = ${o} and a.deal_id = d.id order by account_external_id, label) a) as accounts
    from deals d where organization_id = ${o} order by external_id`;
  const accounts: Rows = await sql`
    select external_id, name, domain, type, parent_external_id, deleted_at is not null as deleted, merged_into_external_id
    from accounts where organization_id = ${o} order by external_id`;
  const contacts: Rows = await sql`
    select external_id, email, deleted_at is not null as deleted, merged_into_external_id, erased_at is not null as erased
    from contacts where organization_id = ${o} order by external_id`;
  const memberships: Rows = await sql`
    select contact_external_id, account_external_id, from_at is null as always, to_at is null as still
    from contact_accounts where organization_id = ${o} order by 1, 2, 3, 4`;
  const activities: Rows = await sql`
    select kind, external_id, occurred_at, logged_at, outcome, label, direction, deleted_at is not null as deleted,
      (select json_agg(e.deal_external_id order by e.deal_external_id) from activity_deals e where e.organization_id = ${o} and e.activity_id = a.id) as deals,
      (select json_agg(p.kind || p.external_id order by p.kind, p.external_id) from activity_parties p where p.organization_id = ${o} and p.activity_id = a.id) as parties
    from activities a where organization_id = ${o} order by kind, external_id`;
  return { deals, accounts, contacts, memberships, activities };
}

/** Deals that stand, as far as attribution looks at them, and who earned what, by the CRM's ids. */
export async function readResults({ sql }: Line, { organizationId: o }: Tenant) {
  const deals: Rows = await sql`
    select d.external_id, d.state, d.amount_minor::text, d.currency, d.close_on::text, d.blocked_reason,
      a.state as result, a.model_of_record, a.blocked_reason as result_blocked
    from deals d left join attributions a on a.organization_id = ${o} and a.deal_id = d.id and a.touchpoints > 0
    where d.organization_id = ${o} and d.deleted_at is null order by d.external_id`;
  const credits: Rows = await sql`
    select d.external_id as deal, c.model, p.external_id as partner, c.share_bps, c.amount_minor::text, c.currency, c.role
    from credits c join deals d on d.organization_id = ${o} and d.id = c.deal_id
    cross join lateral (select min(a.external_id) as external_id from partner_links l
      join accounts a on a.organization_id = ${o} and a.id = l.account_id where l.organization_id = ${o} and l.partner_id = c.partner_id) p
    where c.organization_id = ${o} order by 1, 2, 3`;
  return { deals, credits };
}

/**
 * Ties are settled by our partner's id, which is drawn at random. From here on it follows from the partner's name, so that
 * two tenants of equal portals can be compared to the last cent.
 */
export async function settleTiesByName({ sql }: Line): Promise<void> {
  await sql`create table public.fixed_ids (drawn uuid primary key, fixed uuid not null)`;
  await sql`create function public.fix_partner() returns trigger language plpgsql security definer as $$ begin
    insert into public.fixed_ids values (new.id, md5(new.name)::uuid);
    new.id := md5(new.name)::uuid; return new; end $$`;
  await sql`create function public.fix_link() returns trigger language plpgsql security definer as $$ begin
    new.partner_id := (select fixed from public.fixed_ids where drawn = new.partner_id); return new; end $$`;
  await sql`create trigger fix_partner before insert on partners for each row execute function public.fix_partner()`;
  await sql`create trigger fix_link before insert on partner_links for each row execute function public.fix_link()`;
}

/** The tenant's rows of our object that stand in the portal: key with the partner's company id, what they say. */
export async function readCrmRows({ sql, sandbox }: Line, { organizationId: o, portalId }: Tenant) {
  const partners = await sql<{ partner: string; company: string }[]>`
    select l.partner_id::text as partner, min(a.external_id) as company from partner_links l
    join accounts a on a.organization_id = ${o} and a.id = l.account_id where l.organization_id = ${o} group by 1`;
  const companyOf = new Map(partners.map((p) => [p.partner, p.company]));
  return ourRows({ sandbox }, portalId)
    .flatMap(({ values }) => {
      const [deal = '', partner = ''] = (values.external_key ?? '').split(':');
      const company = companyOf.get(partner);
      return company === undefined
        ? []
        : [
            {
              deal,
              partner: company,
              share: Number(values.share),
              amount: values.amount === null || values.amount === '' ? null : Number(values.amount),
              role: values.role,
              model: values.model,
              state: values.state,
            },
          ];
    })
    .sort((a, b) => (`${a.deal} ${a.partner}` < `${b.deal} ${b.partner}` ? -1 : 1));
}

/** Live rows of our custom object in the portal, whoever's they are. */
export function ourRows({ sandbox }: Pick<Line, 'sandbox'>, portalId: number) {
  const table = [...sandbox.portal(portalId).tables.values()].find((t) =>
    t.name.includes('partner_attribution'),
  );
  return [...(table?.rows.values() ?? [])].filter(
    (row) => row.archivedAtMs === null && row.mergedInto === null,
  );
}

/** What `readCrmRows` must give: the credits of the model of record. */
export async function wantedCrmRows({ sql }: Line, { organizationId: o }: Tenant) {
  const rows = await sql`
    select d.external_id as deal, p.external_id as partner, c.share_bps / 100.0::float8 as share,
      (c.amount_minor / 10.0 ^ d.exponent)::float8 as amount, c.role, c.model,
      case when a.blocked_reason is null then a.state else 'blocked' end as state
    from credits c join deals d on d.organization_id = ${o} and d.id = c.deal_id
    join attributions a on a.organization_id = ${o} and a.deal_id = c.deal_id and a.model_of_record = c.model
    cross join lateral (select min(x.external_id) as external_id from partner_links l
      join accounts x on x.organization_id = ${o} and x.id = l.account_id where l.organization_id = ${o} and l.partner_id = c.partner_id) p
    where c.organization_id = ${o} and (c.share_bps > 0 or c.amount_minor <> 0)`;
  return rows
    .map((row) => ({ ...row }))
    .sort((a, b) => (`${a.deal} ${a.partner}` < `${b.deal} ${b.partner}` ? -1 : 1));
}

export async function countRuns({ sql }: Line, { organizationId: o }: Tenant): Promise<number> {
  const [row] = await sql`select count(*)::int as n from attribution_runs where organization_id = ${o}`;
  return Number(row?.n);
}

const WRITES = /Create|Update|Upsert|Archive|create|update|upsert|archive|delete/;
/** Calls that change the portal. */
export const countWrites = ({ sandbox }: Line): number =>
  sandbox.log.summary().reduce((sum, call) => sum + (WRITES.test(call.operation) ? call.calls : 0), 0);
