import { HttpResponse, http } from 'msw';
import { setupServer } from 'msw/node';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import type { Bucket } from '../../../connectors/hubspot/client.ts';
import { createHubSpotClient } from '../../../connectors/hubspot/client.ts';
import { newContext } from './context.ts';

const server = setupServer();
beforeAll(() => server.listen({ onUnhandledFrame: 'error' }));
afterEach(() => server.resetHandlers());
afterAll(() => server.close());

const signal = new AbortController().signal;
type Answer = (request: Request) => Response | Promise<Response>;

/** Answers in turn; the last one stays. */
function answer(...answers: readonly Answer[]): { readonly seen: Request[] } {
  const seen: Request[] = [];
  server.use(
    http.all('https://hubspot.test/*', async ({ request }) => {
      seen.push(request.clone());
      return (answers[seen.length - 1] ?? answers.at(-1))?.(request) ?? HttpResponse.error();
    }),
  );
  return { seen };
}
const fail = (status: number, body: unknown = {}, headers: Record<string, string> = {}): Answer => {
  return () => HttpResponse.json(body as object, { status, headers });
};
const ok: Answer = () => HttpResponse.json({ done: true });

function setUp(
  options: {
    repeatable?: boolean;
    bucket?: Bucket;
    deadlineMs?: number;
    timeZone?: string;
    startAt?: string;
  } = {},
) {
  const facts = options.timeZone === undefined ? null : { ...FACTS, timeZone: options.timeZone };
  const { ctx, recorded } = newContext({ facts, ...(options.startAt ? { startAt: options.startAt } : {}) });
  const call = createHubSpotClient(ctx, { random: () => 0, deadlineMs: options.deadlineMs ?? 20_000 });
  const send = (abort: AbortSignal = signal) =>
    call(
      {
        operation: 'deals.search',
        bucket: options.bucket ?? 'search',
        method: 'POST',
        path: '/crm/x',
        query: { a: 'b' },
        body: { n: 1 },
        schema: z.object({ done: z.boolean() }),
        repeatable: options.repeatable ?? true,
      },
      abort,
    );
  return { send, recorded };
}
const FACTS = {
  externalId: '1',
  name: null,
  timeZone: 'UTC',
  homeCurrency: 'EUR',
  currencies: { EUR: 2 },
  pipelines: [],
  owners: [],
  dealAccountLabels: [],
  partnerFieldCandidates: [],
  recordBaseUrl: '',
  edition: null,
};

test('sends our token and parses the answer; budget and report each once', async () => {
  const { seen } = answer(ok);
  const { send, recorded } = setUp();
  expect(await send()).toEqual({ done: true });
  expect(seen[0]?.url).toBe('https://hubspot.test/crm/x?a=b');
  expect(seen[0]?.headers.get('authorization')).toBe('Bearer token-1');
  expect(await seen[0]?.json()).toEqual({ n: 1 });
  expect(recorded).toMatchObject({ budget: ['search'], calls: ['deals.search ok'], waits: [] });
});

test.each([
  ['TEN_SECONDLY_ROLLING', {}, [2_500, 5_000]],
  ['TEN_SECONDLY_ROLLING', { 'x-hubspot-ratelimit-interval-milliseconds': '4000' }, [1_000, 2_000]],
  ['SECONDLY', {}, [1_000, 2_000]],
  ['SECONDLY', { 'retry-after': '7' }, [7_000, 7_000]],
  [undefined, {}, [2_500, 5_000]],
])('429 %s %j waits and goes on', async (policyName, headers, waits) => {
  const limited = fail(429, { policyName, errorType: 'RATE_LIMIT' }, headers as Record<string, string>);
  answer(limited, limited, ok);
  const { send, recorded } = setUp();
  await send();
  expect(recorded.waits).toEqual(waits);
  expect(recorded.budget).toHaveLength(3);
});

test('429 is waited for even by a call that must not be repeated: it was not carried out', async () => {
  answer(fail(429, { policyName: 'SECONDLY' }), ok);
  expect(await setUp({ repeatable: false }).send()).toEqual({ done: true });
});

test.each([
  ['US/Eastern', '2026-11-20T10:00:00Z', 19 * 3_600_000 + 60_000],
  ['Asia/Tokyo', '2026-11-20T14:59:30Z', 30_000 + 60_000],
])('the daily quota waits for midnight in %s', async (timeZone, startAt, afterMs) => {
  const { seen } = answer(fail(429, { policyName: 'DAILY' }));
  const { send, recorded } = setUp({ timeZone, startAt });
  await expect(send()).rejects.toMatchObject({ name: 'RetryLater', afterMs });
  expect([seen.length, recorded.waits]).toEqual([1, []]);
});

test('423 waits at least two seconds', async () => {
  answer(fail(423), fail(423), ok);
  const { send, recorded } = setUp();
  await send();
  expect(recorded.waits).toEqual([2_000, 4_000]);
});

test.each([
  [{ 'retry-after': '600' }, 600_000],
  [{ 'retry-after': '999999' }, 86_400_000],
  [{}, 3_600_000],
])('477 %j goes back to the queue', async (headers, afterMs) => {
  const { seen } = answer(fail(477, {}, headers as Record<string, string>));
  await expect(setUp().send()).rejects.toMatchObject({ name: 'RetryLater', afterMs });
  expect(seen).toHaveLength(1);
});

