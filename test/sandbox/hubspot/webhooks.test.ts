import { expect, test } from 'vitest';
import type { WebhookKnobs } from './options.ts';
import { signV3 } from './signature.ts';
import { installSubscriptions } from './subscriptions.ts';
import { objects, openSandbox } from './testing.ts';

interface Received {
  readonly url: string;
  readonly body: string;
  readonly signature: string | null;
  readonly timestamp: string | null;
  readonly events: readonly Readonly<Record<string, unknown>>[];
}
const QUIET: WebhookKnobs = {
  delayMs: { min: 0, max: 0 },
  duplicate: 0,
  sharedEventId: 0,
  reorder: false,
  maxBatch: 100,
};

async function listening(
  answer: (n: number) => Response | Promise<Response>,
  knobs: Partial<WebhookKnobs> = {},
) {
  const received: Received[] = [];
  const bench = await openSandbox({
    knobs: { webhooks: { ...QUIET, ...knobs } },
    webhooks: {
      targetUrl: 'https://tributary.example/hooks/hubspot?k=%28a%29&s=%20',
      subscriptions: installSubscriptions(),
      fetch: async (request) => {
        const body = await request.text();
        received.push({
          url: request.url,
          body,
          signature: request.headers.get('x-hubspot-signature-v3'),
          timestamp: request.headers.get('x-hubspot-request-timestamp'),
          events: JSON.parse(body) as Received['events'],
        });
        return answer(received.length);
      },
    },
  });
  return { ...bench, received };
}
const ok = () => new Response(null, { status: 204 });

test.each([
  [
    'https://www.example.com/webhook_uri',
    "{'example_field':'example_value'}",
    1693657560000,
    'K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y=',
  ],
  [
    'https://www.example.com/webhook_uri',
    "{'example_field':'example_value'}",
    1700000300000,
    'RnbPH7+UMKVkbV32P8bz450N4M56aPmcru1+D3kSDtw=',
  ],
  [
    'https://www.example.com/w?x=%28a%29&y=%20%26',
    '[]',
    1700000300000,
    'pgaG3XcPUZU5LY9SdfWKuhML/l0j+Trn3BJWWaQeVck=',
  ],
])('signature v3 of %s with %s at %d', (url, body, timestampMs, signature) => {
  const clientSecret = 'yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy';
  expect(signV3({ method: 'POST', url, body, timestampMs, clientSecret })).toBe(signature);
});

test('a change in the portal arrives signed, with who did it', async () => {
  const { sandbox, portalId, received, clock } = await listening(ok);
  const id = sandbox.control.createDeal(portalId, { dealname: 'A', amount: '5' });
  await sandbox.flushWebhooks();
  const [post] = received;
  expect(post?.timestamp).toBe(String(clock.nowMs()));
  expect(post?.signature).toBe(
    signV3({
      method: 'POST',
      url: post?.url ?? '',
      body: post?.body ?? '',
      timestampMs: clock.nowMs(),
      clientSecret: 'secret-1',
    }),
  );
  expect(post?.events[0]).toMatchObject({
    subscriptionType: 'object.creation',
    objectId: Number(id),
    objectTypeId: '0-3',
    portalId,
    attemptNumber: 0,
    changeFlag: 'NEW',
    changeSource: 'CRM_UI',
    sourceId: 'userId:222222',
  });
  expect(post?.events.map((event) => event.propertyName ?? 'creation')).toEqual([
    'creation',
    'pipeline',
    'dealstage',
    'dealname',
    'amount',
  ]);
});

test('our own writes are echoed with our app as their source', async () => {
  const { call, sandbox, portalId, received } = await listening(ok);
  const id = sandbox.control.createDeal(portalId, { dealname: 'A' });
  await sandbox.flushWebhooks();
  received.length = 0;
  await call('PATCH', objects('deals', `/${id}`), { properties: { amount: '7' } });
  await sandbox.flushWebhooks();
  expect(received[0]?.events).toMatchObject([
    {
      propertyName: 'amount',
      propertyValue: '7',
      changeSource: 'INTEGRATION',
      sourceId: String(sandbox.appId),
    },
  ]);
});

test('merges, associations, deletions, restores and privacy deletions raise their events', async () => {
  const { sandbox, portalId, received } = await listening(ok);
  const { control } = sandbox;
  const [a, b] = ['A', 'B'].map((dealname) => control.createDeal(portalId, { dealname }));
  const company = control.create(portalId, 'companies', { name: 'C' });
  const contact = control.create(portalId, 'contacts', { email: 'p@c.example' });
  await sandbox.flushWebhooks();
  received.length = 0;
  control.associate(portalId, { type: 'deals', id: a ?? '' }, { type: 'companies', id: company }, [
    'Primary',
  ]);
  const merged = control.mergeDeals(portalId, a ?? '', b ?? '');
  control.archive(portalId, 'deals', merged);
  control.restore(portalId, 'deals', merged);
  control.gdprDelete(portalId, contact);
  await sandbox.flushWebhooks();
  const events = received.flatMap((post) => post.events);
  const linked = events.filter((event) => event.subscriptionType === 'object.associationChange');
  expect(linked.map((event) => [event.fromObjectTypeId, event.associationTypeId])).toEqual([
    ['0-3', 341],
    ['0-2', 342],
    ['0-3', 5],
    ['0-2', 6],
  ]);
  expect(events.find((event) => event.subscriptionType === 'object.merge')).toMatchObject({
    primaryObjectId: Number(a),
    mergedObjectIds: [Number(b)],
    newObjectId: Number(merged),
  });
  const kinds = events.map((event) => event.subscriptionType);
  expect(kinds.slice(-3)).toEqual(['object.deletion', 'object.restore', 'contact.privacyDeletion']);
});

