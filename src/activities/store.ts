import { sql } from 'drizzle-orm';
import { type ConnectionKey, query, rowsParameter, type Tx } from '../platform/db/client.ts';
import { isNewer } from '../platform/db/newer.ts';

export interface ActivityRow {
  readonly kind: string;
  readonly externalId: string;
  readonly occurredAt: string | null;
  readonly loggedAt: string | null;
  readonly outcome: string | null;
  readonly label: string | null;
  readonly direction: string | null;
  readonly changedAt: string;
  readonly readAt: string;
  readonly deleted: boolean;
  readonly dealExternalIds: readonly string[];
  readonly parties: readonly { readonly kind: 'contact' | 'account'; readonly externalId: string }[];
}

/**
 * Upserts activities with their complete sets of deals and parties, the newer reading winning. A person who was deleted or
 * erased in the CRM shows on nothing there any more; that they took part stays a fact.
 * @returns external ids of every deal that an activity touches now, or touched until now, and that may be affected.
 */
export async function saveActivities(
  tx: Tx,
  { organizationId, connectionId }: ConnectionKey,
  rows: readonly ActivityRow[],
  verified: boolean,
): Promise<readonly string[]> {
  if (rows.length === 0) return [];
  const input = sql`jsonb_to_recordset(${rowsParameter(rows)}) as r(kind text, "externalId" text, "occurredAt" timestamptz,
    "loggedAt" timestamptz, outcome text, label text, direction text, "changedAt" timestamptz, "readAt" timestamptz, deleted boolean,
    "dealExternalIds" text[], parties jsonb)`;
  const saved = await query<{ id: string; kind: string; external_id: string; changed: boolean }>(
    tx,
    sql`
    with before as materialized (
      select a.* from activities a join ${input} on r.kind = a.kind and r."externalId" = a.external_id
      where a.organization_id = ${organizationId}::uuid and a.connection_id = ${connectionId}::uuid
      order by a.kind, a.external_id for update of a),
    after as (
      insert into activities (organization_id, connection_id, kind, external_id, occurred_at, logged_at, outcome, label, direction, changed_at, read_at, deleted_at)
      select ${organizationId}::uuid, ${connectionId}::uuid, r.kind, r."externalId", r."occurredAt", r."loggedAt", r.outcome, r.label, r.direction,
        r."changedAt", r."readAt", case when r.deleted then r."changedAt" end
      from ${input} where (select count(*) from before) >= 0 order by r.kind, r."externalId"
      on conflict (organization_id, connection_id, kind, external_id) do update set
        occurred_at = case when excluded.deleted_at is null then excluded.occurred_at else activities.occurred_at end,
        logged_at = case when excluded.deleted_at is null then excluded.logged_at else activities.logged_at end,
        outcome = case when excluded.deleted_at is null then excluded.outcome else activities.outcome end,
        label = case when excluded.deleted_at is null then excluded.label else activities.label end,
        direction = case when excluded.deleted_at is null then excluded.direction else activities.direction end,
        changed_at = excluded.changed_at, read_at = excluded.read_at, deleted_at = excluded.deleted_at
      where ${isNewer('activities', verified)}
      returning *)
    select after.id, after.kind, after.external_id, before.id is null or
      (before.occurred_at, before.logged_at, before.outcome, before.label, before.direction, before.deleted_at is null, before.changed_at is null)
      is distinct from (after.occurred_at, after.logged_at, after.outcome, after.label, after.direction, after.deleted_at is null, false) as changed
    from after left join before on before.id = after.id`,
  );
  // An archived activity's associations read back empty in some CRMs: keep the last set, the row itself says it is gone.
  const present = new Set(rows.filter((r) => !r.deleted).map((r) => `${r.kind}:${r.externalId}`));
  const ids = rowsParameter(saved.map((s) => ({ ...s, present: present.has(`${s.kind}:${s.external_id}`) })));
  const savedRows = sql`jsonb_to_recordset(${ids}) as s(id uuid, kind text, external_id text, changed boolean, present boolean)`;
  const organization = sql`${organizationId}::uuid`;
  const touched = await query<{ deal_external_id: string }>(
    tx,
    sql`
    with now_deals as (
      select s.id, s.changed, d.deal from ${savedRows} join ${input} on r.kind = s.kind and r."externalId" = s.external_id
      cross join lateral unnest(r."dealExternalIds") as d(deal) where s.present),
    now_parties as (
      select s.id, p.kind, p."externalId" as external_id from ${savedRows} join ${input} on r.kind = s.kind and r."externalId" = s.external_id
      cross join lateral jsonb_to_recordset(r.parties) as p(kind text, "externalId" text) where s.present),
    deals_gone as (
      delete from activity_deals e using ${savedRows} where e.organization_id = ${organization} and e.activity_id = s.id and s.present
        and not exists (select from now_deals n where n.id = e.activity_id and n.deal = e.deal_external_id)
      returning e.activity_id, e.deal_external_id),
    deals_new as (
      insert into activity_deals (organization_id, activity_id, deal_external_id, connection_id)
      select distinct ${organization}, n.id, n.deal, ${connectionId}::uuid from now_deals n on conflict do nothing
      returning activity_id, deal_external_id),
    parties_gone as (
      delete from activity_parties e using ${savedRows} where e.organization_id = ${organization} and e.activity_id = s.id and s.present
        and not exists (select from now_parties n where n.id = e.activity_id and n.kind = e.kind and n.external_id = e.external_id)
        and not (e.kind = 'contact' and exists (select from contacts c where c.organization_id = ${organization} and c.connection_id = e.connection_id
          and c.external_id = e.external_id and (c.deleted_at is not null or c.erased_at is not null) and c.merged_into_external_id is null))
      returning e.activity_id),
    parties_new as (
      insert into activity_parties (organization_id, activity_id, kind, external_id, connection_id)
      select distinct ${organization}, n.id, n.kind, n.external_id, ${connectionId}::uuid from now_parties n on conflict do nothing
      returning activity_id),
    moved as (
      select s.id from ${savedRows} where s.changed union select activity_id from parties_gone union select activity_id from parties_new)
    select deal_external_id from deals_gone
    union select deal_external_id from deals_new
    union select e.deal_external_id from activity_deals e join moved m on m.id = e.activity_id where e.organization_id = ${organization}`,
  );
  return touched.map((r) => r.deal_external_id);
}

