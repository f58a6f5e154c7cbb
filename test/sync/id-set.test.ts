import { expect, test } from 'vitest';
import { createIdSet } from '../../src/sync/id-set.ts';

test('holds whatever was added, numbers and texts, and nothing else', () => {
  const set = createIdSet();
  const ids = (n: number) => [
    String(n),
    `00${n}`,
    `006Qy00000${n.toString(36)}AAC`,
    String(10n ** 20n + BigInt(n)),
  ];
  for (let n = 1; n <= 20_000; n++) for (const id of [...ids(n), ...ids(n)]) set.add(id);
  expect(set.size).toBe(80_000);
  for (let n = 1; n <= 20_000; n += 7) expect(ids(n).filter((id) => !set.has(id))).toEqual([]);
  for (let n = 20_001; n <= 60_000; n += 7) expect(ids(n).filter((id) => set.has(id))).toEqual([]);
});
