import { sql } from 'drizzle-orm';
import { linkedAccounts } from '../accounts/store.ts';
import { markRecompute } from '../attribution/dirty-store.ts';
import type { PartnerType } from '../attribution/types.ts';
import type { By } from '../identity/actor.ts';
import { recordAudit } from '../identity/audit-store.ts';
import { query, rowsParameter, type Tx, textArray, uuidArray } from '../platform/db/client.ts';
import { createPartners } from './store.ts';
import {
  type CandidateCompany,
  FREE_MAIL_DOMAINS,
  PARTNER_COMPANY_TYPES,
  type Suggestion,
  toSuggestions,
} from './suggestions.ts';
import { partnerLinks } from './tables.ts';

/** Companies that look like partners and never were linked to one, most likely first. */
export async function listSuggestions(
  tx: Tx,
  organizationId: string,
  limit: number,
): Promise<readonly Suggestion[]> {
  const organization = sql`${organizationId}::uuid`;
  const companies = await query<CandidateCompany>(
    tx,
    sql`
    with recursive ${linkedAccounts(organizationId)},
    partner_domains as (
      select distinct on (lower(a.domain)) lower(a.domain) as domain, p.name from linked l
      join accounts a on a.organization_id = ${organization} and a.connection_id = l.connection_id and a.external_id = l.external_id
      join partners p on p.organization_id = ${organization} and p.id = l.partner_id
      where a.domain is not null and not lower(a.domain) = any(${textArray(FREE_MAIL_DOMAINS)})
      order by lower(a.domain), p.name),
    evidence as (
      select a.connection_id, a.external_id, 'company_type' as kind, a.type as value, 1::bigint as count, null as partner_name
      from accounts a where a.organization_id = ${organization}
        and replace(lower(a.type), '_', ' ') = any(${textArray(PARTNER_COMPANY_TYPES)})
      union all
      -- A label on the deal's own customer says what the customer is, not that it is a partner.
      select da.connection_id, da.account_external_id, 'association_label', da.label, count(distinct da.deal_id), null
      from deal_accounts da join deals d on d.organization_id = ${organization} and d.id = da.deal_id
      where da.organization_id = ${organization} and da.label <> '' and not da.is_primary and d.deleted_at is null
      group by da.connection_id, da.account_external_id, da.label
      union all
      select m.connection_id, m.account_external_id, 'email_domain', k.domain, count(distinct c.external_id), min(k.name)
      from partner_domains k join contacts c on c.organization_id = ${organization} and lower(split_part(c.email, '@', 2)) = k.domain
      join contact_accounts m on m.organization_id = ${organization} and m.connection_id = c.connection_id
        and m.contact_external_id = c.external_id and m.to_at is null
      where c.deleted_at is null group by m.connection_id, m.account_external_id, k.domain)
    select a.connection_id as "connectionId", a.external_id as "accountExternalId", a.name, a.domain,
      json_agg(json_build_object('kind', e.kind, 'value', e.value, 'count', e.count, 'partnerName', e.partner_name)) as evidence
    from evidence e join accounts a on a.organization_id = ${organization} and a.connection_id = e.connection_id and a.external_id = e.external_id
    where a.deleted_at is null and a.merged_into_external_id is null
      and not exists (select from linked l where l.connection_id = a.connection_id and l.external_id = a.external_id)
    group by a.connection_id, a.external_id, a.name, a.domain`,
  );
  return toSuggestions(companies).slice(0, limit);
}

export interface AcceptedSuggestion {
  readonly connectionId: string;
  readonly accountExternalId: string;
  /** The company's name when left out. */
  readonly name?: string | undefined;
  readonly type: PartnerType;
}
export interface AcceptedPartner {
  readonly connectionId: string;
  readonly accountExternalId: string;
  readonly partnerId: string;
  /** False: the company was linked already, and nothing was changed. */
  readonly created: boolean;
}

/**
 * Makes partners of many companies, each linked from ever: all of them or none. Accepting again changes nothing.
 * @returns null when one of the companies is not there.
 */
