import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import {
  ConfigError,
  describeConfig,
  type Environment,
  parseConfig,
  parseKeys,
} from '../../src/platform/config.ts';

const root = path.resolve(import.meta.dirname, '../..');
const KEY_1 = btoa('1'.repeat(32));
const KEY_2 = btoa('2'.repeat(32));
const least: Environment = {
  PUBLIC_URL: 'https://tributary.example/',
  MASTER_KEYS: `v2:${KEY_2},v1:${KEY_1}`,
  HUBSPOT_CLIENT_ID: 'client',
  HUBSPOT_CLIENT_SECRET: 'canary-client-secret',
};

test('the least environment gives a whole configuration', () => {
  const config = parseConfig(least);
  expect(config).toMatchObject({
    port: 8080,
    host: '127.0.0.1',
    publicUrl: 'https://tributary.example',
    role: 'all',
    database: { kind: 'embedded', dataDir: null, xdgDataHome: null },
    sandboxPort: null,
    metricsToken: null,
    retention: { uninstalledDays: 30, inboxDays: 30 },
    pollIntervalMs: 300_000,
  });
  expect(config.masterKeys.map(({ version }) => version)).toEqual(['v2', 'v1']);
  expect(config.hubspot).toMatchObject({
    webhookSecrets: ['canary-client-secret'],
    appId: null,
    apiUrl: 'https://api.hubapi.com',
    ratePer10s: 110,
    searchPerSecond: 4,
  });
});

test('a real database, rotation and the demo’s settings', () => {
  const config = parseConfig({
    ...least,
    DATABASE_URL: 'postgres://app:a@db/tributary',
    DATABASE_OWNER_URL: 'postgresql://owner:o@db/tributary',
    HUBSPOT_WEBHOOK_SECRETS: 'new, old',
    HUBSPOT_API_URL: 'http://127.0.0.1:4010',
    PUBLIC_URL: 'http://localhost:8080',
    SANDBOX_PORT: '4010',
  });
  expect(config.database).toMatchObject({ kind: 'external', appUrl: 'postgres://app:a@db/tributary' });
  expect(config.hubspot).toMatchObject({ webhookSecrets: ['new', 'old'], apiUrl: 'http://127.0.0.1:4010' });
  expect(config.sandboxPort).toBe(4010);
});

test('everything that is wrong is said at once, with what it is for, and no secret’s value', () => {
  const error = refusal({
    PORT: '80800',
    ROLE: 'boss',
    PUBLIC_URL: 'http://tributary.example',
    DATABASE_URL: 'mysql://root:canary-password@db/x',
    MASTER_KEYS: 'v1:canaryCanary',
    HUBSPOT_CLIENT_ID: '  ',
    HUBSPOT_RATE_HEADROOM: '2',
    LOG_LEVEL: 'loud',
  });
  expect(error.exitCode).toBe(78);
  expect(error.problems.map(({ key, problem }) => `${key} ${problem}`)).toEqual([
    'PORT must be a whole number from 1 to 65535 (is "80800")',
    'PUBLIC_URL must be an https URL without query or password (http is allowed for localhost only) (is "http://tributary.example")',
    'ROLE must be one of all, web, worker (is "boss")',
    'DATABASE_URL must be a postgres:// URL',
    'MASTER_KEYS must hold 32 bytes in base64 for v1',
    'HUBSPOT_CLIENT_ID is missing',
    'HUBSPOT_CLIENT_SECRET is missing',
    'HUBSPOT_RATE_HEADROOM must be a share from 0 to 0.99 (is "2")',
    'LOG_LEVEL must be one of debug, info, warn, error, fatal (is "loud")',
    'DATABASE_OWNER_URL is missing while the other is set',
  ]);
  expect(error.problems.every(({ what }) => what.length > 10)).toBe(true);
  expect(error.message).toMatch(/^The configuration has 10 problems:\n {2}PORT must/);
  expect(error.message).not.toMatch(/canary/i);
});

test.each([
  ['one database URL without the other', { DATABASE_OWNER_URL: 'postgres://o@db/x' }, 'DATABASE_URL'],
  ['a URL with a password in it', { HUBSPOT_API_URL: 'https://user:canary@api.example' }, 'HUBSPOT_API_URL'],
  ['plain http to a host that only looks local', { PUBLIC_URL: 'http://localhost.example' }, 'PUBLIC_URL'],
  ['a key version twice', { MASTER_KEYS: `v1:${KEY_1},v1:${KEY_2}` }, 'MASTER_KEYS'],
  ['a list of nothing', { HUBSPOT_WEBHOOK_SECRETS: ' , ' }, 'HUBSPOT_WEBHOOK_SECRETS'],
])('refused: %s', (_, change, key) => {
  expect(refusal({ ...least, ...change }).problems.map((problem) => problem.key)).toEqual([key]);
});

test('nothing secret has a default', () => {
  for (const { key, secret, default: fallback } of describeConfig())
    expect(secret && fallback !== null, key).toBe(false);
  expect(
    describeConfig()
      .filter(({ required }) => required)
      .map(({ key }) => key),
  ).toEqual(['PUBLIC_URL', 'MASTER_KEYS', 'HUBSPOT_CLIENT_ID', 'HUBSPOT_CLIENT_SECRET']);
});

test('a command asks for the keys that it needs and no more', () => {
  expect(parseKeys({ MASTER_KEYS: `v7:${KEY_1}` }, ['MASTER_KEYS', 'LOG_LEVEL'])).toMatchObject({
    MASTER_KEYS: [{ version: 'v7' }],
    LOG_LEVEL: 'info',
  });
  expect(() => parseKeys({}, ['MASTER_KEYS'])).toThrow(ConfigError);
});

test('process.env is read in config only', () => {
  const sources = fs.globSync(['src/**/*.ts', 'connectors/**/*.ts'], { cwd: root });
  const readers = sources.filter((file) =>
    /process\.env|from 'node:process'/.test(fs.readFileSync(path.join(root, file), 'utf8')),
  );
  expect(readers).toEqual(['src/platform/config.ts']);
});

function refusal(env: Environment): ConfigError {
  try {
    parseConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error;
  }
  throw new Error('accepted');
}
