import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runAdmin } from '../../src/cli/admin/run.ts';
import { resolveApiKey } from '../../src/identity/api-key-store.ts';
import { findInstallLink } from '../../src/identity/install-link-store.ts';
import { type Database, openDatabase } from '../../src/platform/db/client.ts';
import { migrateDatabase } from '../../src/platform/db/migrate.ts';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';

let database: TestDatabase;
let db: Database;
let sql: postgres.Sql;
const now = new Date('2026-11-20T10:00:00Z');

beforeAll(async () => {
  database = await createTestDatabase();
  db = openDatabase(database.appUrl, 1);
  sql = postgres(database.superuserUrl, { max: 1, onnotice: () => {} });
});
afterAll(async () => {
  await sql.end();
  await db.close();
  await database.drop();
});

async function admin(line: string, env: Readonly<Record<string, string>> = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runAdmin(line === '' ? [] : line.split(' ').map((word) => word.replaceAll('_', ' ')), {
    env: { DATABASE_URL: database.appUrl, PUBLIC_URL: 'https://tributary.example', ...env },
    now: () => now,
    out: (text) => out.push(text),
    err: (text) => err.push(text),
  });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

test('an operator makes an organization, a member, a key and an install link', async () => {
  const made = await admin(
    'create-organization --name Acme_Corp --time-zone Europe/Berlin --history-from 2025-01-01',
  );
  expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/^[0-9a-f-]{36}$/) });
  expect((await admin('list-organizations')).out).toContain(`${made.out}\tEurope/Berlin\tAcme Corp`);
  expect((await admin('add-member --organization Acme_Corp --email A@acme.example --role admin')).code).toBe(
    0,
  );
  const twice = await admin(`add-member --organization ${made.out} --email a@ACME.example --role viewer`);
  expect(twice).toMatchObject({ code: 1, err: 'a@acme.example is a member of this organization already.' });

  const key = await admin(
    'create-key --organization Acme_Corp --name ci --scopes read,write --expires-days 7',
  );
  expect(key.out).toMatch(/^trb_\w+$/);
  expect(await resolveApiKey(db, key.out, now)).toMatchObject({
    organizationId: made.out,
    scopes: ['read', 'write'],
  });
  const inAWeek = new Date('2026-11-27T10:00:00Z');
  expect(await resolveApiKey(db, key.out, inAWeek)).toBeNull();
  const id = /Key (\S+) of/.exec(key.err)?.[1];
  expect((await admin(`revoke-key --organization Acme_Corp --key ${id}`)).code).toBe(0);
  expect(await resolveApiKey(db, key.out, now)).toBeNull();

  const link = await admin('install-link --organization Acme_Corp --provider hubspot');
  const [, token = ''] = /^https:\/\/tributary\.example\/install\/([\w-]{43})$/.exec(link.out) ?? [];
  expect(await findInstallLink(db, token, now)).toMatchObject({
    organizationId: made.out,
    provider: 'hubspot',
  });
  const actors = await sql`select distinct actor_kind, actor_id from audit_log`;
  expect(actors).toEqual([{ actor_kind: 'operator', actor_id: 'cli' }]);
});

test.each([
  ['', /Name a command/],
  ['destroy', /There is no command destroy/],
  ['create-organization --name x', /needs --time-zone/],
  ['create-organization --name x --time-zone UTC --color red', /color/],
  ['create-key --organization x --name y --scopes everything', /must be a list of read, write, admin/],
  ['create-key --organization x --name y --scopes read --expires-days 0', /whole number/],
  ['install-link --organization x --provider zoho', /must be one of hubspot/],
  ['add-member --organization x --email nobody --role admin', /not an e-mail address/],
  ['roles', /either --print or --superuser-url/],
])('bad usage %s ends with 2 and the usage', async (line, message) => {
  const { code, err, out } = await admin(line);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toMatch(message);
  expect(err).toContain('usage: npm run admin');
});