test.each([500, 502, 503, 504, 521, 524])(
  '%d is tried four times, ever later, then left to the queue',
  async (status) => {
    const { seen } = answer(() => new HttpResponse('<html>bad gateway</html>', { status }));
    const { send, recorded } = setUp();
    await expect(send()).rejects.toMatchObject({ name: 'RetryLater' });
    expect(seen).toHaveLength(4);
    expect(recorded.waits).toEqual([500, 1_000, 2_000]);
    expect(recorded.calls).toEqual(Array(4).fill('deals.search retry'));
  },
);

test('a call that must not be repeated is not, when it may have been carried out', async () => {
  for (const broken of [fail(502), () => HttpResponse.error()]) {
    const { seen } = answer(broken, ok);
    await expect(setUp({ repeatable: false }).send()).rejects.toMatchObject({ name: 'RetryLater' });
    expect(seen).toHaveLength(1);
    server.resetHandlers();
  }
});

test('a broken connection and a body cut short are tried again', async () => {
  answer(
    () => HttpResponse.error(),
    () => new HttpResponse('{"done":tr', { headers: { 'content-type': 'application/json' } }),
    ok,
  );
  const { send, recorded } = setUp();
  expect(await send()).toEqual({ done: true });
  expect(recorded.waits).toEqual([500, 1_000]);
});

test('the deadline covers a body that never ends', async () => {
  const endless = () =>
    new HttpResponse(
      new ReadableStream({ start: (stream) => stream.enqueue(new TextEncoder().encode('{')) }),
    );
  const { seen } = answer(endless, ok);
  const { send } = setUp({ deadlineMs: 50 });
  expect(await send()).toEqual({ done: true });
  expect(seen).toHaveLength(2);
});

test('an abort ends the wait for an answer with its own reason', async () => {
  const abort = new AbortController();
  answer(() => {
    abort.abort(new Error('shutting down'));
    return new Promise<Response>(() => {});
  });
  const { send } = setUp();
  await expect(send(abort.signal)).rejects.toThrow('shutting down');
  await expect(send(abort.signal)).rejects.toThrow('shutting down');
});

test('401 asks for another token once', async () => {
  const { seen } = answer(fail(401, { category: 'EXPIRED_AUTHENTICATION' }), ok);
  const { send, recorded } = setUp();
  await send();
  expect(recorded.refused).toEqual(['token-1']);
  expect(seen[1]?.headers.get('authorization')).toBe('Bearer token-2');
});

test('a fresh token that is refused too never becomes a loop', async () => {
  const { seen } = answer(fail(401));
  const { send, recorded } = setUp();
  await expect(send()).rejects.toMatchObject({ name: 'RetryLater' });
  expect([seen.length, recorded.refused]).toEqual([2, ['token-1']]);
});

test('a missing scope is named, with the way to mend it', async () => {
  const { seen } = answer(
    fail(403, {
      category: 'MISSING_SCOPES',
      errors: [{ message: 'no', context: { requiredGranularScopes: ['crm.objects.deals.read'] } }],
    }),
  );
  const { send, recorded } = setUp();
  await expect(send()).rejects.toMatchObject({
    name: 'Rejected',
    reason: 'missing_scope',
    message: expect.stringMatching(/crm\.objects\.deals\.read.*Connect HubSpot again/),
  });
  expect([seen.length, recorded.calls]).toEqual([1, ['deals.search rejected']]);
});

test.each([
  [
    400,
    {
      category: 'VALIDATION_ERROR',
      message: 'Some required properties were not set.',
      errors: [{ code: 'REQUIRED_PROPERTY', message: 'region is required' }],
    },
    'portal_configuration',
    /region is required/,
  ],
  [
    400,
    {
      category: 'VALIDATION_ERROR',
      message: 'Property values were not valid: [{"isValid":false,"message":"x was not a number"}]',
    },
    'validation',
    /^HubSpot says: x was not a number$/,
  ],
  [400, {}, 'validation', /refused/],
  [403, { category: 'BANNED' }, 'forbidden', /allow/],
  [404, { category: 'OBJECT_NOT_FOUND' }, 'not_found', /know/],
  [409, {}, 'conflict', /already/],
  [414, {}, 'refused', /414/],
])('%d %j is for a person: %s', async (status, body, reason, message) => {
  const { seen } = answer(fail(status, body));
  await expect(setUp().send()).rejects.toMatchObject({
    name: 'Rejected',
    reason,
    message: expect.stringMatching(message),
  });
  expect(seen).toHaveLength(1);
});

test('an answer of another shape is a bug, not something to try again', async () => {
  const { seen } = answer(() => HttpResponse.json({ done: 'yes' }));
  const { send, recorded } = setUp();
  await expect(send()).rejects.toMatchObject({
    name: 'Error',
    message: expect.stringContaining('documented shape'),
  });
  expect([seen.length, recorded.calls]).toEqual([1, ['deals.search failed']]);
});

test('a token that cannot be had ends the call as the token source said', async () => {
  const { seen } = answer(ok);
  const { ctx } = newContext({ token: () => Promise.reject(new Error('gone')) });
  const call = createHubSpotClient(ctx);
  await expect(
    call({ operation: 'x', path: '/x', schema: z.unknown(), repeatable: true }, signal),
  ).rejects.toThrow('gone');
  expect(seen).toHaveLength(0);
});
