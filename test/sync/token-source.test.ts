import postgres from 'postgres';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createHubSpotOAuth } from '../../connectors/hubspot/oauth.ts';
import { type Clock, systemClock } from '../../src/platform/clock.ts';
import { type MasterKey, newMasterKey, parseMasterKeys } from '../../src/platform/crypto.ts';
import { type Database, openDatabase, withOrganization } from '../../src/platform/db/client.ts';
import { Misconfigured, ReconnectNeeded, RetryLater } from '../../src/platform/errors.ts';
import { memoryLog } from '../../src/platform/log.ts';
import { saveConnection } from '../../src/sync/connection-store.ts';
import { createTokenSource, type TokenOwner } from '../../src/sync/token-source.ts';
import { leaseRefresh, saveGrant } from '../../src/sync/token-store.ts';
import { createVirtualClock, type VirtualClock } from '../sandbox/virtual-clock.ts';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';
import { createTenant } from '../setup/tenant.ts';
import { type OAuthServer, startOAuthServer } from './oauth-server.ts';

let database: TestDatabase;
let sql: postgres.Sql;
let dbs: readonly Database[];
let crm: OAuthServer;
let owner: TokenOwner;
let masterKeys: readonly MasterKey[];
const log = memoryLog();

beforeAll(async () => {
  database = await createTestDatabase();
  sql = postgres(database.superuserUrl, { max: 1 });
  dbs = [openDatabase(database.appUrl, 5), openDatabase(database.appUrl, 5)];
  const keys = parseMasterKeys(newMasterKey('v1'));
  if (typeof keys === 'string') throw new Error(keys);
  masterKeys = keys;
});
afterAll(async () => {
  await Promise.all(dbs.map((db) => db.close()));
  await sql.end();
  await database.drop();
});
beforeEach(async () => {
  crm = await startOAuthServer();
  const { organizationId } = await createTenant(first(), 'Acme');
  const accountExternalId = String(crm.grants.portalId);
  const { connectionId } = await withOrganization(first(), organizationId, (tx) =>
    saveConnection(tx, {
      organizationId,
      provider: 'hubspot',
      accountExternalId,
      scopes: [],
      partnerFields: [],
    }),
  );
  owner = { organizationId, connectionId, provider: 'hubspot', accountExternalId };
  await grant('access-0', new Date());
});
afterEach(() => crm.close(0));

const first = (): Database => {
  const [db] = dbs;
  if (!db) throw new Error('no database');
  return db;
};

/** Stores a pair of which the refresh token works, once. */
async function grant(accessToken: string, expiresAt: Date): Promise<void> {
  crm.living.add(`refresh-of-${accessToken}`);
  const tokens = {
    accessToken,
    refreshToken: `refresh-of-${accessToken}`,
    expiresAt: expiresAt.toISOString(),
    accountExternalId: owner.accountExternalId,
    userExternalId: null,
    scopes: [],
  };
  await withOrganization(first(), owner.organizationId, (tx) => saveGrant(tx, owner, tokens, masterKeys));
}

const sourceOn = (db: Database, clock: Clock = systemClock, clientSecret = 'secret') =>
  createTokenSource({
    db,
    clock,
    log,
    masterKeys,
    oauth: () => createHubSpotOAuth({ apiUrl: crm.url, appUrl: crm.url }),
    app: () => ({ clientId: 'client', clientSecret, redirectUrl: 'http://localhost/callback' }),
  });
const status = async () =>
  (await sql`select status from connections where id = ${owner.connectionId}`)[0]?.status;

test('200 callers in two processes cause one refresh, and all get the new token', async () => {
  const sources = dbs.map((db) => sourceOn(db));
  const tokens = await Promise.all(Array.from({ length: 200 }, (_, at) => sources[at % 2]?.tokenFor(owner)));
  expect(crm.calls).toEqual(['refresh_token']);
  expect(new Set(tokens).size).toBe(1);
  expect(tokens[0]).toMatch(/^access-/);
  expect(tokens[0]).not.toBe('access-0');
});

