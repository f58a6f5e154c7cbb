import { expect, test } from 'vitest';
import {
  equalInConstantTime,
  newApiKey,
  newMasterKey,
  newPkce,
  openSecret,
  parseApiKey,
  parseMasterKeys,
  pkceChallenge,
  randomToken,
  rewrapSecret,
  type SealedSecret,
  type SecretPlace,
  sealSecret,
  sha256Base64Url,
  sha256Hex,
} from '../../src/platform/crypto.ts';

const v1 = { version: 'v1', key: new Uint8Array(32).fill(1) };
const v2 = { version: 'v2', key: new Uint8Array(32).fill(2) };
const place: SecretPlace = {
  organizationId: 'o',
  connectionId: 'c',
  provider: 'hubspot',
  field: 'refresh_token',
};

test('a secret opens where it was sealed, and no two sealings look alike', async () => {
  const one = await sealSecret([v1], place, 'grüße-token');
  const two = await sealSecret([v1], place, 'grüße-token');
  expect(await openSecret([v2, v1], place, one)).toBe('grüße-token');
  expect(one.iv).not.toEqual(two.iv);
  expect(one.ciphertext).not.toEqual(two.ciphertext);
});

test.each(['organizationId', 'connectionId', 'provider', 'field'] as const)(
  'moved to another %s it does not open',
  async (part) => {
    const sealed = await sealSecret([v1], place, 'token');
    await expect(openSecret([v1], { ...place, [part]: 'other' }, sealed)).rejects.toThrow(
      'belongs to another row',
    );
  },
);

test('ids that run together differently are different places', async () => {
  const sealed = await sealSecret([v1], { ...place, organizationId: 'ab', connectionId: 'c' }, 'token');
  await expect(
    openSecret([v1], { ...place, organizationId: 'a', connectionId: 'bc' }, sealed),
  ).rejects.toThrow('does not open');
});

test('relabelled as another key version it does not open, even where both versions hold the same key', async () => {
  const sealed = await sealSecret([v1], place, 'token');
  const twin = { version: 'v2', key: v1.key };
  await expect(openSecret([v1, twin], place, { ...sealed, kekVersion: 'v2' })).rejects.toThrow(
    'does not open',
  );
});

test('an unknown key version is named, and so are those that are held', async () => {
  const sealed = await sealSecret([v1], place, 'token');
  await expect(openSecret([v2], place, sealed)).rejects.toThrow('sealed under v1; MASTER_KEYS holds v2');
});

test.each(['wrappedKey', 'iv', 'ciphertext'] as const)('any flipped byte of %s is noticed', async (part) => {
  const sealed = await sealSecret([v1], place, 'token');
  for (let at = 0; at < sealed[part].length; at++)
    await expect(openSecret([v1], place, flip(sealed, part, at)), `${part}[${at}]`).rejects.toThrow(
      'does not open',
    );
});

test.each(['wrappedKey', 'ciphertext'] as const)('a truncated tag of %s is noticed', async (part) => {
  const sealed = await sealSecret([v1], place, 'token');
  for (const kept of [0, 4, 12, sealed[part].length - 4, sealed[part].length - 1])
    await expect(openSecret([v1], place, { ...sealed, [part]: sealed[part].slice(0, kept) })).rejects.toThrow(
      'does not open',
    );
});

test('rewrap moves a secret to the first key and leaves its ciphertext; done once it changes nothing', async () => {
  const old = await sealSecret([v1], place, 'token');
  const fresh = await rewrapSecret([v2, v1], place, old);
  expect(fresh.kekVersion).toBe('v2');
  expect(fresh.ciphertext).toBe(old.ciphertext);
  expect(await openSecret([v2], place, fresh)).toBe('token');
  expect(await rewrapSecret([v2, v1], place, fresh)).toBe(fresh);
  await expect(rewrapSecret([v2, v1], { ...place, connectionId: 'other' }, old)).rejects.toThrow(
    'does not open',
  );
});

test('a new master key is one that MASTER_KEYS accepts', () => {
  const entry = newMasterKey('v3');
  expect(parseMasterKeys(`${entry}, ${newMasterKey('v2')}`)).toMatchObject([
    { version: 'v3' },
    { version: 'v2' },
  ]);
  expect(parseMasterKeys('v1:AAAA')).toBe('must hold 32 bytes in base64 for v1');
  expect(parseMasterKeys('')).toBe('must be a list like v2:base64,v1:base64');
});

test('an API key is found by its prefix and hash; a mistyped one is refused without a look-up', async () => {
  const key = await newApiKey();
  expect(key.text).toMatch(/^trb_[0-9A-Za-z]{8}_[0-9A-Za-z]{38}$/);
  expect(await parseApiKey(key.text)).toEqual({ prefix: key.prefix, hash: key.hash });
  expect(key.hash).toBe(await sha256Hex(key.text));
  for (let at = 0; at < key.text.length; at++) {
    const wrong = key.text.slice(0, at) + (key.text[at] === 'x' ? 'y' : 'x') + key.text.slice(at + 1);
    expect(await parseApiKey(wrong), `character ${at}`).toBeNull();
  }
  expect(await parseApiKey('')).toBeNull();
  expect((await newApiKey()).text).not.toBe(key.text);
});

test('PKCE follows RFC 7636, appendix B', async () => {
  expect(await pkceChallenge('dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk')).toBe(
    'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
  );
  const { verifier, challenge } = await newPkce();
  expect(verifier).toMatch(/^[\w-]{43}$/);
  expect(challenge).toBe(await sha256Base64Url(verifier));
});

test('hashes and tokens', async () => {
  expect(await sha256Hex('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  expect(randomToken(16)).toMatch(/^[\w-]{22}$/);
  expect(randomToken()).not.toBe(randomToken());
});

test.each([
  ['abc', 'abc', true],
  ['abc', 'abd', false],
  ['abc', 'abcabc', false],
  ['', 'a', false],
  ['a', '', false],
  ['', '', true],
])('equal in constant time: %j and %j are %s', (left, right, expected) => {
  expect(equalInConstantTime(left, right)).toBe(expected);
});

function flip(sealed: SealedSecret, part: 'wrappedKey' | 'iv' | 'ciphertext', at: number): SealedSecret {
  const bytes = sealed[part].slice();
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return { ...sealed, [part]: bytes };
}
