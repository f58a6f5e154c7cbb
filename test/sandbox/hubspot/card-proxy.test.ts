import { expect, test } from 'vitest';
import { cardFetch } from './card-proxy.ts';
import { signV3 } from './signature.ts';
import { openSandbox } from './testing.ts';

const user = { portalId: 891_472, userId: 7, userEmail: 'rep@seller.example' };
const url = 'https://tributary.example/cards/deal?dealId=1';
const json = (body: unknown, status = 200) => Response.json(body, { status });

test('the proxy appends who asks and signs the whole address', async () => {
  const { sandbox, clock } = await openSandbox();
  let seen: Request | undefined;
  const answer = await cardFetch(sandbox, user, { url }, async (request) => {
    seen = request;
    return json({ ok: true });
  });
  expect(await answer.json()).toEqual({ ok: true });
  const query = Object.fromEntries(new URL(seen?.url ?? '').searchParams);
  expect(query).toEqual({
    dealId: '1',
    userId: '7',
    portalId: '891472',
    userEmail: 'rep@seller.example',
    appId: String(sandbox.appId),
  });
  expect(seen?.headers.get('x-hubspot-signature-v3')).toBe(
    signV3({
      method: 'GET',
      url: seen?.url ?? '',
      body: '',
      timestampMs: clock.nowMs(),
      clientSecret: 'secret-1',
    }),
  );
});

test('a 5xx is tried once more; what is not 2xx then hides behind 502', async () => {
  const { sandbox } = await openSandbox();
  let calls = 0;
  const recovered = await cardFetch(sandbox, user, { url }, async () => {
    calls += 1;
    return json({ ok: true }, calls === 1 ? 503 : 200);
  });
  expect([recovered.status, calls]).toEqual([200, 2]);
  const refused = await cardFetch(sandbox, user, { url }, async () => json({}, 404));
  expect(refused.status).toBe(502);
  expect(await refused.json()).toMatchObject({ category: 'BAD_GATEWAY' });
  const moved = await cardFetch(sandbox, user, { url }, async () => new Response(null, { status: 302 }));
  expect(moved.status).toBe(502);
});

test('a connection error is tried once more, silence ends after fifteen seconds a try', async () => {
  const { sandbox, clock } = await openSandbox();
  let calls = 0;
  const answer = cardFetch(sandbox, user, { url }, () => {
    calls += 1;
    return calls === 1
      ? Promise.reject(new TypeError('fetch failed'))
      : new Promise<Response>(() => undefined);
  });
  await clock.advance(15_000);
  expect((await answer).status).toBe(502);
  expect(calls).toBe(2);
});

test('more than 1 MB and headers of the card’s own are refused', async () => {
  const { sandbox } = await openSandbox();
  const large = await cardFetch(sandbox, user, { url }, async () => json({ text: 'x'.repeat(1_100_000) }));
  expect(large.status).toBe(502);
  const headers = { 'X-Own': '1' };
  expect((await cardFetch(sandbox, user, { url, headers }, async () => json({}))).status).toBe(400);
});