test('a token is used until five minutes before its end, and a refused one is refreshed at once', async () => {
  const clock = createVirtualClock(new Date());
  const source = sourceOn(first(), clock);
  await grant('access-1', new Date(clock.nowMs() + 30 * 60_000));
  expect(await source.tokenFor(owner)).toBe('access-1');
  // Somebody with an older refused token is given the newer one.
  expect(await source.tokenFor(owner, { refused: 'access-0' })).toBe('access-1');
  expect(crm.calls).toEqual([]);
  const next = await source.tokenFor(owner, { refused: 'access-1' });
  expect(next).not.toBe('access-1');
  await clock.advance(25 * 60_000 - 1000);
  expect(await source.tokenFor(owner)).toBe(next);
  await clock.advance(2000);
  expect(await source.tokenFor(owner)).not.toBe(next);
  expect(crm.calls).toHaveLength(2);
});

test('a holder that died is waited for until its lease ends, then the next caller refreshes', async () => {
  const clock = createVirtualClock(new Date(), { autoAdvance: false });
  const holder = crypto.randomUUID();
  const until = new Date(clock.nowMs() + 30_000);
  await withOrganization(first(), owner.organizationId, (tx) =>
    leaseRefresh(tx, owner, { holder, version: 1, now: clock.now(), until }),
  );
  const startedAt = clock.nowMs();
  const token = sourceOn(first(), clock).tokenFor(owner);
  const got = await settle(token, clock, 5_000);
  expect(got).toMatch(/^access-/);
  expect(clock.nowMs() - startedAt).toBeGreaterThanOrEqual(30_000);
  expect(clock.nowMs() - startedAt).toBeLessThanOrEqual(35_000);
  expect(crm.calls).toHaveLength(1);
});

test('a revoked grant ends in "reconnect needed" and is not asked about again', async () => {
  crm.living.clear();
  const source = sourceOn(first());
  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => source.tokenFor(owner)));
  for (const outcome of outcomes) expect(outcome).toMatchObject({ reason: expect.any(ReconnectNeeded) });
  await expect(source.tokenFor(owner)).rejects.toThrow(/connect it again/);
  expect(crm.calls).toHaveLength(1);
  expect(await status()).toBe('reconnect_needed');
  const audit = await sql`
    select action from audit_log where organization_id = ${owner.organizationId} and action like 'connection.%'`;
  expect(audit).toHaveLength(1);
});

test('a grant that somebody renewed while ours was refused is used, and nothing is disconnected', async () => {
  crm.living.clear();
  crm.beforeAnswer = async () => {
    if (crm.calls.length === 1) await grant('access-9', new Date(Date.now() + 30 * 60_000));
    crm.living.delete('refresh-of-access-0');
  };
  expect(await sourceOn(first()).tokenFor(owner)).toBe('access-9');
  expect(await status()).toBe('active');
});

test('a wrong setting of our app disconnects nobody and is said aloud', async () => {
  await expect(sourceOn(first(), systemClock, 'wrong').tokenFor(owner)).rejects.toThrow(Misconfigured);
  expect(await status()).toBe('active');
  expect(log.lines.find((line) => line.message === 'Token refresh failed')).toMatchObject({ level: 'error' });
  expect(await sourceOn(first()).tokenFor(owner)).toMatch(/^access-/);
});

test('a provider that does not answer is asked once, not once per waiting caller', async () => {
  crm.failure = { status: 503, body: {} };
  const clock = createVirtualClock(new Date());
  const source = sourceOn(first(), clock);
  // Answered when all the others wait.
  crm.beforeAnswer = async () => {
    while (clock.sleeping() < 19) await turn();
  };
  const callers = Array.from({ length: 20 }, () => source.tokenFor(owner));
  const outcomes = Promise.allSettled(callers);
  await expect(Promise.race(callers)).rejects.toThrow(RetryLater);
  await clock.advance(200);
  for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: expect.any(RetryLater) });
  expect(crm.calls).toHaveLength(1);
  expect(await status()).toBe('active');
});

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Moves time on, a step at a time, whenever the only caller sleeps. */
async function settle<T>(work: Promise<T>, clock: VirtualClock, stepMs: number): Promise<T> {
  let isOver = false;
  void work.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    await turn();
    if (clock.sleeping() > 0) await clock.advance(stepMs);
  }
  return work;
}
