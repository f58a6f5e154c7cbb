import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createOrganization } from '../../src/identity/store.ts';
import { newMasterKey, parseMasterKeys, SecretUnreadable } from '../../src/platform/crypto.ts';
import { type Database, openDatabase, withOrganization } from '../../src/platform/db/client.ts';
import { saveConnection } from '../../src/sync/connection-store.ts';
import { findTokens, openToken, saveGrant } from '../../src/sync/token-store.ts';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  db = openDatabase(database.appUrl, 2);
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

const keys = (...entries: string[]) => {
  const parsed = parseMasterKeys(entries.join(','));
  if (typeof parsed === 'string') throw new Error(parsed);
  return parsed;
};
const run = (args: readonly string[], env: Record<string, string>) => {
  const cli = fileURLToPath(new URL('../../src/cli/keys.ts', import.meta.url));
  return spawnSync(process.execPath, [cli, ...args], {
    env: { PATH: process.env.PATH, ...env },
    encoding: 'utf8',
  });
};

test('a new key is put in front, rewrap brings every stored token under it, and the old key can go', async () => {
  const old = newMasterKey('v1');
  const fresh = run(['new'], { MASTER_KEYS: old }).stdout.trim();
  expect(fresh).toMatch(/^v2:/);

  const by = { actor: { kind: 'operator', id: 'test' }, now: new Date() } as const;
  const owners = [];
  for (const name of ['A', 'B']) {
    const { organizationId } = await createOrganization(db, { name, timeZone: 'UTC' }, by);
    const owner = await withOrganization(db, organizationId, async (tx) => {
      const account = {
        organizationId,
        provider: 'hubspot',
        accountExternalId: '1',
        scopes: [],
        partnerFields: [],
      } as const;
      const { connectionId } = await saveConnection(tx, account);
      const key = { organizationId, connectionId, provider: 'hubspot' } as const;
      const tokens = {
        accessToken: `access-${name}`,
        refreshToken: `refresh-${name}`,
        expiresAt: '2026-11-20T10:00:00.000Z',
        accountExternalId: '1',
        userExternalId: null,
        scopes: [],
      };
      await saveGrant(tx, key, tokens, keys(old));
      return key;
    });
    owners.push({ owner, name });
  }

  const env = {
    DATABASE_URL: database.appUrl,
    DATABASE_OWNER_URL: database.ownerUrl,
    MASTER_KEYS: `${fresh},${old}`,
  };
  const rewrapped = run(['rewrap'], env);
  expect(rewrapped.stderr).toBe('');
  expect(rewrapped).toMatchObject({ status: 0, stdout: '4 secrets are now under v2\n' });
  expect(run(['rewrap'], env).stdout).toBe('0 secrets are now under v2\n');

  for (const { owner, name } of owners) {
    const stored = await withOrganization(db, owner.organizationId, (tx) => findTokens(tx, owner));
    if (stored === null) throw new Error('the tokens are gone');
    expect(await openToken(keys(fresh), owner, stored, 'access')).toBe(`access-${name}`);
    expect(await openToken(keys(fresh), owner, stored, 'refresh')).toBe(`refresh-${name}`);
    await expect(openToken(keys(old), owner, stored, 'access')).rejects.toThrow(SecretUnreadable);
  }
});

test('a command that is not there shows the usage; a bad key list says so with code 78', () => {
  expect(run(['turn'], {})).toMatchObject({ status: 64, stderr: expect.stringContaining('new | rewrap') });
  expect(run(['rewrap'], { MASTER_KEYS: 'nonsense' })).toMatchObject({ status: 78 });
});
