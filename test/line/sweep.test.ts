import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { DAY_MS, type Line, MINUTE_MS, openLine } from './harness.ts';
import { openSmallWorld } from './small-world.ts';
import { readRecords } from './state.ts';
import type { Tenant } from './tenant.ts';

let line: Line;
beforeAll(async () => {
  line = await openLine();
  line.sandbox.subscriptions.length = 0;
});
afterAll(() => line.close());
beforeEach(() => line.sql`delete from work`);

const liveDeals = async (tenant: Tenant) =>
  (await readRecords(line, tenant)).deals.filter((deal) => deal.deleted === false).length;
const findingsOf = async (tenant: Tenant) =>
  (await tenant.connection()).findings.filter(({ code }) => code === 'incomplete_sweep_deal');
const batchReads = () => line.sandbox.log.count({ operation: 'objects.batchRead' });

test('a sweep that sees a part only deletes nothing, reads a sample, and says so; a whole one takes it back', async () => {
  const { portalId, tenant, deals } = await openSmallWorld(line, { deals: 600 });
  const table = line.sandbox.portal(portalId).tables.get('0-3');
  const hidden = deals.slice(0, 500);
  for (const id of hidden) table?.liveIds.remove(id);
  line.sandbox.log.reset();
  await line.pass(DAY_MS);
  expect(await liveDeals(tenant)).toBe(600);
  expect(await findingsOf(tenant)).toHaveLength(1);
  expect(batchReads()).toBeLessThan(10);
  for (const id of hidden) table?.liveIds.add(id);
  await line.pass(DAY_MS);
  expect(await findingsOf(tenant)).toEqual([]);
});

test('a mass deletion is believed once a sample of it is really gone', async () => {
  const { portalId, tenant, deals } = await openSmallWorld(line, { deals: 600 });
  for (const id of deals.slice(0, 500)) line.sandbox.control.archive(portalId, 'deals', id);
  await line.pass(DAY_MS);
  await line.pass(MINUTE_MS);
  expect(await liveDeals(tenant)).toBe(100);
  expect(await findingsOf(tenant)).toEqual([]);
});
