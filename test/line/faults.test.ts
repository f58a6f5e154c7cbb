import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { FailureKind } from '../sandbox/hubspot/mishaps.ts';
import { defineProperty } from '../sandbox/hubspot/property-definitions.ts';
import { DAY_MS, HOUR_MS, type Line, MINUTE_MS, openLine } from './harness.ts';
import { openSmallWorld } from './small-world.ts';
import { ourRows, readCrmRows, wantedCrmRows } from './state.ts';
import { sharesOf } from './tenant.ts';

let line: Line;
beforeAll(async () => {
  line = await openLine();
});
afterAll(() => line.close());
beforeEach(async () => {
  await line.sql`delete from work`;
  line.sandbox.planned.length = 0;
});

const KINDS: readonly FailureKind[] = ['badGateway', 'rateLimit', 'reset'];
test.each(KINDS)(
  'HubSpot failing with %s for a while: work waits in sight, nothing is lost or set aside',
  async (kind) => {
    const { tenant, newDeal, meet } = await openSmallWorld(line);
    const deal = newDeal();
    meet(deal, 0);
    line.sandbox.control.failNext(100_000, kind);
    await line.settle();
    const [waiting] =
      await line.sql`select count(*)::int as n, max(reason) as reason, max(attempts) as attempts from work
    where lane = 'fetch' and organization_id = ${tenant.organizationId}`;
    expect(waiting?.n).toBeGreaterThan(0);
    expect(waiting?.reason).not.toBeNull();
    expect(waiting?.attempts).toBe(0);
    line.sandbox.planned.length = 0;
    await line.pass(HOUR_MS, 4);
    expect(sharesOf(await tenant.card(deal))).toEqual(['Partner 0 100.00']);
    expect(await readCrmRows(line, tenant)).toEqual(await wantedCrmRows(line, tenant));
    expect(await tenant.setAside()).toEqual([]);
  },
);

test('a used-up daily quota makes work wait until midnight of the portal, and a little chaos changes no result', async () => {
  const { portalId, tenant, newDeal, meet } = await openSmallWorld(line);
  const deal = newDeal();
  meet(deal, 0);
  line.sandbox.control.exhaustDailyLimit(portalId, line.clock.nowMs() + 30 * HOUR_MS);
  await line.settle();
  const calls = line.sandbox.log.count({ portalId });
  await line.pass(HOUR_MS, 4);
  expect(line.sandbox.log.count({ portalId }) - calls).toBeLessThan(40);
  line.sandbox.control.exhaustDailyLimit(portalId, 0);
  Object.assign(line.sandbox.knobs.chaos, {
    serverError: 0.1,
    locked: 0.05,
    reset: 0.05,
    slowBody: 0.1,
    sparseErrors: 0.5,
  });
  await line.pass(2 * DAY_MS, 8);
  Object.assign(line.sandbox.knobs.chaos, {
    serverError: 0,
    locked: 0,
    reset: 0,
    slowBody: 0,
    sparseErrors: 0,
  });
  await line.pass(HOUR_MS);
  expect(sharesOf(await tenant.card(deal))).toEqual(['Partner 0 100.00']);
  expect(await tenant.setAside()).toEqual([]);
});

test('tokens that expire in the middle of things are renewed once, unnoticed', async () => {
  const { portalId, tenant, newDeal, meet } = await openSmallWorld(line);
  const deal = newDeal();
  meet(deal, 0);
  line.sandbox.control.expireTokens(portalId);
  const before = line.sandbox.log.count({ operation: 'oauth.token' });
  await line.settle();
  expect(sharesOf(await tenant.card(deal))).toEqual(['Partner 0 100.00']);
  expect(line.sandbox.log.count({ operation: 'oauth.token' }) - before).toBe(1);
});

test('a revoked grant ends in "reconnect needed" without hammering; a new installation takes everything up again', async () => {
  const { portalId, tenant, newDeal, meet } = await openSmallWorld(line);
  line.sandbox.control.revokeTokens(portalId);
  line.sandbox.control.expireTokens(portalId);
  const deal = newDeal();
  meet(deal, 0);
  const before = line.sandbox.log.count({ operation: 'oauth.token' });
  await line.settle();
  expect(await tenant.connection()).toMatchObject({ status: 'reconnect_needed' });
  await line.pass(DAY_MS, 12);
  expect(line.sandbox.log.count({ operation: 'oauth.token' }) - before).toBeLessThanOrEqual(3);
  expect(await tenant.setAside()).toEqual([]);
  expect((await tenant.install()).status).toBe(200);
  await line.drain();
  expect(await tenant.connection()).toMatchObject({ status: 'active', statusReason: null, backfilled: true });
  expect(sharesOf(await tenant.card(deal))).toEqual(['Partner 0 100.00']);
  expect(await readCrmRows(line, tenant)).toEqual(await wantedCrmRows(line, tenant));
});