/**
 * Compares a deal's own list of activities with what the activities themselves said, and makes a stub of each unknown one.
 * An edge belongs to the activity's end; the deal's end only says which activities to look at again.
 * @returns references `kind:externalId` worth a read; `stub` = nothing but the reference is known yet.
 */
export async function noteActivityReferences(
  tx: Tx,
  { organizationId, connectionId }: ConnectionKey,
  deals: readonly {
    readonly externalId: string;
    readonly activities: readonly { kind: string; externalId: string }[];
    /** Kinds on which this list says nothing: hidden is not "none". */
    readonly unknownKinds: readonly string[];
  }[],
): Promise<readonly { readonly reference: string; readonly stub: boolean }[]> {
  if (deals.length === 0) return [];
  const edges = rowsParameter(
    deals.flatMap((deal) =>
      deal.activities.map((a) => ({ deal: deal.externalId, kind: a.kind, external_id: a.externalId })),
    ),
  );
  const asked = rowsParameter(deals.map((deal) => ({ deal: deal.externalId, unknown: deal.unknownKinds })));
  const organization = sql`${organizationId}::uuid`;
  const input = sql`jsonb_to_recordset(${edges}) as r(deal text, kind text, external_id text)`;
  await tx.execute(sql`
    insert into activities (organization_id, connection_id, kind, external_id)
    select distinct ${organization}, ${connectionId}::uuid, r.kind, r.external_id from ${input} order by 3, 4
    on conflict do nothing`);
  return query(
    tx,
    sql`
    select distinct a.kind || ':' || a.external_id as reference, a.changed_at is null as stub from ${input}
    join activities a on a.organization_id = ${organization} and a.connection_id = ${connectionId}::uuid and a.kind = r.kind and a.external_id = r.external_id
    where a.changed_at is null or (a.deleted_at is null and not exists (
      select from activity_deals e where e.organization_id = ${organization} and e.activity_id = a.id and e.deal_external_id = r.deal))
    union
    select a.kind || ':' || a.external_id, a.changed_at is null from jsonb_to_recordset(${asked}) as q(deal text, unknown text[])
    join activity_deals e on e.organization_id = ${organization} and e.connection_id = ${connectionId}::uuid and e.deal_external_id = q.deal
    join activities a on a.organization_id = ${organization} and a.id = e.activity_id and a.deleted_at is null
    where not a.kind = any(q.unknown)
      and not exists (select from ${input} where r.deal = q.deal and r.kind = a.kind and r.external_id = a.external_id)`,
  );
}

