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

test('rows that no error of a 207 names are asked about once, alone, and never again', async () => {
  const sent: number[][] = [];
  const landed = await sendNarrowed([1, 2, 3], 100, async (batch) => {
    sent.push([...batch]);
    return batch.map((item) =>
      item === 2
        ? { status: 'unclear', error: { message: 'No such thing.' } }
        : { status: 'ok', value: item },
    );
  });
  expect(sent).toEqual([[1, 2, 3], [2]]);
  expect(landed[1]).toEqual({
    status: 'rejected',
    reason: 'validation',
    message: 'HubSpot says: No such thing.',
  });
});

test("a rule of the account's own is learnt from two rows and not asked about for each", async () => {
  let calls = 0;
  const landed = await sendNarrowed(
    Array.from({ length: 1_000 }, (_, at) => at),
    100,
    async () => {
      calls += 1;
      throw new Rejected('portal_configuration', 'region is required');
    },
  );
  expect(landed).toHaveLength(1_000);
  expect(new Set(landed.map((row) => row.status === 'rejected' && row.message))).toEqual(
    new Set(['region is required']),
  );
  expect(calls).toBeLessThan(60);
});

test('what landed before the sending broke off is told; the rest is for later', async () => {
  const landed = await sendNarrowed(
    Array.from({ length: 600 }, (_, at) => at),
    100,
    async (batch) => {
      if (batch.includes(450)) throw new ReconnectNeeded('the grant is gone');
      return ok(batch);
    },
  );
  expect(landed.filter((row) => row.status === 'ok')).toHaveLength(500);
  expect(landed[450]).toMatchObject({ status: 'later', message: 'the grant is gone' });
});
