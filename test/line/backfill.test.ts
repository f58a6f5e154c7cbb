import { afterEach, beforeEach, expect, test } from 'vitest';
import { seedCompany } from '../sandbox/hubspot/world.ts';
import { seedBulk } from '../sandbox/hubspot/world-bulk.ts';
import { DAY_MS, type Line, MINUTE_MS, openLine, PORTAL } from './harness.ts';
import {
  countRuns,
  countWrites,
  readCrmRows,
  readRecords,
  readResults,
  settleTiesByName,
  wantedCrmRows,
} from './state.ts';
import { sharesOf, type Tenant } from './tenant.ts';

let line: Line;
beforeEach(async () => {
  line = await openLine();
  await settleTiesByName(line);
});
afterEach(() => line.close());

const everything = async (tenant: Tenant) => ({
  records: await readRecords(line, tenant),
  results: await readResults(line, tenant),
  rows: await readCrmRows(line, tenant),
});

test('an install brings the whole portal in; accepted partners get credits, CRM rows and a card', async () => {
  const world = seedCompany(line.sandbox, PORTAL, { deals: 120, partners: 12, activities: 600 });
  const tenant = await line.addTenant();
  const response = await tenant.install();
  expect(response.status).toBe(200);
  await line.drain();

  const connection = await tenant.connection();
  expect(connection).toMatchObject({
    status: 'active',
    backfilled: true,
    writeBack: { rung: 'custom_object' },
  });
  const { deals } = await readRecords(line, tenant);
  const live = deals.filter((deal) => deal.deleted === false).length;
  expect(live).toBe(120 - world.archivedDealIds.length - world.merges.length);

  expect(await tenant.acceptAllSuggestions()).toBeGreaterThan(8);
  await line.drain();

  const rows = await readCrmRows(line, tenant);
  expect(rows.length).toBeGreaterThan(20);
  expect(rows).toEqual(await wantedCrmRows(line, tenant));
  const card = await tenant.card(rows[0]?.deal ?? '');
  expect(card).toMatchObject({ status: 'ready', writeBack: { status: 'written', message: null } });
  expect(sharesOf(card)).toHaveLength(rows.filter((row) => row.deal === rows[0]?.deal).length);
  expect(await tenant.setAside()).toEqual([]);
  expect(line.log.lines.filter((entry) => entry.level === 'error')).toEqual([]);
}, 60_000);

test('the archived pass leaves archived deals deleted, and merged ones pointing at their survivor', async () => {
  const world = seedCompany(line.sandbox, PORTAL, { deals: 120, partners: 4, activities: 100 });
  const tenant = await line.addTenant();
  await tenant.start();
  const { deals } = await readRecords(line, tenant);
  const of = (id: string) => deals.find((deal) => deal.external_id === id);
  for (const id of world.archivedDealIds) expect(of(id)).toMatchObject({ deleted: true });
  for (const merge of world.merges) {
    expect(of(merge.primaryId)).toMatchObject({ deleted: true, merged_into_external_id: merge.id });
    expect(of(merge.otherId)).toMatchObject({ deleted: true, merged_into_external_id: merge.id });
    expect(of(merge.id)).toMatchObject({ deleted: false });
    expect((await tenant.card(merge.otherId)).deal?.externalId).toBe(merge.id);
  }
});

test('more than a page of a hundred and a page of a thousand rows come in whole', async () => {
  seedBulk(line.sandbox, PORTAL, { deals: 1_050, partners: 20, customers: 130, meetings: 1_010 });
  const tenant = await line.addTenant();
  await tenant.start();
  const { deals, accounts, activities } = await readRecords(line, tenant);
  expect([deals.length, accounts.length, activities.length]).toEqual([1_050, 150, 1_010]);
  expect(activities.filter((activity) => activity.occurred_at === null)).toEqual([]);
  expect(await readCrmRows(line, tenant)).toEqual(await wantedCrmRows(line, tenant));
}, 60_000);

test('reading everything a second time stores nothing, computes nothing and writes nothing', async () => {
  seedCompany(line.sandbox, PORTAL, { deals: 60, partners: 8, activities: 300 });
  const tenant = await line.addTenant();
  await tenant.start();
  const before = await everything(tenant);
  const runs = await countRuns(line, tenant);
  await line.pass(10 * MINUTE_MS);
  line.sandbox.log.reset();
  expect((await tenant.api('POST', `/v1/connections/${await tenant.connectionId()}/resync`)).status).toBe(
    202,
  );
  await line.drain();
  expect((await tenant.connection()).backfilled).toBe(true);
  expect(await everything(tenant)).toEqual(before);
  expect(await countRuns(line, tenant)).toBe(runs);
  expect(countWrites(line)).toBe(0);
  expect(line.sandbox.log.count({ operation: 'objects.list' })).toBeGreaterThan(0);
});

