import { type SQL, sql } from 'drizzle-orm';
import { type ConnectionKey, query, rowsParameter, type Tx, textArray } from '../platform/db/client.ts';
import { isMergeWord, isNewer } from '../platform/db/newer.ts';

export interface AccountRow {
  readonly externalId: string;
  readonly name: string | null;
  readonly domain: string | null;
  readonly type: string | null;
  readonly parentExternalId: string | null;
  readonly changedAt: string;
  readonly readAt: string;
  readonly deleted: boolean;
  readonly mergedIntoExternalId: string | null;
}

/**
 * Upserts accounts, the newer reading winning. The insert asks for `before` so that it is read first: a row that the same
 * statement has written already is not seen by `for update`. @returns external ids of those whose stored facts changed.
 */
export async function saveAccounts(
  tx: Tx,
  { organizationId, connectionId }: ConnectionKey,
  rows: readonly AccountRow[],
  verified: boolean,
): Promise<readonly string[]> {
  if (rows.length === 0) return [];
  const input = sql`jsonb_to_recordset(${rowsParameter(rows)}) as r("externalId" text, name text, domain text, type text,
    "parentExternalId" text, "changedAt" timestamptz, "readAt" timestamptz, deleted boolean, "mergedIntoExternalId" text)`;
  const changed = await query<{ external_id: string }>(
    tx,
    sql`
    with before as materialized (
      select a.* from accounts a where a.organization_id = ${organizationId}::uuid and a.connection_id = ${connectionId}::uuid
        and a.external_id in (select r."externalId" from ${input}) order by a.external_id for update),
    after as (
      insert into accounts (organization_id, connection_id, external_id, name, domain, type, parent_external_id, changed_at, read_at, deleted_at, merged_into_external_id)
      select ${organizationId}::uuid, ${connectionId}::uuid, r."externalId", r.name, r.domain, r.type, r."parentExternalId", r."changedAt", r."readAt",
        case when r.deleted then r."changedAt" end, r."mergedIntoExternalId"
      from ${input} where (select count(*) from before) >= 0 order by r."externalId"
      on conflict (organization_id, connection_id, external_id) do update set
        name = case when excluded.deleted_at is null then excluded.name else accounts.name end,
        domain = case when excluded.deleted_at is null then excluded.domain else accounts.domain end,
        type = case when excluded.deleted_at is null then excluded.type else accounts.type end,
        parent_external_id = case when excluded.deleted_at is null then excluded.parent_external_id else accounts.parent_external_id end,
        changed_at = excluded.changed_at, read_at = excluded.read_at, deleted_at = excluded.deleted_at,
        merged_into_external_id = excluded.merged_into_external_id
      where ${isNewer('accounts', verified)} or ${isMergeWord('accounts')}
      returning *)
    select after.external_id from after left join before using (external_id)
    where before.id is null or (before.name, before.domain, before.parent_external_id, before.deleted_at is null, before.merged_into_external_id)
      is distinct from (after.name, after.domain, after.parent_external_id, after.deleted_at is null, after.merged_into_external_id)`,
  );
  return changed.map((r) => r.external_id);
}

export interface ContactRow {
  readonly externalId: string;
  readonly email: string | null;
  readonly changedAt: string;
  readonly readAt: string;
  readonly deleted: boolean;
  readonly mergedIntoExternalId: string | null;
  readonly accountExternalIds: readonly string[];
}

/**
 * Upserts people and their memberships. CRMs date no membership: what the first reading finds counts from ever; a later
 * difference counts from the contact's modification instant if that lies between the two readings, else from the reading
 * that found it. @returns external ids of people whose memberships changed.
 * @param heirs people who took over the memberships of others in a merge: to them this reading is a later one
 */
