import { sql as statement } from 'drizzle-orm';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type Database,
  openDatabase,
  query,
  type Tx,
  withOrganization,
} from '../../../src/platform/db/client.ts';
import { createTestDatabase, type TestDatabase } from '../../setup/database.ts';
import { createTenant } from '../../setup/tenant.ts';

let database: TestDatabase;
let db: Database;
/** Both tenants share one connection: whatever one leaves behind on it, the other would find. */
let superuser: postgres.Sql;
let [acme, globex] = ['', ''];
const NOBODY = '00000000-0000-0000-0000-000000000000';

beforeAll(async () => {
  database = await createTestDatabase();
  db = openDatabase(database.appUrl, 1);
  superuser = postgres(database.superuserUrl, { max: 1 });
  ({ organizationId: acme } = await createTenant(db, 'Acme'));
  ({ organizationId: globex } = await createTenant(db, 'Globex'));
  for (const organization of [acme, globex]) await fill(organization);
});
afterAll(async () => {
  await superuser.end();
  await db.close();
  await database.drop();
});

/** The same external ids in both: nothing that one tenant holds may stand in the other's way. */
async function fill(organization: string): Promise<void> {
  await withOrganization(db, organization, async (tx) => {
    await tx.execute(statement`
      insert into connections (organization_id, provider, account_external_id, status, scopes) values (${organization}::uuid, 'hubspot', '4711', 'active', '{}')`);
    await tx.execute(statement`
      insert into accounts (organization_id, connection_id, external_id, name, changed_at, read_at)
      select organization_id, id, 'c1', ${`company of ${organization}`}, now(), now() from connections`);
    await tx.execute(statement`
      insert into partners (organization_id, name, type) values (${organization}::uuid, 'Partner', 'reseller')`);
  });
}

/** Every tenant table, from the catalog: a new one is tested from its first day. */
async function tables(): Promise<readonly string[]> {
  const rows = await superuser<{ name: string }[]>`
    select relname as name from pg_class c where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
      and not relispartition order by 1`;
  return rows.map(({ name }) => name);
}
const organizationsSeen = async (tx: Tx, table: string): Promise<readonly string[]> =>
  (
    await query<{ id: string }>(
      tx,
      statement`select distinct organization_id as id from ${statement.identifier(table)}`,
    )
  ).map(({ id }) => id);

async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    const { cause } = error as Error;
    return ((cause ?? error) as { code?: string }).code;
  }
}

test('each organization sees its own rows of every table, and nobody else’s', async () => {
  const all = await tables();
  expect(all.length).toBeGreaterThan(20);
  for (const organization of [acme, globex, acme]) {
    await withOrganization(db, organization, async (tx) => {
      for (const table of all)
        expect((await organizationsSeen(tx, table)).filter((id) => id !== organization)).toEqual([]);
      for (const table of ['organizations', 'connections', 'accounts', 'partners', 'audit_log', 'rule_sets'])
        expect(await organizationsSeen(tx, table)).toEqual([organization]);
    });
  }
});

test('without an organization there is nothing, also on a connection that just served one', async () => {
  await withOrganization(db, acme, async (tx) => {
    expect(await organizationsSeen(tx, 'partners')).toEqual([acme]);
  });
  for (const table of await tables())
    expect(
      await db.orm.execute(statement`select 1 from ${statement.identifier(table)} limit 1`),
    ).toHaveLength(0);
  await withOrganization(db, NOBODY, async (tx) => {
    for (const table of await tables()) expect(await organizationsSeen(tx, table)).toEqual([]);
  });
  expect(await codeOf(withOrganization(db, 'not a uuid', (tx) => organizationsSeen(tx, 'partners')))).toBe(
    '22P02',
  );
  expect(
    await codeOf(
      db.orm.execute(
        statement`insert into partners (organization_id, name, type) values (${acme}::uuid, 'x', 'reseller')`,
      ),
    ),
  ).toBe('42501');
});

test('no organization changes, deletes, takes or plants a row of another', async () => {
  const before = await superuser`select * from partners order by organization_id, id`;
  await withOrganization(db, acme, async (tx) => {
    const foreign = statement`organization_id = ${globex}::uuid`;
    expect(
      await query(tx, statement`update partners set name = 'mine' where ${foreign} returning id`),
    ).toEqual([]);
    expect(await query(tx, statement`delete from partners where ${foreign} returning id`)).toEqual([]);
    expect(await query(tx, statement`select id from partners where ${foreign} for update`)).toEqual([]);
  });
  const plant = statement`insert into partners (organization_id, name, type) values (${globex}::uuid, 'x', 'reseller')`;
  const move = statement`update partners set organization_id = ${globex}::uuid`;
  for (const attempt of [plant, move])
    expect(await codeOf(withOrganization(db, acme, (tx) => tx.execute(attempt)))).toBe('42501');
  expect(await superuser`select * from partners order by organization_id, id`).toEqual(before);
});

