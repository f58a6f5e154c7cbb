import { expect, test } from 'vitest';
import { openSecret, type SealedSecret, sealSecret } from '../../src/platform/crypto.ts';
import { rewrapAll, type StoredSecret } from '../../src/platform/rewrap.ts';

const v1 = { version: 'v1', key: new Uint8Array(32).fill(1) };
const v2 = { version: 'v2', key: new Uint8Array(32).fill(2) };

/** Rows in memory with the two operations that the real store has; pages of two. */
async function storeOf(count: number) {
  const rows = new Map<string, StoredSecret>();
  for (let at = 0; at < count; at++) {
    const place = {
      organizationId: 'o',
      connectionId: `c${at}`,
      provider: 'hubspot',
      field: 'refresh_token',
    };
    rows.set(`c${at}`, { id: `c${at}`, place, sealed: await sealSecret([v1], place, `token ${at}`) });
  }
  return {
    rows,
    list: async (version: string, afterId: string | null) =>
      [...rows.values()]
        .filter(({ id, sealed }) => sealed.kekVersion !== version && id > (afterId ?? ''))
        .slice(0, 2),
    replace: async (secret: StoredSecret, sealed: SealedSecret) => {
      if (rows.get(secret.id)?.sealed.wrappedKey !== secret.sealed.wrappedKey) return false;
      rows.set(secret.id, { ...secret, sealed });
      return true;
    },
  };
}

test('every secret ends under the first key and opens without the old one; a second run finds nothing', async () => {
  const store = await storeOf(5);
  expect(await rewrapAll({ keys: [v2, v1], ...store })).toEqual({
    rewrapped: 5,
    changedMeanwhile: 0,
    unreadable: [],
  });
  for (const { place, sealed, id } of store.rows.values())
    expect(await openSecret([v2], place, sealed)).toBe(`token ${id.slice(1)}`);
  expect(await rewrapAll({ keys: [v2, v1], ...store })).toMatchObject({ rewrapped: 0 });
});

test('a secret that does not open is reported, left alone, and stops nobody else', async () => {
  const store = await storeOf(5);
  const broken = store.rows.get('c1') as StoredSecret;
  store.rows.set('c1', { ...broken, place: { ...broken.place, connectionId: 'c2' } });
  const result = await rewrapAll({ keys: [v2, v1], ...store });
  expect(result).toMatchObject({
    rewrapped: 4,
    unreadable: [{ id: 'c1', reason: expect.stringContaining('does not open') }],
  });
  expect(store.rows.get('c1')?.sealed).toBe(broken.sealed);
});

test('a token that the app refreshed meanwhile is not overwritten by the old one', async () => {
  const store = await storeOf(1);
  const refreshed = store.rows.get('c0') as StoredSecret;
  const fresh = await sealSecret([v2], refreshed.place, 'refreshed');
  const replace: typeof store.replace = (secret, sealed) => {
    store.rows.set('c0', { ...refreshed, sealed: fresh });
    return store.replace(secret, sealed);
  };
  expect(await rewrapAll({ keys: [v2, v1], ...store, replace })).toMatchObject({
    rewrapped: 0,
    changedMeanwhile: 1,
  });
  expect(store.rows.get('c0')?.sealed).toBe(fresh);
});