export async function acceptSuggestions(
  tx: Tx,
  organizationId: string,
  accepted: readonly AcceptedSuggestion[],
  by: By,
): Promise<readonly AcceptedPartner[] | null> {
  const companies = await lockCompanies(tx, organizationId, accepted);
  if (companies === null) return null;
  const linked = await findLinkedPartners(tx, organizationId, [...companies.values()]);
  const fresh = accepted.filter((item, at) => {
    const company = companies.get(keyOf(item));
    const isFirst = accepted.findIndex((other) => companies.get(keyOf(other))?.id === company?.id) === at;
    return company !== undefined && isFirst && !linked.has(company.id);
  });
  const created = await createPartners(
    tx,
    organizationId,
    fresh.map((item) => ({
      name: item.name ?? companies.get(keyOf(item))?.name ?? item.accountExternalId,
      type: item.type,
      status: 'active',
      defaultCommissionPpm: 0,
    })),
    by,
  );
  const links = created.flatMap(({ id: partnerId }, at) => {
    const company = companies.get(keyOf(fresh[at]));
    return company === undefined ? [] : [{ id: crypto.randomUUID(), partnerId, accountId: company.id }];
  });
  await saveLinks(tx, organizationId, links, by);
  const partnerOf = new Map([...linked, ...links.map((link) => [link.accountId, link.partnerId] as const)]);
  return accepted.map((item) => ({
    connectionId: item.connectionId,
    accountExternalId: item.accountExternalId,
    partnerId: partnerOf.get(companies.get(keyOf(item))?.id ?? '') ?? '',
    created: fresh.includes(item),
  }));
}

interface Company {
  readonly id: string;
  readonly name: string | null;
}
const keyOf = (item: { readonly connectionId: string; readonly accountExternalId: string } | undefined) =>
  JSON.stringify([item?.connectionId, item?.accountExternalId]);

/** The companies by key, held until the transaction ends: of two people who accept at once, the second sees the first's. */
async function lockCompanies(
  tx: Tx,
  organizationId: string,
  accepted: readonly AcceptedSuggestion[],
): Promise<ReadonlyMap<string, Company> | null> {
  const wanted = accepted.map(({ connectionId, accountExternalId }) => ({ connectionId, accountExternalId }));
  const rows = await query<Company & { connectionId: string; accountExternalId: string }>(
    tx,
    sql`select s.id, coalesce(s.name, s.domain) as name, w."connectionId", w."accountExternalId"
      from jsonb_to_recordset(${rowsParameter(wanted)}) as w("connectionId" uuid, "accountExternalId" text)
      join accounts a on a.organization_id = ${organizationId}::uuid and a.connection_id = w."connectionId" and a.external_id = w."accountExternalId"
      join accounts s on s.organization_id = a.organization_id and s.connection_id = a.connection_id
        and s.external_id = coalesce(a.merged_into_external_id, a.external_id) and s.deleted_at is null
      order by s.external_id for update of s`,
  );
  const companies = new Map(rows.map((row) => [keyOf(row), { id: row.id, name: row.name }]));
  return accepted.every((item) => companies.has(keyOf(item))) ? companies : null;
}

/** Account id → partner, also where the link ended: somebody decided that, and nobody's click on a list undoes it. */
async function findLinkedPartners(
  tx: Tx,
  organizationId: string,
  companies: readonly Company[],
): Promise<ReadonlyMap<string, string>> {
  const rows = await query<{ accountId: string; partnerId: string }>(
    tx,
    sql`select account_id as "accountId", (array_agg(partner_id order by to_on desc nulls first))[1] as "partnerId" from partner_links
      where organization_id = ${organizationId}::uuid and account_id = any(${uuidArray(companies.map(({ id }) => id))})
      group by account_id`,
  );
  return new Map(rows.map(({ accountId, partnerId }) => [accountId, partnerId]));
}

async function saveLinks(
  tx: Tx,
  organizationId: string,
  links: readonly { readonly id: string; readonly partnerId: string; readonly accountId: string }[],
  { actor, now }: By,
): Promise<void> {
  if (links.length === 0) return;
  await tx
    .insert(partnerLinks)
    .values(links.map((link) => ({ organizationId, ...link, createdAt: now.toISOString() })));
  await recordAudit(
    tx,
    ...links.map(({ id, partnerId, accountId }) => ({
      organizationId,
      actor,
      action: 'partner-link.create',
      subject: `partner-link:${id}`,
      details: { partnerId, accountId, suggestion: true },
      now,
    })),
  );
  await markRecompute(tx, organizationId, { linkIds: links.map(({ id }) => id) }, { now });
}