/**
 * Makes stubs again of these activities, so that the full read in progress reads them; results are held until it has.
 * @param references `kind:externalId`
 */
export async function forgetFacts(
  tx: Tx,
  { organizationId, connectionId }: ConnectionKey,
  references: readonly string[],
): Promise<void> {
  if (references.length === 0) return;
  const rows = references.map((reference) => {
    const colon = reference.indexOf(':');
    return { kind: reference.slice(0, colon), id: reference.slice(colon + 1) };
  });
  await tx.execute(sql`
    update activities a set changed_at = null from jsonb_to_recordset(${rowsParameter(rows)}) as r(kind text, id text)
    where a.organization_id = ${organizationId}::uuid and a.connection_id = ${connectionId}::uuid and a.kind = r.kind and a.external_id = r.id`);
}

/** Activities known by reference only, of one kind, in a stable order. */
export async function listActivityStubs(
  tx: Tx,
  { organizationId, connectionId }: ConnectionKey,
  kind: string,
  limit: number,
): Promise<readonly string[]> {
  const rows = await query<{ external_id: string }>(
    tx,
    sql`select external_id from activities where organization_id = ${organizationId}::uuid and connection_id = ${connectionId}::uuid
      and kind = ${kind} and changed_at is null order by external_id limit ${limit}`,
  );
  return rows.map((r) => r.external_id);
}

/** How many activities of a kind are known by reference only. */
export async function countActivityStubs(
  tx: Tx,
  { organizationId, connectionId }: ConnectionKey,
  kind: string,
): Promise<number> {
  const rows = await query<{ n: number }>(
    tx,
    sql`select count(*)::int as n from activities where organization_id = ${organizationId}::uuid
      and connection_id = ${connectionId}::uuid and kind = ${kind} and changed_at is null`,
  );
  return rows[0]?.n ?? 0;
}

/** External ids of deals in whose activities these people took part. */
export async function findDealsOfContacts(
  tx: Tx,
  { organizationId, connectionId }: ConnectionKey,
  contactExternalIds: readonly string[],
): Promise<readonly string[]> {
  if (contactExternalIds.length === 0) return [];
  const rows = await query<{ deal_external_id: string }>(
    tx,
    sql`select distinct d.deal_external_id from jsonb_array_elements_text(${JSON.stringify(contactExternalIds)}::text::jsonb) c(id)
      join activity_parties p on p.organization_id = ${organizationId}::uuid and p.connection_id = ${connectionId}::uuid and p.kind = 'contact' and p.external_id = c.id
      join activity_deals d on d.organization_id = ${organizationId}::uuid and d.activity_id = p.activity_id`,
  );
  return rows.map((r) => r.deal_external_id);
}