test('what cannot be done is one sentence and ends with 1', async () => {
  expect(await admin('create-key --organization Nobody --name x --scopes read')).toMatchObject({
    code: 1,
    err: 'There is no organization called Nobody.',
  });
  expect((await admin('create-organization --name x --time-zone Mars/Olympus')).err).toContain(
    'not an IANA time zone',
  );
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'tributary-admin-'));
  const none = await admin('list-organizations', { DATABASE_URL: '', DATA_DIR: home });
  expect(none.code).toBe(1);
  expect(none.err).toMatch(/no embedded PostgreSQL runs on .* or set DATABASE_URL and DATABASE_OWNER_URL/);
  fs.rmSync(home, { recursive: true });
  expect((await admin('list-organizations', { DATABASE_URL: 'postgres://x:y@127.0.0.1:1/z' })).err).toContain(
    'cannot be reached',
  );
  expect((await admin('help')).code).toBe(0);
});

test('without DATABASE_URL the running embedded server is found by its data folder', async () => {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'tributary-admin-'));
  const url = new URL(database.appUrl);
  fs.mkdirSync(path.join(home, 'cluster', 'data'), { recursive: true });
  for (const role of ['tributary_app', 'tributary_owner'])
    fs.writeFileSync(path.join(home, 'cluster', `${role}.secret`), url.password);
  const pidFile = ['pid', '/data', '1', url.port, '', '127.0.0.1', '', 'ready   ', ''];
  const write = (pid: number) =>
    fs.writeFileSync(
      path.join(home, 'cluster', 'data', 'postmaster.pid'),
      [pid, ...pidFile.slice(1)].join('\n'),
    );
  write(process.pid);
  const found = await admin('list-organizations', { DATABASE_URL: '', DATA_DIR: home });
  // Nobody migrated the database `tributary` of this run's server: that it says so shows that it was reached.
  expect(found).toMatchObject({ code: 1, err: expect.stringContaining('is not set up') });
  write(2 ** 22 + 1);
  const dead = await admin('list-organizations', { DATABASE_URL: '', DATA_DIR: home });
  expect(dead.err).toContain('no embedded PostgreSQL runs');
  fs.rmSync(home, { recursive: true });
});

test('work that was set aside is listed and taken up again', async () => {
  const { out: organization } = await admin('create-organization --name Waiting --time-zone UTC');
  await sql`insert into work (organization_id, lane, scope_id, object, run_at, caused_at, attempts, set_aside_at, reason)
    values (${organization}, 'fetch', ${organization}, 'deal:1', ${now}, ${now}, 6, ${now}, 'The portal hides deals.')`;
  expect((await admin('set-aside list --organization Waiting')).out).toContain(
    'deal:1\tThe portal hides deals.',
  );
  expect((await admin('set-aside retry --organization Waiting --lane recompute')).out).toBe('0');
  expect((await admin('set-aside retry --organization Waiting')).out).toBe('1');
  expect(await admin('set-aside list --organization Waiting')).toMatchObject({
    out: '',
    err: 'Nothing waits for a person.',
  });
});

test('roles makes a fresh database ready for migrations by the owner and requests by the app', async () => {
  const name = `roles${Date.now()}`;
  await sql`create database ${sql(name)}`;
  const url = new URL(database.superuserUrl);
  url.pathname = `/${name}`;
  const made = await admin(`roles --superuser-url ${url.href}`);
  expect(made.err).toContain('tributary_owner was there already and keeps its password.');
  expect(made.code).toBe(0);
  expect(made.out).toContain('DATABASE_OWNER_URL=postgres://tributary_owner:');
  const owner = new URL(database.ownerUrl);
  owner.pathname = `/${name}`;
  await migrateDatabase(owner.href);
  const app = new URL(database.appUrl);
  app.pathname = `/${name}`;
  expect((await admin('create-organization --name x --time-zone UTC', { DATABASE_URL: app.href })).code).toBe(
    0,
  );
  await sql`drop database ${sql(name)} with (force)`;

  const printed = await admin('roles --print --database my"db');
  expect(printed.out).toMatch(
    /create role tributary_app login nosuperuser nobypassrls .* password '[\w-]{43}';/,
  );
  expect(printed.out).toContain('on database "my""db"');
});