test('uninstalling with traces takes our rows and object out; the data stays for its retention time, then goes', async () => {
  const { portalId, tenant, newDeal } = await openSmallWorld(line);
  expect(ourRows(line, portalId).length).toBeGreaterThan(0);
  await tenant.api('DELETE', `/v1/connections/${await tenant.connectionId()}?traces=remove`);
  await line.drain();
  expect(ourRows(line, portalId)).toEqual([]);
  expect(await tenant.connection()).toMatchObject({ status: 'uninstalled', statusReason: null });
  newDeal();
  line.sandbox.log.reset();
  await line.pass(DAY_MS, 4);
  expect(line.sandbox.log.count({ portalId })).toBe(0);
  const count = async () => {
    const [row] =
      await line.sql`select count(*)::int as n from deals where organization_id = ${tenant.organizationId}`;
    return Number(row?.n);
  };
  expect(await count()).toBe(6);
  await line.pass(400 * DAY_MS, 4);
  expect(await count()).toBe(0);
});

test('a row the portal refuses keeps HubSpot’s words, the others are written, and nobody nags HubSpot with it', async () => {
  const { portalId, tenant, newDeal, meet } = await openSmallWorld(line);
  const { control, sandbox } = { control: line.sandbox.control, sandbox: line.sandbox };
  const type = [...sandbox.portal(portalId).tables.values()].find((t) =>
    t.name.includes('partner_attribution'),
  );
  if (type === undefined) throw new Error('no object of ours');
  const region = { name: 'region', label: 'Region', type: 'string', fieldType: 'text' } as const;
  defineProperty(type, { ...region, groupName: 'custom' }, new Date(line.clock.nowMs()).toISOString());
  control.requireProperty(portalId, type.name, 'region');
  const deal = newDeal();
  meet(deal, 0);
  await line.settle();
  const card = await tenant.card(deal);
  expect(card.writeBack).toMatchObject({ status: 'rejected', message: expect.stringMatching(/region/i) });
  expect(await tenant.setAside()).toMatchObject([
    { lane: 'write-back', reason: expect.stringMatching(/region/i) },
  ]);
  const upserts = () => sandbox.log.count({ operation: 'objects.batchUpsert', portalId });
  const tried = upserts();
  await line.pass(3 * HOUR_MS, 3);
  expect(upserts()).toBe(tried);
  await tenant.api('POST', '/v1/set-aside/retry', {});
  await line.drain();
  expect(upserts()).toBeGreaterThan(tried);
  expect((await tenant.card(deal)).writeBack?.status).toBe('rejected');
  control.requireProperty(portalId, type.name, 'region', false);
  await line.pass(26 * HOUR_MS, 2);
  expect((await tenant.card(deal)).writeBack?.status).toBe('written');
  expect(await tenant.setAside()).toEqual([]);
});

test('a portal without custom objects gets five deal properties instead, kept right by the reconciliation', async () => {
  const { portalId, tenant, newDeal, meet } = await openSmallWorld(line, { edition: 'professional' });
  expect((await tenant.connection()).writeBack?.rung).toBe('deal_fields');
  const deal = newDeal();
  meet(deal, 0);
  await line.settle();
  const values = () => line.sandbox.portal(portalId).tables.get('0-3')?.rows.get(deal)?.values ?? {};
  expect(values()).toMatchObject({
    tributary_primary_partner: 'Partner 0',
    tributary_attributed_amount: '1000',
  });
  expect((await tenant.card(deal)).writeBack?.status).toBe('written');
  await line.pass(5 * MINUTE_MS);
  line.sandbox.log.reset();
  await line.pass(30 * MINUTE_MS, 3);
  expect(line.sandbox.log.count({ operation: 'objects.batchUpdate', portalId })).toBe(0);
  line.sandbox.control.updateDeal(portalId, deal, { tributary_partners: 'Nobody' });
  await line.pass(DAY_MS + HOUR_MS, 2);
  expect(values().tributary_partners).toContain('Partner 0');
});
