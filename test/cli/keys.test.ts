import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parseMasterKeys } from '../../src/platform/crypto.ts';

const KEYS = fileURLToPath(new URL('../../src/cli/keys.ts', import.meta.url));
const run = (args: readonly string[], env: Record<string, string> = {}) =>
  spawnSync(process.execPath, [KEYS, ...args], { env, encoding: 'utf8' });

test('new prints nothing but an entry, one version above those in MASTER_KEYS', () => {
  const first = run(['new']);
  expect(first.status).toBe(0);
  expect(parseMasterKeys(first.stdout.trim())).toMatchObject([{ version: 'v1' }]);
  const second = run(['new'], { MASTER_KEYS: first.stdout });
  expect(parseMasterKeys(second.stdout.trim())).toMatchObject([{ version: 'v2' }]);
});

test('bad keys end with 78, an unknown command with the usage', () => {
  const bad = run(['new'], { MASTER_KEYS: 'v1:canary' });
  expect([bad.status, bad.stdout]).toEqual([78, '']);
  expect(bad.stderr).toContain('MASTER_KEYS must hold 32 bytes');
  expect(bad.stderr).not.toContain('canary');
  expect(run(['lose'])).toMatchObject({ status: 64, stderr: expect.stringContaining('usage: npm run keys') });
});
