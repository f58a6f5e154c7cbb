import type postgres from 'postgres';
import { createOrganization } from '../../src/identity/store.ts';
import type { Database } from '../../src/platform/db/client.ts';

export interface RecordsSize {
  readonly deals: number;
  readonly activitiesPerDeal: number;
  readonly partnersPerDeal: number;
}

const PARTNERS = 60;

/** An organization with won deals, partners, and held meetings of the partners' people on the deals. @returns its id */
export async function seedRecords(
  db: Database,
  superuser: postgres.Sql,
  { deals, activitiesPerDeal, partnersPerDeal }: RecordsSize,
): Promise<string> {
  const by = { actor: { kind: 'operator', id: 'bench' }, now: new Date() } as const;
  const { organizationId } = await createOrganization(db, { name: 'Bench', timeZone: 'Europe/Berlin' }, by);
  await superuser.begin(async (sql) => {
    // Random (version 4) uuids as the tables make them, only that the same name gives the same one.
    await sql`create function pg_temp.id(name text) returns uuid language sql immutable as
      $$ select overlay(overlay(md5(name) placing '4' from 13) placing 'a' from 17)::uuid $$`;
    await sql`create temporary table ids on commit drop as select ${organizationId}::uuid as o, gen_random_uuid() as c`;
    await sql`insert into connections (organization_id, id, provider, account_external_id, status, scopes)
      select o, c, 'hubspot', '1', 'active', '{}' from ids`;
    await sql`insert into accounts (organization_id, id, connection_id, external_id, name, changed_at, read_at)
      select o, pg_temp.id('account' || n), c, 'a' || n, 'Company ' || n, now(), now() from ids, generate_series(0, ${PARTNERS}) n`;
    await sql`insert into partners (organization_id, id, name, type)
      select o, pg_temp.id('partner' || n), 'Partner ' || n, 'referral' from ids, generate_series(1, ${PARTNERS}) n`;
    await sql`insert into partner_links (organization_id, partner_id, account_id)
      select o, pg_temp.id('partner' || n), pg_temp.id('account' || n) from ids, generate_series(1, ${PARTNERS}) n`;
    await sql`insert into contact_accounts (organization_id, connection_id, contact_external_id, account_external_id)
      select o, c, 'p' || n, 'a' || n from ids, generate_series(1, ${PARTNERS}) n`;
    await sql`insert into deals (organization_id, id, connection_id, external_id, name, state, amount_minor, currency, exponent,
        close_at, close_on, crm_created_at, won_at, won_seq, changed_at, read_at)
      select o, pg_temp.id('deal' || d), c, 'd' || d, 'Deal ' || d, 'won', 100000 + d, 'EUR', 2,
        '2026-06-30 10:00Z', '2026-06-30', '2026-02-01 10:00Z', '2026-06-30 10:00Z', 1, now(), now()
      from ids, generate_series(1, ${deals}::int) d`;
    await sql`insert into deal_accounts (organization_id, connection_id, deal_id, account_external_id, is_primary)
      select o, c, pg_temp.id('deal' || d), 'a0', true from ids, generate_series(1, ${deals}::int) d`;
    await sql`insert into activities (organization_id, id, connection_id, kind, external_id, occurred_at, logged_at, outcome, label, changed_at, read_at)
      select o, pg_temp.id('activity' || d || '.' || n), c, 'meeting', d || '.' || n, '2026-03-01 09:00Z'::timestamptz + n * interval '53 hours',
        '2026-03-01 18:00Z'::timestamptz + n * interval '53 hours', 'done', (array['Demo', 'Proposal', null])[1 + n % 3], now(), now()
      from ids, generate_series(1, ${deals}::int) d, generate_series(1, ${activitiesPerDeal}::int) n`;
    await sql`insert into activity_deals (organization_id, activity_id, deal_external_id, connection_id)
      select o, pg_temp.id('activity' || d || '.' || n), 'd' || d, c
      from ids, generate_series(1, ${deals}::int) d, generate_series(1, ${activitiesPerDeal}::int) n`;
    await sql`insert into activity_parties (organization_id, activity_id, kind, external_id, connection_id)
      select o, pg_temp.id('activity' || d || '.' || n), 'contact', 'p' || (1 + (d * 7 + n % ${partnersPerDeal}::int) % ${PARTNERS}::int), c
      from ids, generate_series(1, ${deals}::int) d, generate_series(1, ${activitiesPerDeal}::int) n`;
  });
  await superuser`analyze`;
  return organizationId;
}
