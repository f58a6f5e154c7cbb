import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../setup/database.ts';

let database: TestDatabase;
let sql: postgres.Sql;
beforeAll(async () => {
  database = await createTestDatabase();
  sql = postgres(database.superuserUrl, { max: 1, onnotice: () => {} });
});
afterAll(async () => {
  await sql.end();
  await database.drop();
});

/** Tables the cross-tenant functions may read over all tenants, and the only ones. */
const DOORS = ['api_keys', 'connections', 'install_links', 'oauth_states', 'organizations', 'work'];
/** The only functions that look across tenants; they return ids or figures. */
const DOOR_FUNCTIONS = [
  'accept_notices',
  'beat',
  'dead_pool_jobs',
  'ensure_run_partitions',
  'fan_out_notices',
  'forget_notices',
  'lease_calls',
  'newest_beat',
  'organization_for_api_key',
  'organization_for_install_link',
  'organization_for_oauth_state',
  'organization_ids',
  'organizations_for_account',
  'reap_dead_pools',
  'refresh_statistics',
  'refuse_change',
  'release_leaked',
  'release_leases',
  'schema_version',
  'wake',
  'wake_due_work',
  'work_figures',
];

/** What is wrong with the tenancy of this database, in sentences. */
async function offences(db: postgres.Sql): Promise<string[]> {
  const rows = await db<{ offence: string }[]>`
    with t as (
      select c.oid, c.relname, c.relrowsecurity, c.relforcerowsecurity, c.relispartition from pg_class c
      where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')),
    p as (select p.polrelid, p.polname, p.polcmd, p.polpermissive,
        pg_get_expr(p.polqual, p.polrelid) as qual, pg_get_expr(p.polwithcheck, p.polrelid) as chk from pg_policy p),
    shape as (select '(organization_id = ( SELECT (NULLIF(current_setting(''app.organization_id''::text, true), ''''::text))::uuid AS "nullif"))' as expr)
    select t.relname || ': row security is not enabled and forced' as offence from t where not (relrowsecurity and relforcerowsecurity)
    union all
    select t.relname || ': no tenant policy of the one shape' from t where not relispartition and not exists (
      select from p, shape where p.polrelid = t.oid and p.polname = 'tenant' and p.polcmd = '*' and regexp_replace(p.qual, '\\s+', ' ', 'g') = shape.expr and p.chk = p.qual)
    union all
    select t.relname || ': unexpected policy ' || p.polname from t join p on p.polrelid = t.oid
      where p.polname <> 'tenant' and not (p.polname = 'door' and t.relname = any(${DOORS}))
    union all
    select t.relname || ': organization_id is not the first column of key ' || i.relname from t
      join pg_index x on x.indrelid = t.oid and (x.indisunique or x.indisexclusion) join pg_class i on i.oid = x.indexrelid
      join pg_attribute a on a.attrelid = t.oid and a.attnum = x.indkey[0] where a.attname <> 'organization_id'
    union all
    select t.relname || ': foreign key ' || f.conname || ' does not carry organization_id first' from t
      join pg_constraint f on f.conrelid = t.oid and f.contype = 'f'
      join pg_attribute a on a.attrelid = t.oid and a.attnum = f.conkey[1]
      join pg_attribute b on b.attrelid = f.confrelid and b.attnum = f.confkey[1]
      where a.attname <> 'organization_id' or b.attname <> 'organization_id'
    union all
    select t.relname || ': the app role may ' || g.right_name from t
      cross join (values ('TRUNCATE'), ('REFERENCES'), ('TRIGGER')) g(right_name) where has_table_privilege('tributary_app', t.oid, g.right_name)
    union all
    select t.relname || ': the app role reaches a partition past its parent' from t where relispartition and has_table_privilege('tributary_app', t.oid, 'SELECT')
    union all
    select 'ops.' || relname || ': the app role may read machinery' from pg_class c where c.relnamespace = 'ops'::regnamespace and c.relkind in ('r', 'p')
      and (has_table_privilege('tributary_app', c.oid, 'SELECT') or has_table_privilege('tributary_app', c.oid, 'INSERT') or has_table_privilege('tributary_app', c.oid, 'UPDATE') or has_table_privilege('tributary_app', c.oid, 'DELETE'))
    union all
    select 'function ' || proname || ' is not a named door' from pg_proc where pronamespace = 'ops'::regnamespace and not proname = any(${DOOR_FUNCTIONS})
    union all
    select 'function ' || proname || ' has no fixed search_path' from pg_proc where prosecdef and pronamespace in ('ops'::regnamespace, 'public'::regnamespace)
      and not coalesce(array_to_string(proconfig, ',') like '%search_path%', false)
    union all
    select 'function ' || proname || ' may be run by everybody' from pg_proc where pronamespace = 'ops'::regnamespace and has_function_privilege('public', oid, 'EXECUTE')
    union all
    select 'role ' || rolname || ' is above row security' from pg_roles where rolname in ('tributary_app', 'tributary_owner') and (rolsuper or rolbypassrls)
    order by 1`;
  return rows.map((r) => r.offence);
}

test('every table carries the tenant boundary, and only the named doors look across it', async () => {
  expect(await offences(sql)).toEqual([]);
});

test('a table or function that forgets any of it is found', async () => {
  const cases: [ddl: string, offence: RegExp][] = [
    ['create table forgetful (organization_id uuid, id uuid primary key)', /forgetful: row security/],
    [
      'create table forgetful (organization_id uuid, id uuid primary key)',
      /forgetful: organization_id is not the first/,
    ],
    ['alter table deals no force row level security', /deals: row security/],
    ['alter table deals disable row level security', /deals: row security/],
    ['drop policy tenant on deals', /deals: no tenant policy/],
    ['create policy more on deals using (true)', /deals: unexpected policy more/],
    ['create policy door on deals using (true)', /deals: unexpected policy door/],
    ['alter policy tenant on deals using (true)', /deals: no tenant policy/],
    ['create unique index u on deals (external_id)', /organization_id is not the first column of key u/],
    ['grant truncate on deals to tributary_app', /deals: the app role may TRUNCATE/],
    ['grant select on ops.notices to tributary_app', /ops.notices: the app role may read/],
    [
      "create function ops.peek() returns int language sql security definer as 'select 1'",
      /peek is not a named door/,
    ],
    [
      'grant execute on function ops.organization_ids() to public',
      /organization_ids may be run by everybody/,
    ],
    ['alter role tributary_app bypassrls', /tributary_app is above row security/],
  ];
  for (const [ddl, offence] of cases) {
    await sql
      .begin(async (tx) => {
        await tx.unsafe(ddl);
        expect((await offences(tx as unknown as postgres.Sql)).join('\n')).toMatch(offence);
        throw new Error('roll back');
      })
      .catch((error: Error) => {
        if (error.message !== 'roll back') throw error;
      });
  }
});
