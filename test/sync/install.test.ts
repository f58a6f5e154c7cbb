import postgres from 'postgres';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createHubSpotOAuth } from '../../connectors/hubspot/oauth.ts';
import { createInstallLink } from '../../src/identity/install-link-store.ts';
import { type MasterKey, newMasterKey, parseMasterKeys } from '../../src/platform/crypto.ts';
import { type Database, openDatabase, withOrganization } from '../../src/platform/db/client.ts';
import { createHttpApp } from '../../src/platform/http/app.ts';
import { memoryLog } from '../../src/platform/log.ts';
import { type InstallDeps, redirectUrlOf } from '../../src/sync/install.ts';
import { addInstallRoutes } from '../../src/sync/install-routes.ts';
import { createVirtualClock } from '../sandbox/virtual-clock.ts';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';
import { createTenant } from '../setup/tenant.ts';
import { type OAuthServer, startOAuthServer } from './oauth-server.ts';

const PUBLIC_URL = 'https://tributary.example';
let database: TestDatabase;
let db: Database;
let sql: postgres.Sql;
let crm: OAuthServer;
const clock = createVirtualClock(new Date('2026-11-20T10:00:00Z'));
const log = memoryLog();
const app = createHttpApp({ log, clock, metrics: null, metricsToken: null, readiness: [] });
const localApp = createHttpApp({ log, clock, metrics: null, metricsToken: null, readiness: [] });
let organizationId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  db = openDatabase(database.appUrl, 4);
  sql = postgres(database.superuserUrl, { max: 1 });
  crm = await startOAuthServer();
  const masterKeys = parseMasterKeys(newMasterKey('v1'));
  if (typeof masterKeys === 'string') throw new Error(masterKeys);
  addInstallRoutes(app, depsAt(PUBLIC_URL, masterKeys));
  addInstallRoutes(localApp, depsAt('http://localhost:8080', masterKeys));
});

const depsAt = (publicUrl: string, masterKeys: readonly MasterKey[]): InstallDeps => ({
  db,
  clock,
  masterKeys,
  publicUrl,
  oauth: () => createHubSpotOAuth({ apiUrl: crm.url, appUrl: crm.url }),
  app: (provider) => ({
    clientId: 'client',
    clientSecret: 'secret',
    redirectUrl: redirectUrlOf(publicUrl, provider),
  }),
});
afterAll(async () => {
  await crm.close(0);
  await sql.end();
  await db.close();
  await database.drop();
});
beforeEach(async () => {
  ({ organizationId } = await createTenant(db, 'Acme <Corp>'));
  crm.failure = null;
  crm.grants.portalId += 1;
  crm.grants.scopes = createHubSpotOAuth({ apiUrl: '', appUrl: '' }).scopes.required;
});

async function newLink(): Promise<string> {
  const by = { actor: { kind: 'operator', id: 'test' }, now: clock.now() } as const;
  const link = await withOrganization(db, organizationId, (tx) =>
    createInstallLink(tx, { organizationId, provider: 'hubspot' }, by),
  );
  return `/install/${link.token}`;
}

/** Presses the button. */
async function begin(path: string) {
  const response = await app.request(path, { method: 'POST', headers: { 'sec-fetch-site': 'same-origin' } });
  expect(response.status).toBe(303);
  const setCookie = response.headers.get('set-cookie') ?? '';
  return {
    authorizeUrl: response.headers.get('location') ?? '',
    cookie: setCookie.split(';')[0] ?? '',
    setCookie,
  };
}

/** Comes back from the provider. */
async function comeBack(url: URL, cookie: string | null) {
  const response = await app.request(url.pathname + url.search, {
    headers: cookie === null ? {} : { cookie },
  });
  return { status: response.status, page: await response.text(), headers: response.headers };
}

const connections = () => sql`select * from connections where organization_id = ${organizationId}`;

