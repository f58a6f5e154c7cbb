import { afterAll, beforeAll, expect, test } from 'vitest';
import { DAY_MS, type Line, openLine } from './harness.ts';
import { openSmallWorld } from './small-world.ts';
import { readCrmRows, readResults, wantedCrmRows } from './state.ts';
import { sharesOf } from './tenant.ts';

let line: Line;
beforeAll(async () => {
  line = await openLine();
});
afterAll(() => line.close());

test('two organizations on one portal both get every change, and each keeps its own rows there', async () => {
  const { portalId, tenant, newDeal, meet } = await openSmallWorld(line);
  const second = await line.addTenant({ portalId });
  await second.start();
  const deal = newDeal();
  meet(deal, 1);
  await line.settle();
  for (const each of [tenant, second]) {
    const { credits } = await readResults(line, each);
    expect(credits.filter((credit) => credit.deal === deal).length).toBeGreaterThan(3);
    expect(await readCrmRows(line, each)).toEqual(await wantedCrmRows(line, each));
  }
  // The daily comparison of one must not take the other's rows for leftovers of its own.
  await line.pass(DAY_MS, 2);
  for (const each of [tenant, second])
    expect(await readCrmRows(line, each)).toEqual(await wantedCrmRows(line, each));
  const [notices] = await line.sql`select count(*)::int as n from ops.notices where fanned_out_at is null`;
  expect(notices?.n).toBe(0);
});

test('one of two organizations leaves with its traces: the other’s rows, sync and grant stay', async () => {
  const { portalId, tenant, newDeal, meet } = await openSmallWorld(line);
  const second = await line.addTenant({ portalId });
  await second.start();
  await tenant.api('DELETE', `/v1/connections/${await tenant.connectionId()}?traces=remove`);
  await line.drain();
  expect((await tenant.connection()).status).toBe('uninstalled');
  expect(await readCrmRows(line, tenant)).toEqual([]);
  const deal = newDeal();
  meet(deal, 2);
  await line.settle();
  expect((await second.connection()).status).toBe('active');
  expect(sharesOf(await second.card(deal))).toEqual(['Partner 2 100.00']);
  expect(await readCrmRows(line, second)).toEqual(await wantedCrmRows(line, second));
});

test('the card of one portal never shows a deal of another, though both call theirs by the same id', async () => {
  const mine = await openSmallWorld(line);
  const theirs = await openSmallWorld(line);
  const [deal = ''] = mine.deals;
  expect(theirs.deals[0]).toBe(deal);
  line.sandbox.control.updateDeal(mine.portalId, deal, { dealname: 'Mine' });
  line.sandbox.control.updateDeal(theirs.portalId, deal, { dealname: 'Theirs' });
  const onlyTheirs = String(line.sandbox.portal(theirs.portalId).nextId + 1_000);
  line.sandbox.portal(theirs.portalId).nextId = Number(onlyTheirs);
  expect(theirs.newDeal()).toBe(onlyTheirs);
  theirs.meet(onlyTheirs, 0);
  await line.settle();
  expect((await mine.tenant.card(deal)).deal?.name).toBe('Mine');
  expect((await theirs.tenant.card(deal)).deal?.name).toBe('Theirs');
  expect((await theirs.tenant.card(onlyTheirs)).status).toBe('ready');
  expect((await mine.tenant.card(onlyTheirs)).status).toBe('unknown_deal');
  const unknownPortal = await mine.tenant.card(deal, 9_999_999);
  expect(unknownPortal).toMatchObject({
    status: 'unknown_deal',
    message: expect.stringContaining('not connected'),
  });
  const foreign =
    await line.sql`select id from connections where organization_id = ${theirs.tenant.organizationId}`;
  expect((await mine.tenant.api('GET', `/v1/connections/${foreign[0]?.id}`)).status).toBe(404);
});