test('no organization references a row of another, and cannot tell that it is there', async () => {
  const [theirs] = await superuser<{ partner: string; account: string; connection: string }[]>`
    select p.id as partner, a.id as account, a.connection_id as connection from partners p
    join accounts a using (organization_id) where organization_id = ${globex}`;
  if (!theirs) throw new Error('nothing to refer to');
  const refer = (partner: string, account: string) =>
    codeOf(
      withOrganization(db, acme, (tx) =>
        tx.execute(
          statement`insert into partner_links (organization_id, partner_id, account_id) values (${acme}::uuid, ${partner}::uuid, ${account}::uuid)`,
        ),
      ),
    );
  // A foreign id and one that never was: the same answer.
  expect(await refer(theirs.partner, theirs.account)).toBe('23503');
  expect(await refer(NOBODY, NOBODY)).toBe('23503');
  const add = (connection: string) =>
    codeOf(
      withOrganization(db, acme, (tx) =>
        tx.execute(
          statement`insert into accounts (organization_id, connection_id, external_id, changed_at, read_at) values (${acme}::uuid, ${connection}::uuid, 'c9', now(), now())`,
        ),
      ),
    );
  expect(await add(theirs.connection)).toBe('23503');
  expect(await add(NOBODY)).toBe('23503');
});

test('the same keys in two organizations never collide: a conflict would tell', async () => {
  // Ids too: even somebody who knows another's random id learns nothing by inserting it.
  const [theirs] = await superuser<
    { id: string }[]
  >`select id from partners where organization_id = ${globex}`;
  await withOrganization(db, acme, async (tx) => {
    await tx.execute(
      statement`insert into partners (organization_id, id, name, type) values (${acme}::uuid, ${theirs?.id}::uuid, 'same id', 'agency')`,
    );
    await tx.execute(
      statement`insert into work (organization_id, lane, scope_id, object, run_at, caused_at) values (${acme}::uuid, 'fetch', ${NOBODY}::uuid, 'x', now(), now())`,
    );
  });
  await withOrganization(db, globex, async (tx) => {
    const rows = await query(
      tx,
      statement`insert into work (organization_id, lane, scope_id, object, run_at, caused_at) values (${globex}::uuid, 'fetch', ${NOBODY}::uuid, 'x', now(), now())
        on conflict do nothing returning object`,
    );
    expect(rows).toHaveLength(1);
    expect(await query(tx, statement`select name from partners where id = ${theirs?.id}::uuid`)).toEqual([
      { name: 'Partner' },
    ]);
  });
});

test('errors, savepoints and a changed mind leave nothing of one organization to the next', async () => {
  for (let round = 0; round < 20; round++) {
    const [mine, other] = round % 2 === 0 ? [acme, globex] : [globex, acme];
    const failing = withOrganization(db, mine, async (tx) => {
      await tx
        .transaction(async (inner) => {
          await inner.execute(statement`update partners set name = 'half done'`);
          await inner.execute(statement`select 1 / 0`);
        })
        .catch(() => {});
      // The savepoint is undone; the transaction still is its own organization's.
      expect(await organizationsSeen(tx, 'partners')).toEqual([mine]);
      if (round % 3 === 0) await tx.execute(statement`select * from no_such_table`);
      if (round % 3 === 1) throw new Error('our own');
      await tx.execute(statement`select set_config('app.organization_id', ${other}, false)`);
      throw new Error('after a setting that would outlive a commit');
    });
    const next = withOrganization(db, other, (tx) => organizationsSeen(tx, 'partners'));
    await expect(failing).rejects.toThrow();
    expect(await next).toEqual([other]);
    expect(await db.orm.execute(statement`select 1 from partners`)).toHaveLength(0);
  }
  expect(await superuser`select 1 from partners where name = 'half done'`).toHaveLength(0);
});

test('many organizations at once over one connection keep apart', async () => {
  const seen = await Promise.all(
    Array.from({ length: 100 }, (_, at) => {
      const organization = at % 2 === 0 ? acme : globex;
      return withOrganization(db, organization, async (tx) => {
        if (at % 7 === 0) await tx.execute(statement`select 1 / 0`);
        return organizationsSeen(tx, 'accounts');
      }).then(
        (ids) => ids.join() === organization,
        () => at % 7 === 0,
      );
    }),
  );
  expect(seen).not.toContain(false);
});