test('a link shows who asks for what, and looking at it uses nothing up', async () => {
  const path = await newLink();
  for (let look = 0; look < 3; look++) {
    const response = await app.request(path);
    const page = await response.text();
    expect(response.status).toBe(200);
    expect(page).toContain('Acme &lt;Corp&gt;');
    expect(page).toContain('<form method="post">');
    expect(page).not.toContain('<script');
    expect(response.headers.get('content-security-policy')).toMatch(/default-src 'none'; style-src 'nonce-/);
  }
  expect((await app.request('/install/unknown')).status).toBe(404);
});

test('installing stores the connection, sealed tokens, positions, work and audit at once', async () => {
  const path = await newLink();
  const { authorizeUrl, cookie, setCookie } = await begin(path);
  expect(setCookie).toMatch(/^__Host-tributary_install=[\w-]{43};/);
  for (const attribute of ['HttpOnly', 'Secure', 'SameSite=Lax', 'Path=/'])
    expect(setCookie).toContain(attribute);
  const { status, page } = await comeBack(crm.consent(authorizeUrl), cookie);
  expect(page).toContain('Connected, reading started');
  expect(status).toBe(200);

  const [connection] = await connections();
  expect(connection).toMatchObject({ account_external_id: String(crm.grants.portalId), status: 'active' });
  const [tokens] = await sql`select * from connection_tokens where organization_id = ${organizationId}`;
  expect(JSON.stringify(tokens)).not.toMatch(/access-|refresh-/);
  const kinds = await sql`select kind from sync_positions where organization_id = ${organizationId}`;
  expect(kinds.map((row) => row.kind).sort()).toEqual(
    ['account', 'call', 'contact', 'deal', 'email', 'meeting', 'note', 'task'].sort(),
  );
  const work = await sql`select lane from work where organization_id = ${organizationId} order by lane`;
  expect(work.map((row) => row.lane)).toEqual(['backfill', 'check-up']);
  const [audit] = await sql`
    select * from audit_log where organization_id = ${organizationId} and action = 'connection.install'`;
  expect(audit).toMatchObject({ actor_kind: 'crm_user', actor_id: `hubspot:${crm.grants.portalId}:222` });
  const secrets = [cookie.split('=')[1], authorizeUrl, path];
  for (const secret of secrets) expect(JSON.stringify(log.lines)).not.toContain(secret);
});

test('a link works once, also for two who press at the same time, and not after half an hour', async () => {
  const path = await newLink();
  const presses = await Promise.all([1, 2, 3].map(() => app.request(path, { method: 'POST' })));
  expect(presses.map(({ status }) => status).sort()).toEqual([303, 404, 404]);
  expect((await app.request(path)).status).toBe(404);
  const late = await newLink();
  await clock.advance(30 * 60_000);
  expect((await app.request(late, { method: 'POST' })).status).toBe(404);
});

test('on plain http, which is allowed for localhost only, the cookie does without what browsers refuse there', async () => {
  const response = await localApp.request(await newLink(), { method: 'POST' });
  const setCookie = response.headers.get('set-cookie') ?? '';
  expect(setCookie).toMatch(/^tributary_install=[\w-]{43};/);
  expect(setCookie).toMatch(/HttpOnly; SameSite=Lax/);
  expect(setCookie).not.toContain('Secure');
  const [cookie = ''] = setCookie.split(';');
  const back = crm.consent(response.headers.get('location') ?? '');
  const done = await localApp.request(back.pathname + back.search, { headers: { cookie } });
  expect(done.status).toBe(200);
});

test('another site cannot press the button', async () => {
  const path = await newLink();
  const response = await app.request(path, { method: 'POST', headers: { 'sec-fetch-site': 'cross-site' } });
  expect(response.status).toBe(403);
  expect((await app.request(path)).status).toBe(200);
});

test('forged, foreign-browser, reused and expired states are refused, and nothing is stored', async () => {
  const { authorizeUrl, cookie } = await begin(await newLink());
  const forged = crm.consent(authorizeUrl);
  forged.searchParams.set('state', 'A'.repeat(43));
  expect(await comeBack(forged, cookie)).toMatchObject({ status: 400 });
  const { cookie: foreign } = await begin(await newLink());
  const back = crm.consent(authorizeUrl);
  expect(await comeBack(back, foreign)).toMatchObject({ status: 400 });
  expect(await comeBack(back, null)).toMatchObject({ status: 400 });
  const elsewhere = new URL(back);
  elsewhere.pathname = '/oauth/pipedrive/callback';
  expect(await comeBack(elsewhere, cookie)).toMatchObject({ status: 400 });
  expect(await connections()).toHaveLength(0);

  // The right browser still can: the strangers spoilt nothing. But only once.
  expect(await comeBack(back, cookie)).toMatchObject({ status: 200 });
  const again = await comeBack(back, cookie);
  expect(again.status).toBe(400);
  expect(again.page).toContain(again.headers.get('x-request-id'));

  crm.grants.portalId += 1;
  const slow = await begin(await newLink());
  await clock.advance(10 * 60_000);
  expect(await comeBack(crm.consent(slow.authorizeUrl), slow.cookie)).toMatchObject({ status: 400 });
  expect(await connections()).toHaveLength(1);
});

test('a refusal, a missing permission and a provider in trouble each say what to do', async () => {
  const attempt = async (decision: 'approve' | 'deny' = 'approve') => {
    const { authorizeUrl, cookie } = await begin(await newLink());
    return comeBack(crm.consent(authorizeUrl, decision), cookie);
  };
  expect(await attempt('deny')).toMatchObject({ status: 400, page: expect.stringContaining('Super Admin') });
  crm.grants.scopes = ['oauth', 'crm.objects.deals.read'];
  const missing = await attempt();
  expect(missing.status).toBe(400);
  expect(missing.page).toContain('crm.objects.companies.read');
  expect(missing.page).not.toContain('crm.objects.deals.read');
  crm.failure = { status: 503, body: {} };
  expect(await attempt()).toMatchObject({ status: 503, page: expect.stringContaining('does not answer') });
  crm.failure = { status: 400, body: { status: 'BAD_CLIENT_SECRET', error: 'invalid_client' } };
  expect(await attempt()).toMatchObject({ status: 502, page: expect.stringContaining('Request id') });
  expect(log.lines.some((line) => line.level === 'error' && line.message === 'The CRM refuses our app')).toBe(
    true,
  );
  crm.failure = { status: 400, body: { status: 'BAD_AUTH_CODE', error: 'invalid_grant' } };
  expect(await attempt()).toMatchObject({ status: 400 });
  expect(await connections()).toHaveLength(0);
});

test('installing the same portal again takes up the old connection and its waiting work', async () => {
  const install = async () => {
    const { authorizeUrl, cookie } = await begin(await newLink());
    return comeBack(crm.consent(authorizeUrl), cookie);
  };
  await install();
  const [first] = await connections();
  await sql`update connections set status = 'reconnect_needed', status_reason = 'gone' where organization_id = ${organizationId}`;
  await sql`insert into work (organization_id, lane, scope_id, object, run_at, caused_at)
    values (${organizationId}, 'fetch', ${first?.id}, 'deal:1', '2027-01-01', '2026-11-20')`;
  expect((await install()).page).toContain('connected again');
  const now = await connections();
  expect(now).toHaveLength(1);
  expect(now[0]).toMatchObject({ id: first?.id, status: 'active', status_reason: null });
  const [waiting] = await sql`
    select run_at <= ${clock.now()} as due from work where organization_id = ${organizationId} and lane = 'fetch'`;
  expect(waiting).toMatchObject({ due: true });
  const [tokens] = await sql`select version from connection_tokens where organization_id = ${organizationId}`;
  expect(tokens).toMatchObject({ version: 2 });
});
