import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { requireApiKey } from '../../src/identity/api-guard.ts';
import { type ApiScope, createApiKey, revokeApiKey } from '../../src/identity/api-key-store.ts';
import { createOrganization } from '../../src/identity/store.ts';
import { newApiKey } from '../../src/platform/crypto.ts';
import { type Database, openDatabase, withOrganization } from '../../src/platform/db/client.ts';
import { createHttpApp } from '../../src/platform/http/app.ts';
import { memoryLog } from '../../src/platform/log.ts';
import { createVirtualClock } from '../sandbox/virtual-clock.ts';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';
import { createTenant } from '../setup/tenant.ts';

let database: TestDatabase;
let db: Database;
let sql: postgres.Sql;
let organizationId: string;
const clock = createVirtualClock(new Date('2026-11-20T10:00:00Z'));
const log = memoryLog();
const app = createHttpApp({ log, clock, metrics: null, metricsToken: null, readiness: [] });

beforeAll(async () => {
  database = await createTestDatabase();
  db = openDatabase(database.appUrl, 2);
  sql = postgres(database.superuserUrl, { max: 1 });
  ({ organizationId } = await createTenant(db, 'Acme'));
  for (const scope of ['read', 'write', 'admin'] as const)
    app.get(`/${scope}`, requireApiKey({ db, clock }, scope), (context) =>
      context.json(context.get('caller')),
    );
});
afterAll(async () => {
  await sql.end();
  await db.close();
  await database.drop();
});

const by = () => ({ actor: { kind: 'operator', id: 'test' }, now: clock.now() }) as const;
const createKey = (scopes: readonly ApiScope[], expiresAt: Date | null = null) =>
  withOrganization(db, organizationId, (tx) =>
    createApiKey(tx, { organizationId, name: 'test', scopes, expiresAt }, by()),
  );
const ask = (path: string, authorization?: string) =>
  app.request(path, { headers: authorization === undefined ? {} : { authorization } });

test('a key says whose it is and may do what its scope includes', async () => {
  const { id, text } = await createKey(['write']);
  const response = await ask('/read', `Bearer ${text}`);
  expect(await response.json()).toEqual({
    organizationId,
    actor: { kind: 'api_key', id },
    scopes: ['write'],
  });
  expect((await ask('/write', `bearer ${text}`)).status).toBe(200);
  const refused = await ask('/admin', `Bearer ${text}`);
  expect(refused.status).toBe(403);
  expect(refused.headers.get('www-authenticate')).toContain('error="insufficient_scope", scope="admin"');
});

test('unknown, mistyped, expired and revoked keys get one and the same answer', async () => {
  const expired = await createKey(['read'], new Date(clock.nowMs() + 1000));
  const revoked = await createKey(['read']);
  await withOrganization(db, organizationId, (tx) =>
    revokeApiKey(tx, { organizationId, id: revoked.id }, by()),
  );
  const unknown = await newApiKey();
  await clock.advance(1000);
  const answers = await Promise.all(
    [expired.text, revoked.text, unknown.text, `${unknown.text.slice(0, -1)}~`, 'x'].map(async (text) => {
      const response = await ask('/read', `Bearer ${text}`);
      const { requestId: _, ...body } = (await response.json()) as Record<string, unknown>;
      return { status: response.status, challenge: response.headers.get('www-authenticate'), body };
    }),
  );
  expect(answers[0]).toMatchObject({
    status: 401,
    challenge: 'Bearer realm="tributary", error="invalid_token"',
  });
  for (const answer of answers) expect(answer).toEqual(answers[0]);
  const none = await ask('/read');
  expect(none.status).toBe(401);
  expect(none.headers.get('www-authenticate')).toBe('Bearer realm="tributary"');
  expect((await ask('/read', 'Basic eDp5')).status).toBe(401);
});

test('the last use is noted once a minute at most', async () => {
  const { id, text } = await createKey(['read']);
  const lastUse = async () => (await sql`select last_used_at, xmin from api_keys where id = ${id}`)[0];
  expect((await lastUse())?.last_used_at).toBeNull();
  await ask('/read', `Bearer ${text}`);
  const first = await lastUse();
  expect(first?.last_used_at).toEqual(clock.now());
  await clock.advance(59_000);
  await Promise.all([1, 2, 3].map(() => ask('/read', `Bearer ${text}`)));
  expect(await lastUse()).toEqual(first);
  await clock.advance(1_000);
  await ask('/read', `Bearer ${text}`);
  expect((await lastUse())?.last_used_at).toEqual(clock.now());
});

test('a key is stored as a hash, and neither logs nor the audit log hold it', async () => {
  const { text } = await createKey(['admin']);
  await ask('/admin', `Bearer ${text}`);
  const [stored] = await sql`select json_agg(k)::text as keys from api_keys k`;
  const [audit] = await sql`select json_agg(a)::text as audit from audit_log a`;
  const secret = text.slice(13);
  for (const written of [stored?.keys, audit?.audit, JSON.stringify(log.lines)])
    expect(written).not.toContain(secret);
  expect(audit?.audit).toContain('api-key.create');
});

test('an organization starts with the default rules and needs an IANA time zone', async () => {
  const [rules] = await sql`select version, status from rule_sets where organization_id = ${organizationId}`;
  expect(rules).toEqual({ version: 1, status: 'applied' });
  for (const timeZone of ['+02:00', 'EST', 'Mars/Olympus', 'CET-1CEST', '', "UTC'--"])
    await expect(createOrganization(db, { name: 'x', timeZone }, by())).rejects.toMatchObject({
      reason: 'time_zone',
    });
  const { timeZone } = await createOrganization(db, { name: 'y', timeZone: 'america/new_york' }, by());
  expect(timeZone).toBe('America/New_York');
});

test('the audit log cannot be rewritten, not even by its owner', async () => {
  const owner = postgres(database.ownerUrl, { max: 1 });
  await expect(sql`update audit_log set action = 'x'`).rejects.toThrow('append-only');
  await expect(owner`truncate audit_log`).rejects.toThrow('append-only');
  await owner.end();
});
