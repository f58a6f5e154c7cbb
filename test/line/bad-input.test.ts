import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { signedRequest } from '../sandbox/hubspot/signature.ts';
import { DAY_MS, type Line, MINUTE_MS, openLine } from './harness.ts';
import { openSmallWorld } from './small-world.ts';
import { readCrmRows } from './state.ts';
import { sharesOf } from './tenant.ts';

let line: Line;
beforeAll(async () => {
  line = await openLine();
});
afterAll(() => line.close());
beforeEach(() => line.sql`delete from work`);

const storedNotices = async () => {
  const [row] = await line.sql`select count(*)::int as n from ops.notices`;
  return Number(row?.n);
};
const event = (portalId: number, objectId: number) => ({
  eventId: 1,
  subscriptionId: 1,
  portalId,
  appId: line.sandbox.appId,
  occurredAt: line.clock.nowMs(),
  subscriptionType: 'object.propertyChange',
  attemptNumber: 0,
  objectId,
  objectTypeId: '0-3',
  propertyName: 'amount',
  propertyValue: '1',
  changeSource: 'CRM_UI',
});
const send = async (
  body: string,
  over: { readonly timestampMs?: number; readonly clientSecret?: string } = {},
): Promise<number> => {
  const request = signedRequest({
    url: `${line.publicUrl}/webhooks/hubspot`,
    body,
    timestampMs: line.clock.nowMs(),
    clientSecret: line.sandbox.clientSecret,
    ...over,
  });
  return (await line.app.fetch(request)).status;
};

test('forged, stale, future, truncated, oversized and misshapen webhooks are refused, and nothing of them is stored', async () => {
  const before = await storedNotices();
  const good = JSON.stringify([event(1, 2)]);
  const now = line.clock.nowMs();
  expect(await send(good, { clientSecret: 'somebody else’s' })).toBe(401);
  expect(await send(good, { timestampMs: now - 5 * MINUTE_MS - 1 })).toBe(401);
  expect(await send(good, { timestampMs: now + 5 * MINUTE_MS + 1 })).toBe(401);
  const signed = signedRequest({
    url: `${line.publicUrl}/webhooks/hubspot`,
    body: good,
    timestampMs: now,
    clientSecret: line.sandbox.clientSecret,
  });
  const cut = new Request(signed.url, { method: 'POST', headers: signed.headers, body: good.slice(0, -9) });
  expect((await line.app.fetch(cut)).status).toBe(401);
  const bare = new Request(signed.url, { method: 'POST', body: good });
  expect((await line.app.fetch(bare)).status).toBe(401);
  expect(await send(JSON.stringify([{ ...event(1, 2), padding: 'x'.repeat(1024 * 1024) }]))).toBe(413);
  const many = JSON.stringify(Array.from({ length: 101 }, (_, n) => event(1, n)));
  for (const body of ['', 'not json', '{}', '[]', '[1]', 'null', '[{"portalId":1}]', many])
    expect(await send(body), body.slice(0, 20)).toBe(400);
  expect(await storedNotices()).toBe(before);
});

test('one request carries events of several portals, and those of a portal nobody linked are taken and forgotten', async () => {
  const [one, two] = [await openSmallWorld(line), await openSmallWorld(line)];
  const before = await storedNotices();
  const deals = [Number(one.deals[1]), Number(two.deals[2])] as const;
  expect(
    await send(JSON.stringify([event(one.portalId, deals[0]), event(two.portalId, deals[1]), event(42, 1)])),
  ).toBe(204);
  expect(await storedNotices()).toBe(before + 3);
  await line.jobs.find((job) => job.name === 'fan-out')?.run({}, new AbortController().signal);
  const marked = await line.sql`select organization_id, object from work where lane = 'fetch' order by 1`;
  expect(marked.map((row) => [row.organization_id, row.object]).sort()).toEqual(
    [
      [one.tenant.organizationId, `deal:${deals[0]}`],
      [two.tenant.organizationId, `deal:${deals[1]}`],
    ].sort(),
  );
});

test('with the database down a webhook gets 503; HubSpot’s retry brings it when the database is back', async () => {
  const { tenant, newDeal, meet } = await openSmallWorld(line);
  await line.restart('postgres://tributary_app@127.0.0.1:1/nowhere');
  const deal = newDeal();
  meet(deal, 0);
  const tried = await line.sandbox.flushWebhooks();
  expect(tried.map(({ status }) => status)).toEqual(tried.map(() => 503));
  await line.restart();
  expect((await tenant.card(deal)).status).toBe('unknown_deal');
  await line.clock.advance(2 * MINUTE_MS);
  await line.settle();
  expect(sharesOf(await tenant.card(deal))).toEqual(['Partner 0 100.00']);
  expect(line.sandbox.webhooks.lost).toEqual([]);
});

test('a portal that held back scopes says which, and how to mend it', async () => {
  const granted = line.sandbox.requiredScopes.filter((scope) => scope !== 'crm.objects.deals.write');
  const { tenant } = await openSmallWorld(line, {
    start: false,
    edition: 'professional',
    portal: { grantedScopes: granted },
  });
  const response = await tenant.install();
  await line.drain();
  const connections = await tenant.api<{ connections: { findings: { message: string; fix: string }[] }[] }>(
    'GET',
    '/v1/connections',
  );
  const said = `${await response.text()} ${JSON.stringify(connections.body)}`;
  expect(said).toContain('crm.objects.deals.write');
});

test('a hidden amount blocks the deal, keeps its last result and says so; shown again it heals by itself', async () => {
  const { portalId, tenant, newDeal, meet } = await openSmallWorld(line);
  const deal = newDeal();
  meet(deal, 0);
  await line.settle();
  await line.clock.advance(1_000);
  line.sandbox.control.hideProperty(portalId, 'deals', 'amount');
  line.sandbox.control.updateDeal(portalId, deal, { dealname: 'Renamed while hidden' });
  await line.settle();
  const card = await tenant.card(deal);
  expect(card).toMatchObject({
    status: 'ready',
    deal: { state: 'blocked', money: { amountMinor: '100000' } },
  });
  expect((await readCrmRows(line, tenant)).filter((row) => row.deal === deal)).toMatchObject([
    { share: 100, amount: 1000, state: 'blocked' },
  ]);
  expect(card.deal?.blockedReason).toContain('amount is hidden');
  expect(sharesOf(card)).toEqual(['Partner 0 100.00']);
  await line.pass(DAY_MS);
  const finding = (await tenant.connection()).findings.find(({ message }) => message.includes('amount'));
  expect(finding?.fix).not.toBe('');
  expect(finding).toBeDefined();
  line.sandbox.control.hideProperty(portalId, 'deals', 'amount', false);
  await line.pass(2 * DAY_MS, 2);
  expect(await tenant.card(deal)).toMatchObject({ deal: { state: 'projected', blockedReason: null } });
  expect((await tenant.connection()).findings.filter(({ message }) => message.includes('amount'))).toEqual(
    [],
  );
});
