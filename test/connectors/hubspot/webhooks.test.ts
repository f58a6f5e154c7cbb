import { afterEach, expect, test } from 'vitest';
import type { ChangeNotice, RawRequest } from '../../../connectors/connector.ts';
import { createHubSpotEdge } from '../../../connectors/hubspot/edge.ts';
import { cardFetch } from '../../sandbox/hubspot/card-proxy.ts';
import { createVirtualClock } from '../../sandbox/virtual-clock.ts';
import type { TestPortal } from './portal.ts';
import { APP, PORTAL_ID, startPortal } from './portal.ts';

const TARGET = 'https://us.test/webhooks/hubspot?tenant=%28a%29&note=%20%26';
const signal = new AbortController().signal;
let portal: TestPortal;
afterEach(() => portal.close());

async function toRaw(request: Request, url = request.url): Promise<RawRequest> {
  return {
    method: request.method,
    url,
    headers: Object.fromEntries(request.headers),
    body: await request.text(),
  };
}

test('what the portal sends verifies and names the records; our own writes are echoes', async () => {
  const notices: ChangeNotice[] = [];
  const edge = createHubSpotEdge({ appId: '7906213' });
  portal = await startPortal({
    clock: createVirtualClock(new Date('2026-11-20T10:00:00Z')),
    portal: { edition: 'professional' },
    webhooks: {
      targetUrl: TARGET,
      subscriptions: [
        { subscriptionType: 'object.creation', objectType: 'deal' },
        { subscriptionType: 'object.propertyChange', objectType: 'deal', propertyName: 'amount' },
        { subscriptionType: 'object.propertyChange', objectType: 'deal', propertyName: 'tributary_model' },
        { subscriptionType: 'object.associationChange', objectType: 'deal' },
        { subscriptionType: 'deal.merge' },
        { subscriptionType: 'deal.deletion' },
        { subscriptionType: 'contact.privacyDeletion' },
      ],
      fetch: async (request) => {
        const raw = await toRaw(request, TARGET);
        const verdict = await edge.verify(raw, [APP.clientSecret], portal.ctx.clock.now());
        if (!verdict.ok) return new Response(null, { status: 401 });
        notices.push(...(await edge.parse(raw.body)));
        return new Response(null, { status: 200 });
      },
    },
  });
  const { control } = portal.sandbox;
  const happens = async (act: () => unknown) => {
    notices.length = 0;
    const result = await act();
    await portal.sandbox.flushWebhooks();
    return {
      result,
      refs: notices.flatMap((notice) => notice.refs.map((ref) => `${ref.kind} ${ref.externalId}`)),
    };
  };
  const made = await happens(() => control.createDeal(PORTAL_ID, { amount: '1' }));
  const a = String(made.result);
  expect(made.refs).toContain(`deal ${a}`);
  expect((await happens(() => control.updateDeal(PORTAL_ID, a, { amount: '2' }))).refs).toEqual([
    `deal ${a}`,
  ]);
  expect(notices[0]).toMatchObject({ accountExternalId: String(PORTAL_ID), echo: false, erase: false });
  const company = control.create(PORTAL_ID, 'companies', { name: 'c' });
  const linked = await happens(() =>
    control.associate(PORTAL_ID, { type: 'deals', id: a }, { type: 'companies', id: company }),
  );
  expect(new Set(linked.refs)).toEqual(new Set([`deal ${a}`]));
  const b = control.createDeal(PORTAL_ID, {});
  const merged = await happens(() => control.mergeDeals(PORTAL_ID, a, b));
  expect(merged.refs).toEqual(expect.arrayContaining([`deal ${a}`, `deal ${b}`, `deal ${merged.result}`]));
  expect((await happens(() => control.archive(PORTAL_ID, 'deals', String(merged.result)))).refs).toEqual([
    `deal ${merged.result}`,
  ]);
  const contact = control.create(PORTAL_ID, 'contacts', { email: 'a@b.test' });
  await happens(() => control.gdprDelete(PORTAL_ID, contact));
  expect(notices).toMatchObject([{ erase: true, refs: [{ kind: 'contact', externalId: contact }] }]);

  const deal = control.createDeal(PORTAL_ID, {});
  const connector = await portal.connect();
  const row = {
    key: `${deal}:p1`,
    partnerId: 'p1',
    partnerName: 'P',
    partnerAccountExternalId: null,
    sharePercent: '1.00',
    amount: null,
    currency: null,
    role: 'sourced',
    model: 'equal_split',
    state: 'projected',
    reason: '',
    computedAt: '2026-11-20T09:00:00.000Z',
    runId: 'r',
  } as const;
  await portal.sandbox.flushWebhooks();
  await happens(() => connector.write([{ dealExternalId: deal, rows: [row], retire: [] }], signal));
  expect(notices.map(({ echo, refs }) => ({ echo, refs }))).toEqual([{ echo: true, refs: [] }]);
});

test('a card call through the proxy names who asks for which deal', async () => {
  portal = await startPortal({ clock: createVirtualClock(new Date('2026-11-20T10:00:00Z')) });
  const edge = createHubSpotEdge();
  const user = { portalId: PORTAL_ID, userId: 222_222, userEmail: 'rep+1@acme.test' };
  const answer = await cardFetch(
    portal.sandbox,
    user,
    { url: 'https://us.test/cards/deal?dealId=42' },
    async (request) => {
      const outcome = await edge.verifyCard(await toRaw(request), [APP.clientSecret], portal.ctx.clock.now());
      return Response.json(outcome);
    },
  );
  expect(await answer.json()).toEqual({
    ok: true,
    caller: {
      accountExternalId: String(PORTAL_ID),
      userExternalId: '222222',
      recordRef: { kind: 'deal', externalId: '42' },
    },
  });
});