export async function saveContacts(
  tx: Tx,
  { organizationId, connectionId }: ConnectionKey,
  rows: readonly ContactRow[],
  verified: boolean,
  heirs: readonly string[] = [],
): Promise<readonly string[]> {
  if (rows.length === 0) return [];
  const input = sql`jsonb_to_recordset(${rowsParameter(rows)}) as r("externalId" text, email text, "changedAt" timestamptz,
    "readAt" timestamptz, deleted boolean, "mergedIntoExternalId" text, "accountExternalIds" text[])`;
  const saved = await query<{ external_id: string; turned_at: string | null }>(
    tx,
    sql`
    with before as materialized (
      select c.* from contacts c where c.organization_id = ${organizationId}::uuid and c.connection_id = ${connectionId}::uuid
        and c.external_id in (select r."externalId" from ${input}) order by c.external_id for update),
    after as (
      insert into contacts (organization_id, connection_id, external_id, email, changed_at, read_at, deleted_at, merged_into_external_id)
      select ${organizationId}::uuid, ${connectionId}::uuid, r."externalId", r.email, r."changedAt", r."readAt",
        case when r.deleted then r."changedAt" end, r."mergedIntoExternalId"
      from ${input} where (select count(*) from before) >= 0 order by r."externalId"
      on conflict (organization_id, connection_id, external_id) do update set
        email = case when contacts.erased_at is null then coalesce(excluded.email, contacts.email) end,
        changed_at = excluded.changed_at, read_at = excluded.read_at, deleted_at = excluded.deleted_at,
        merged_into_external_id = excluded.merged_into_external_id
      where ${isNewer('contacts', verified)} or ${isMergeWord('contacts')}
      returning *)
    select after.external_id, case when before.id is null and not after.external_id = any(${textArray(heirs)}) then null
      when before.id is null or after.changed_at > before.read_at then after.changed_at else after.read_at end as turned_at
    from after left join before using (external_id)`,
  );
  // A deleted person keeps what was known of the past; only a present reading says who belongs where.
  const present = new Set(rows.filter((row) => !row.deleted).map((row) => row.externalId));
  const turned = saved.filter((row) => present.has(row.external_id));
  if (turned.length === 0) return [];
  const sets = sql`(select s.external_id, s.turned_at, r."accountExternalIds" as accounts
    from jsonb_to_recordset(${rowsParameter(turned)}) as s(external_id text, turned_at timestamptz)
    join ${input} on r."externalId" = s.external_id)`;
  const changed = await query<{ contact_external_id: string }>(
    tx,
    sql`
    with closed as (
      update contact_accounts m set to_at = s.turned_at from ${sets} s
      where m.organization_id = ${organizationId}::uuid and m.connection_id = ${connectionId}::uuid
        and m.contact_external_id = s.external_id and m.to_at is null and not m.account_external_id = any(s.accounts)
      returning m.contact_external_id),
    opened as (
      insert into contact_accounts (organization_id, connection_id, contact_external_id, account_external_id, from_at)
      select ${organizationId}::uuid, ${connectionId}::uuid, s.external_id, a.account, s.turned_at
      from ${sets} s cross join lateral (select distinct unnest(s.accounts) as account) a
      where not exists (select from contact_accounts m where m.organization_id = ${organizationId}::uuid
        and m.connection_id = ${connectionId}::uuid and m.contact_external_id = s.external_id
        and m.account_external_id = a.account and m.to_at is null)
      returning contact_external_id)
    select contact_external_id from closed union select contact_external_id from opened`,
  );
  return changed.map((r) => r.contact_external_id);
}

/** Empties the personal columns for good; the facts of the past stay and every run still replays. */
export async function eraseContacts(
  tx: Tx,
  { organizationId, connectionId }: ConnectionKey,
  externalIds: readonly string[],
  now: Date,
): Promise<void> {
  await tx.execute(sql`
    insert into contacts as c (organization_id, connection_id, external_id, changed_at, read_at, deleted_at, erased_at)
    select ${organizationId}::uuid, ${connectionId}::uuid, id, ${now.toISOString()}::timestamptz, ${now.toISOString()}::timestamptz,
      ${now.toISOString()}::timestamptz, ${now.toISOString()}::timestamptz
    from unnest(${textArray(externalIds)}) as id
    on conflict (organization_id, connection_id, external_id) do update set email = null, erased_at = excluded.erased_at`);
  await tx.execute(sql`
    update contacts set email = null, erased_at = ${now.toISOString()}::timestamptz
    where organization_id = ${organizationId}::uuid and connection_id = ${connectionId}::uuid
      and merged_into_external_id = any(${textArray(externalIds)})`);
}

