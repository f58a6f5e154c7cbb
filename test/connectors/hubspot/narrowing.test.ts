import { expect, test } from 'vitest';
import { sendNarrowed } from '../../../connectors/hubspot/narrowing.ts';
import { ReconnectNeeded, Rejected, RetryLater } from '../../../src/platform/errors.ts';

const items = Array.from({ length: 250 }, (_, at) => at);
const ok = (batch: readonly number[]) => batch.map((value) => ({ status: 'ok', value }) as const);

test('a batch refused as a whole is halved until the bad rows stand alone', async () => {
  const bad = new Set([0, 7, 8, 131, 249]);
  let calls = 0;
  const landed = await sendNarrowed(items, 100, async (batch) => {
    calls += 1;
    if (batch.some((item) => bad.has(item))) throw new Rejected('validation', 'no');
    return ok(batch);
  });
  expect(landed.map((row, at) => (row.status === 'rejected' ? at : -1)).filter((at) => at >= 0)).toEqual([
    ...bad,
  ]);
  expect(landed.filter((row) => row.status === 'ok').map((row) => row.status === 'ok' && row.value)).toEqual(
    items.filter((item) => !bad.has(item)),
  );
  expect(calls).toBeLessThan(80);
});

test('a request to wait stops the rest, and loses no row', async () => {
  let calls = 0;
  const landed = await sendNarrowed(
    Array.from({ length: 1_000 }, (_, at) => at),
    100,
    async (batch) => {
      calls += 1;
      if (batch.includes(150)) throw new RetryLater('wait', 5_000);
      return ok(batch);
    },
  );
  expect(landed).toHaveLength(1_000);
  expect(calls).toBe(3);
  expect(landed.filter((row) => row.status === 'ok')).toHaveLength(200);
  expect(landed[999]).toEqual({ status: 'later', afterMs: 5_000, message: 'wait' });
});

test('what concerns the connection is not blamed on a row', async () => {
  for (const error of [new Rejected('missing_scope', 'x'), new ReconnectNeeded('x'), new TypeError('bug')]) {
    await expect(sendNarrowed(items, 100, () => Promise.reject(error))).rejects.toBe(error);
  }
});
