import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { DAY_MS, type Line, MINUTE_MS, openLine } from './harness.ts';
import { openSmallWorld } from './small-world.ts';
import { ourRows, readCrmRows, readRecords, wantedCrmRows } from './state.ts';
import { sharesOf } from './tenant.ts';

let line: Line;
beforeAll(async () => {
  // No webhook ever arrives here.
  line = await openLine({ knobs: { indexLagMs: { min: 20_000, max: 50_000 } } });
  line.sandbox.subscriptions.length = 0;
});
afterAll(() => line.close());
beforeEach(() => line.sql`delete from work`);

test('without webhooks a poll finds new and edited deals, however late search shows them', async () => {
  const { portalId, tenant, newDeal, meet } = await openSmallWorld(line);
  // Just before a poll: search does not show this yet, and the watermark must not pass it by.
  await line.pass(5 * MINUTE_MS - 1_000);
  const deal = newDeal();
  meet(deal, 0);
  await line.pass(1_000);
  expect((await tenant.card(deal)).status).toBe('unknown_deal');
  await line.pass(10 * MINUTE_MS, 2);
  expect(sharesOf(await tenant.card(deal))).toEqual(['Partner 0 100.00']);
  line.sandbox.control.updateDeal(portalId, deal, { amount: '4321' });
  await line.pass(10 * MINUTE_MS, 2);
  expect((await tenant.card(deal)).deal?.money).toMatchObject({ amountMinor: '432100' });
});

test('deals of one millisecond are all found, those at the edge of the window too', async () => {
  const { tenant, newDeal } = await openSmallWorld(line);
  await line.pass(5 * MINUTE_MS);
  const deals = Array.from({ length: 30 }, () => newDeal());
  await line.pass(10 * MINUTE_MS, 2);
  const { deals: stored } = await readRecords(line, tenant);
  expect(stored.filter((deal) => deals.includes(String(deal.external_id)))).toHaveLength(30);
});

test('the reconciliation finds what no poll shows: archived, merged and erased records, and a changed label', async () => {
  const { portalId, tenant, partners, newDeal, meet } = await openSmallWorld(line);
  const { control } = line.sandbox;
  const [gone, first, other, labelled] = [newDeal(), newDeal(), newDeal(), newDeal()];
  for (const deal of [gone, first, other]) meet(deal, 0);
  await line.pass(10 * MINUTE_MS, 2);
  expect(await readCrmRows(line, tenant)).toEqual(await wantedCrmRows(line, tenant));
  control.archive(portalId, 'deals', gone);
  const third = control.mergeDeals(portalId, first, other);
  control.gdprDelete(portalId, partners[2]?.contactId ?? '');
  control.associate(
    portalId,
    { type: 'deals', id: labelled },
    { type: 'companies', id: partners[1]?.companyId ?? '' },
    ['Referral partner'],
  );
  await line.pass(DAY_MS + 10 * MINUTE_MS, 2);
  expect((await tenant.card(gone)).status).toBe('unknown_deal');
  expect(await tenant.card(first)).toMatchObject({ deal: { externalId: third } });
  expect(sharesOf(await tenant.card(labelled))).toEqual(['Partner 1 100.00']);
  const { contacts } = await readRecords(line, tenant);
  expect(contacts.find((c) => c.external_id === partners[2]?.contactId)).toMatchObject({ deleted: true });
  expect(await readCrmRows(line, tenant)).toEqual(await wantedCrmRows(line, tenant));
  const { positions } = await tenant.connection();
  expect(positions.find(({ kind }) => kind === 'deal')?.drift).toBeGreaterThan(0);
  await line.pass(DAY_MS);
  expect((await tenant.connection()).positions.map(({ kind, drift }) => [kind, drift])).toEqual(
    positions.map(({ kind }) => [kind, 0]),
  );
});

test('a person edits or deletes our CRM row: the next reconciliation brings it right, and says how many there were', async () => {
  const { portalId, tenant, newDeal, meet } = await openSmallWorld(line);
  const deals = [newDeal(), newDeal(), newDeal()];
  for (const deal of deals) meet(deal, 0);
  await line.pass(10 * MINUTE_MS, 2);
  const before = await readCrmRows(line, tenant);
  expect(before).toEqual(await wantedCrmRows(line, tenant));
  const rows = ourRows(line, portalId);
  const type = [...line.sandbox.portal(portalId).tables.values()].find((t) =>
    t.name.includes('partner_attribution'),
  );
  if (type === undefined) throw new Error('no object of ours');
  line.sandbox.control.update(portalId, type.name, rows[0]?.id ?? '', { share: '99' });
  line.sandbox.control.archive(portalId, type.name, rows[1]?.id ?? '');
  expect(await readCrmRows(line, tenant)).not.toEqual(before);
  await line.pass(DAY_MS, 2);
  expect(await readCrmRows(line, tenant)).toEqual(before);
  const { positions } = await tenant.connection();
  expect(positions.find(({ kind }) => kind === 'crm-rows')?.drift).toBe(2);
});
