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

test('the card of one portal never shows a deal of another', async () => {
  const mine = await openSmallWorld(line);
  const theirs = await openSmallWorld(line);
  const deal = theirs.newDeal();
  for (let n = 0; n < 3; n++) theirs.meet(deal, 0);
  await line.settle();
  expect((await theirs.tenant.card(deal)).status).toBe('ready');
  // The signature names the portal that asks; an id of somebody else's is an unknown one.
  const asked = await mine.tenant.card(`${deal}`, mine.portalId);
  expect(asked.deal?.externalId === deal && asked.status === 'ready' ? sharesOf(asked) : []).toEqual([]);
  const unknownPortal = await mine.tenant.card(deal, 9_999_999);
  expect(unknownPortal).toMatchObject({
    status: 'unknown_deal',
    message: expect.stringContaining('not connected'),
  });
  const foreign =
    await line.sql`select id from connections where organization_id = ${theirs.tenant.organizationId}`;
  expect((await mine.tenant.api('GET', `/v1/connections/${foreign[0]?.id}`)).status).toBe(404);
});