/**
 * Locks those of the rows whose stored facts differ from these, and gives their ids with those of every company below
 * them: what is true of these companies' deals now may be so no more once the rows are saved.
 */
export async function lockChangingAccounts(
  tx: Tx,
  { organizationId, connectionId }: ConnectionKey,
  rows: readonly AccountRow[],
): Promise<readonly string[]> {
  if (rows.length === 0) return [];
  const changing = await query<{ external_id: string }>(
    tx,
    sql`select a.external_id from accounts a join jsonb_to_recordset(${rowsParameter(rows)}) as r("externalId" text, name text, domain text,
        "parentExternalId" text, deleted boolean, "mergedIntoExternalId" text) on r."externalId" = a.external_id
      where a.organization_id = ${organizationId}::uuid and a.connection_id = ${connectionId}::uuid
        and ((a.deleted_at is not null, a.merged_into_external_id) is distinct from (r.deleted, r."mergedIntoExternalId")
          or (not r.deleted and (a.name, a.domain, a.parent_external_id) is distinct from (r.name, r.domain, r."parentExternalId")))
      order by a.external_id for update of a`,
  );
  if (changing.length === 0) return [];
  const below = await query<{ external_id: string }>(
    tx,
    sql`
    with recursive below (external_id, depth) as (
      select id, 0 from unnest(${textArray(changing.map((row) => row.external_id))}) as id
      union
      select c.external_id, b.depth + 1 from below b join accounts c on c.organization_id = ${organizationId}::uuid
        and c.connection_id = ${connectionId}::uuid and c.parent_external_id = b.external_id
      where b.depth < 10)
    select distinct external_id from below`,
  );
  return below.map((row) => row.external_id);
}

/**
 * Every company that counts as a partner, by external id: linked companies, (where the link says so) their child
 * companies, and every id that a merge gave away to one of them, since what the CRM does not touch still names the old
 * one. For use as a `with recursive` body: columns link_id, partner_id, account_id (the linked one), connection_id,
 * external_id, from_on, to_on.
 */
export function linkedAccounts(organizationId: string): SQL {
  const organization = sql`${organizationId}::uuid`;
  return sql`lineage (link_id, partner_id, account_id, connection_id, external_id, from_on, to_on, with_children, depth) as (
    select l.id, l.partner_id, l.account_id, a.connection_id, coalesce(a.merged_into_external_id, a.external_id), l.from_on, l.to_on, l.with_children, 0
    from partner_links l join accounts a on a.organization_id = ${organization} and a.id = l.account_id
    where l.organization_id = ${organization}
    union
    select p.link_id, p.partner_id, p.account_id, p.connection_id, c.external_id, p.from_on, p.to_on, true, p.depth + 1
    from lineage p cross join lateral (
      select p.external_id union all
      select m.external_id from accounts m where m.organization_id = ${organization} and m.connection_id = p.connection_id
        and m.merged_into_external_id = p.external_id) q(external_id)
    join accounts c on c.organization_id = ${organization} and c.connection_id = p.connection_id
      and c.parent_external_id = q.external_id and c.merged_into_external_id is null
    where p.with_children and p.depth < 10),
  linked as (
    select link_id, partner_id, account_id, connection_id, external_id, from_on, to_on from lineage
    union
    select p.link_id, p.partner_id, p.account_id, p.connection_id, m.external_id, p.from_on, p.to_on
    from lineage p join accounts m on m.organization_id = ${organization} and m.connection_id = p.connection_id
      and m.merged_into_external_id = p.external_id)`;
}