test('at most 100 events share a request, and several portals may', async () => {
  const { sandbox, portalId, received } = await listening(ok);
  const other = sandbox.addPortal({ portalId: 42 });
  other.installed = true;
  for (let n = 0; n < 120; n += 1) sandbox.control.create(n % 2 ? portalId : 42, 'notes', {});
  await sandbox.flushWebhooks();
  expect(received.map((post) => post.events.length)).toEqual([100, 20]);
  expect(new Set(received[0]?.events.map((event) => event.portalId))).toEqual(new Set([portalId, 42]));
});

test('every answer but 2xx is tried again, ten times within a day, then lost', async () => {
  const { sandbox, portalId, received, clock } = await listening(() => new Response(null, { status: 401 }));
  sandbox.control.create(portalId, 'notes', {});
  const startMs = clock.nowMs();
  let lastMs = startMs;
  for (let hour = 0; hour < 26 * 12; hour += 1) {
    const before = received.length;
    await sandbox.flushWebhooks();
    if (received.length > before) lastMs = clock.nowMs();
    await clock.advance(300_000);
  }
  expect(received.map((post) => post.events[0]?.attemptNumber)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  expect(lastMs - startMs).toBeLessThanOrEqual(24 * 3_600_000);
  expect(sandbox.webhooks.lost).toHaveLength(1);
  const ids = new Set(received.map((post) => post.events[0]?.eventId));
  expect(ids.size).toBe(1);
});

test('no answer within five seconds counts as a failure', async () => {
  const { sandbox, portalId, clock } = await listening(() => new Promise<Response>(() => undefined));
  sandbox.control.create(portalId, 'notes', {});
  const flushed = sandbox.flushWebhooks();
  await clock.advance(5_000);
  expect(await flushed).toMatchObject([{ status: 'timeout', ok: false }]);
  expect(sandbox.webhooks.pending()).toBe(1);
});

test('events may come twice, out of order, late, and under one eventId', async () => {
  const { sandbox, portalId, received, clock } = await listening(ok, {
    duplicate: 0.5,
    sharedEventId: 0.5,
    reorder: true,
    delayMs: { min: 0, max: 30_000 },
    maxBatch: 7,
  });
  for (let n = 0; n < 40; n += 1) sandbox.control.create(portalId, 'notes', {});
  await sandbox.flushWebhooks();
  const early = received.flatMap((post) => post.events).length;
  await clock.advance(30_000);
  await sandbox.flushWebhooks();
  const events = received.flatMap((post) => post.events);
  expect(early).toBeLessThan(40);
  expect(events.length).toBeGreaterThan(40);
  const objectIds = events.map((event) => Number(event.objectId));
  expect(new Set(objectIds).size).toBe(40);
  expect(objectIds).not.toEqual([...objectIds].sort((a, b) => a - b));
  expect(new Set(events.map((event) => event.eventId)).size).toBeLessThan(40);
  expect(Math.max(...received.map((post) => post.events.length))).toBe(7);
});

test('at most ten requests are under way at once', async () => {
  let under = 0;
  let most = 0;
  const { sandbox, portalId, clock } = await listening(
    async () => {
      under += 1;
      most = Math.max(most, under);
      await clock.sleep(100);
      under -= 1;
      return ok();
    },
    { maxBatch: 1 },
  );
  for (let n = 0; n < 25; n += 1) sandbox.control.create(portalId, 'notes', {});
  clock.setAutoAdvance(true);
  await sandbox.flushWebhooks();
  expect(most).toBe(10);
});

test('a portal without the app hears nothing', async () => {
  const { sandbox, portalId, received } = await listening(ok);
  sandbox.control.uninstallApp(portalId);
  sandbox.control.create(portalId, 'notes', {});
  await sandbox.flushWebhooks();
  expect(received).toEqual([]);
});

test('the automatic mode delivers by the clock and stops when told', async () => {
  const { sandbox, portalId, received, clock } = await listening(ok, { delayMs: { min: 1_000, max: 1_000 } });
  const stop = sandbox.webhooks.start();
  sandbox.control.create(portalId, 'notes', {});
  await clock.advance(999);
  expect(received).toHaveLength(0);
  await clock.advance(1);
  await clock.advance(0);
  expect(received).toHaveLength(1);
  await stop();
  expect(clock.sleeping()).toBe(0);
});
