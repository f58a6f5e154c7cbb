import postgres from 'postgres';
import { expect, test } from 'vitest';
import { createTestDatabase } from '../setup/database.ts';

test('a test file gets a database of its own, with the app role held down', async () => {
  const one = await createTestDatabase();
  const two = await createTestDatabase();
  const owner = postgres(one.ownerUrl, { max: 1 });
  const app = postgres(two.appUrl, { max: 1 });
  try {
    await owner`create table only_in_one (id int)`;
    expect(await app`select to_regclass('only_in_one') as found`).toMatchObject([{ found: null }]);
    const [role] =
      await app`select rolsuper, rolbypassrls, rolcreatedb, rolcreaterole from pg_roles where rolname = current_user`;
    expect(role).toEqual({ rolsuper: false, rolbypassrls: false, rolcreatedb: false, rolcreaterole: false });
    await expect(app`create table not_allowed (id int)`).rejects.toMatchObject({ code: '42501' });
  } finally {
    await Promise.all([owner.end(), app.end()]);
    await Promise.all([one.drop(), two.drop()]);
  }
});
