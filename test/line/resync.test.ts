import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { DAY_MS, type Line, MINUTE_MS, openLine } from './harness.ts';
import { openSmallWorld, type SmallWorld } from './small-world.ts';
import { readCrmRows, wantedCrmRows } from './state.ts';
import { sharesOf } from './tenant.ts';

let line: Line;
beforeAll(async () => {
  line = await openLine();
  line.sandbox.subscriptions.length = 0;
});
afterAll(() => line.close());
beforeEach(() => line.sql`delete from work`);

/** Days in which nothing of ours runs: no poll, no reconciliation, no webhook. */
async function sleepForDays({ tenant }: SmallWorld, change: () => void): Promise<void> {
  await line.sql`delete from work where organization_id = ${tenant.organizationId}`;
  await line.clock.advance(3 * DAY_MS);
  change();
  await line.clock.advance(DAY_MS);
}
const runsOf = async (deal: string) => {
  const [row] = await line.sql`select count(*)::int as n from attribution_runs r
    join deals d on d.id = r.deal_id where d.external_id = ${deal}`;
  return Number(row?.n);
};

test.each(['resync', 'reinstall', 'partner fields'])(
  'after days of silence a %s knows what happened to activities it had read before, and nothing is computed on the old ones',
  async (how) => {
    const world = await openSmallWorld(line);
    const { portalId, tenant, newDeal, meet } = world;
    const { control } = line.sandbox;
    const [cancelled, moved, target] = [newDeal(), newDeal(), newDeal()];
    const meeting = meet(cancelled, 0);
    const moving = meet(moved, 1);
    await line.pass(10 * MINUTE_MS, 2);
    expect(sharesOf(await tenant.card(cancelled))).toEqual(['Partner 0 100.00']);
    expect(sharesOf(await tenant.card(moved))).toEqual(['Partner 1 100.00']);
    const runs = await runsOf(cancelled);
    await sleepForDays(world, () => {
      control.updateDeal(portalId, cancelled, { amount: '5000' });
      control.update(portalId, 'meetings', meeting, { hs_meeting_outcome: 'CANCELED' });
      control.disassociate(portalId, { type: 'meetings', id: moving }, { type: 'deals', id: moved });
      control.associate(portalId, { type: 'meetings', id: moving }, { type: 'deals', id: target });
    });
    const id = await tenant.connectionId();
    if (how === 'reinstall') await tenant.install();
    else if (how === 'resync') await tenant.api('POST', `/v1/connections/${id}/resync`);
    else await tenant.api('PATCH', `/v1/connections/${id}`, { partnerFields: ['dealname'] });
    await line.drain();
    await line.pass(20_000, 2);
    expect((await tenant.connection()).backfilled).toBe(true);
    expect(sharesOf(await tenant.card(cancelled))).toEqual([]);
    expect(sharesOf(await tenant.card(moved))).toEqual([]);
    expect(sharesOf(await tenant.card(target))).toEqual(['Partner 1 100.00']);
    expect(await runsOf(cancelled)).toBe(runs + 1);
    expect(await readCrmRows(line, tenant)).toEqual(await wantedCrmRows(line, tenant));
  },
);

test('references that come up after their kind was read are all read before anything is released', async () => {
  const world = await openSmallWorld(line);
  const { tenant } = world;
  const id = await tenant.connectionId();
  await line.sql`insert into activities (organization_id, connection_id, kind, external_id)
    select ${tenant.organizationId}, ${id}, 'meeting', (900000 + n)::text from generate_series(1, 2100) n`;
  await line.sql`update sync_positions set backfill = 'done' where connection_id = ${id}`;
  await line.sql`insert into work (organization_id, lane, scope_id, object, run_at, caused_at)
    values (${tenant.organizationId}, 'backfill', ${id}, '', ${line.clock.now()}, ${line.clock.now()}) on conflict do nothing`;
  line.sandbox.log.reset();
  await line.drain();
  const [left] =
    await line.sql`select count(*)::int as n from activities where connection_id = ${id} and changed_at is null`;
  expect(left?.n).toBe(0);
  const [fetches] =
    await line.sql`select count(*)::int as n from work where scope_id = ${id} and lane = 'fetch'`;
  expect(fetches?.n).toBe(0);
  expect((await tenant.connection()).backfilled).toBe(true);
});
