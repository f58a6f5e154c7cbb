import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { composeTributary, type Tributary } from '../../src/compose.ts';
import { createInstallLink } from '../../src/identity/install-link-store.ts';
import { createOrganization } from '../../src/identity/store.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { parseConfig } from '../../src/platform/config.ts';
import { newMasterKey } from '../../src/platform/crypto.ts';
import { type Database, openDatabase, withOrganization } from '../../src/platform/db/client.ts';
import { type HttpServer, serveHttp } from '../../src/platform/http/node.ts';
import { memoryLog } from '../../src/platform/log.ts';
import { createMetrics } from '../../src/platform/metrics-node.ts';
import { listConnections } from '../../src/sync/connection-store.ts';
import { type SandboxServer, startSandboxServer } from '../sandbox/hubspot/server.ts';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';
import { launchBrowser } from './chromium.ts';

const PORTAL = 1_000_001;
const BY = { actor: { kind: 'operator', id: 'test' }, now: new Date() } as const;
let database: TestDatabase;
let db: Database;
let server: HttpServer;
let sandbox: SandboxServer;
let browser: Browser;
let missing: string | null = null;
let publicUrl: string;
let organizationId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  db = openDatabase(database.appUrl, 4);
  let app: Tributary['app'] | undefined;
  server = await serveHttp(
    { fetch: (request) => app?.fetch(request) ?? new Response(null, { status: 503 }) },
    { port: 0, host: '127.0.0.1' },
  );
  publicUrl = `http://localhost:${server.port}`;
  const keys = { clientId: 'client-id', clientSecret: 'client-secret' };
  sandbox = await startSandboxServer({
    port: 0,
    clock: systemClock,
    ...keys,
    redirectUrls: [`${publicUrl}/oauth/hubspot/callback`],
    portals: [{ portalId: PORTAL, name: 'Portal in a browser' }],
  });
  const config = parseConfig({
    PUBLIC_URL: publicUrl,
    MASTER_KEYS: newMasterKey('v1'),
    HUBSPOT_CLIENT_ID: keys.clientId,
    HUBSPOT_CLIENT_SECRET: keys.clientSecret,
    HUBSPOT_API_URL: sandbox.url,
    HUBSPOT_APP_URL: sandbox.url,
  });
  const parts = { config, db, clock: systemClock, log: memoryLog(), metrics: createMetrics(), readiness: [] };
  app = composeTributary(parts).app;
  const organization = await createOrganization(db, { name: 'Acme', timeZone: 'Europe/Berlin' }, BY);
  organizationId = organization.organizationId;
  const launched = await launchBrowser();
  if ('missing' in launched) missing = launched.missing;
  else browser = launched;
}, 90_000);
afterAll(async () => {
  await browser?.close();
  await server?.close(0);
  await sandbox?.close();
  await db?.close();
  await database?.drop();
});

async function newLink(): Promise<string> {
  const link = await withOrganization(db, organizationId, (tx) =>
    createInstallLink(tx, { organizationId, provider: 'hubspot' }, BY),
  );
  return `${publicUrl}/install/${link.token}`;
}

test('an admin connects a portal in a real browser: link, button, consent, done', async ({ skip }) => {
  if (missing !== null) skip(missing);
  const page = await browser.newPage();
  const problems: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  await page.goto(await newLink());
  await page.getByRole('button').click();
  await page.getByRole('button', { name: 'Approve' }).click();
  await page.waitForURL(/\/oauth\/hubspot\/callback/);
  expect(await page.getByRole('heading', { level: 1 }).innerText()).toMatch(/connected/i);
  expect(problems).toEqual([]);
  const connected = await withOrganization(db, organizationId, (tx) => listConnections(tx, organizationId));
  expect(connected.map((c) => c.accountExternalId)).toEqual([String(PORTAL)]);
});

test('a link that was used says so, and a consent that another browser began connects nothing', async ({
  skip,
}) => {
  if (missing !== null) skip(missing);
  const used = await newLink();
  const page = await browser.newPage();
  await page.goto(used);
  await page.getByRole('button').click();
  await page.waitForURL(/\/oauth\/authorize/);
  const consent = page.url();
  await page.goto(used);
  expect(await page.getByRole('heading', { level: 1 }).innerText()).not.toMatch(/connect .* to/i);
  expect(await page.getByRole('button').count()).toBe(0);

  const stranger = await browser.newContext();
  const foreign = await stranger.newPage();
  await foreign.goto(consent);
  await foreign.getByRole('button', { name: 'Approve' }).click();
  await foreign.waitForURL(/\/oauth\/hubspot\/callback/);
  expect(await foreign.getByRole('heading', { level: 1 }).innerText()).not.toMatch(/^connected/i);
  await stranger.close();
});