/** Compares with the same portal read without any mishap, on a line of its own. */
async function expectAsUndisturbed(tenant: Tenant): Promise<void> {
  const other = await openLine();
  try {
    fill(other);
    await settleTiesByName(other);
    const undisturbed = await other.addTenant();
    await undisturbed.start();
    expect(await readRecords(line, tenant)).toEqual(await readRecords(other, undisturbed));
    expect(await readResults(line, tenant)).toEqual(await readResults(other, undisturbed));
    expect(await readCrmRows(line, tenant)).toEqual(await wantedCrmRows(line, tenant));
  } finally {
    await other.close();
  }
}
const fill = ({ sandbox }: Line) => {
  seedCompany(sandbox, PORTAL, { deals: 80, partners: 6, activities: 200 });
};

test('a process that dies in the middle of the backfill leaves no trace: the next one ends in the same state', async () => {
  fill(line);
  const tenant = await line.addTenant();
  await tenant.install();
  const paths = ['/crm/objects/2026-09/contacts', '/crm/objects/2026-09/meetings/batch/read'];
  const unreadAtDeath: number[] = [];
  line.beforeCall = async (asked) => {
    if (asked !== paths[unreadAtDeath.length]) return;
    const [row] = await line.sql`select count(*)::int as kinds from sync_positions where backfill <> 'done'`;
    unreadAtDeath.push(row?.kinds);
    await line.restart();
  };
  await line.pass(15 * MINUTE_MS + 1).catch(() => undefined);
  line.beforeCall = null;
  // The first falls into a check-up or the read of people, the second into the read of meetings.
  expect(unreadAtDeath).toHaveLength(2);
  expect(Math.min(...unreadAtDeath)).toBeGreaterThan(0);
  await line.pass(15 * MINUTE_MS + 1);
  expect((await tenant.connection()).backfilled).toBe(true);
  await tenant.acceptAllSuggestions();
  await line.drain();
  await expectAsUndisturbed(tenant);
});

test('a page whose transaction fails is not half stored: it is read again and the state is the same', async () => {
  fill(line);
  const tenant = await line.addTenant();
  await line.sql`create function public.fail_twice() returns trigger language plpgsql as $$
    begin if new.kind in ('deal', 'meeting') and nextval('public.failures') <= 2 then raise exception 'disk on fire'; end if; return new; end $$`;
  await line.sql`create sequence public.failures`;
  await line.sql`grant usage on sequence public.failures to tributary_app`;
  await line.sql`create trigger fail_twice before update on sync_positions for each row execute function public.fail_twice()`;
  await tenant.install();
  await line.drain();
  expect((await tenant.connection()).backfilled).toBe(false);
  expect((await readRecords(line, tenant)).deals).toEqual([]);
  await line.pass(10 * MINUTE_MS, 10);
  expect((await tenant.connection()).backfilled).toBe(true);
  await tenant.acceptAllSuggestions();
  await line.drain();
  await expectAsUndisturbed(tenant);
});

test('an abort in the middle gives the work back at once, uncounted', async () => {
  fill(line);
  const tenant = await line.addTenant();
  await tenant.install();
  const backfill = line.jobs.find((job) => job.name === 'backfill');
  const scope = { organizationId: tenant.organizationId, scopeId: await tenant.connectionId() };
  const stop = new AbortController();
  line.beforeCall = (path) => {
    if (path.endsWith('/contacts')) stop.abort();
  };
  for (let turn = 0; turn < 9 && !stop.signal.aborted; turn++) await backfill?.run(scope, stop.signal);
  line.beforeCall = null;
  expect(stop.signal.aborted).toBe(true);
  const [row] = await line.sql`select attempts, lease_until, reason from work where lane = 'backfill'`;
  expect(row).toMatchObject({ attempts: 0, lease_until: null, reason: 'stopped' });
  await line.drain();
  expect((await tenant.connection()).backfilled).toBe(true);
  await tenant.acceptAllSuggestions();
  await line.drain();
  await expectAsUndisturbed(tenant);
});

test('days later an idle portal has cost no write and no new run', async () => {
  seedBulk(line.sandbox, PORTAL, { deals: 30, partners: 3, customers: 5, meetings: 20 });
  const tenant = await line.addTenant();
  await tenant.start();
  const runs = await countRuns(line, tenant);
  line.sandbox.log.reset();
  await line.pass(2 * DAY_MS, 8);
  expect(countWrites(line)).toBe(0);
  // Only open deals whose window moved may be computed again; this world's evidence is inside it or undated.
  expect(await countRuns(line, tenant)).toBeLessThanOrEqual(runs + 4);
  expect((await tenant.connection()).status).toBe('active');
});
