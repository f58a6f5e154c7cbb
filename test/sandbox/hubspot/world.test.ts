import { expect, test } from 'vitest';
import { associations, objects, openSandbox } from './testing.ts';
import { seedCompany } from './world.ts';
import { seedBulk } from './world-bulk.ts';

const small = { seed: 5, deals: 400, partners: 20, activities: 1_500 };

test('the same seed gives the same portal', async () => {
  const portals = await Promise.all(
    [1, 2].map(async () => {
      const { sandbox, portalId } = await openSandbox();
      seedCompany(sandbox, portalId, small);
      const { tables, associations: store } = sandbox.portal(portalId);
      return JSON.stringify([
        [...tables].map(([id, table]) => [id, [...table.rows]]),
        [...store.links].map(([key, links]) => [key, [...links]]),
      ]);
    }),
  );
  expect(portals[0]).toBe(portals[1]);
});

test('every value of the seeded company is a property that the portal knows', async () => {
  const { sandbox, portalId } = await openSandbox();
  seedCompany(sandbox, portalId, small);
  for (const table of sandbox.portal(portalId).tables.values()) {
    const names = new Set([...table.rows.values()].flatMap((row) => Object.keys(row.values)));
    expect([...names].filter((name) => !table.properties.has(name))).toEqual([]);
  }
});

test('the company has the untidy cases that attribution must survive', async () => {
  const { sandbox, portalId } = await openSandbox();
  const world = seedCompany(sandbox, portalId);
  const portal = sandbox.portal(portalId);
  const deals = [...(portal.tables.get('0-3')?.rows.values() ?? [])];
  const values = (name: string) => new Set(deals.map((row) => row.values[name] ?? null));
  expect(deals.length).toBeGreaterThanOrEqual(1_200);
  expect(world.partners).toHaveLength(60);
  expect([...values('deal_currency_code')].sort()).toEqual(['EUR', 'JPY', 'KWD', 'USD', null].sort());
  expect(values('pipeline').size).toBe(3);
  for (const stage of ['closedwon', 'ent_won', 'ent_won_expansion', 'ren_won', 'ren_won_multi_year']) {
    expect(values('dealstage')).toContain(stage);
  }
  expect(values('amount')).toContain(null);
  expect(deals.filter((row) => row.values.referral_partner != null).length).toBeGreaterThan(30);
  expect(world.merges.length).toBeGreaterThan(5);
  expect(world.archivedDealIds.length).toBeGreaterThan(5);
  const reopened = deals.filter((row) => (row.history?.get('dealstage')?.length ?? 0) >= 3);
  expect(reopened.length).toBeGreaterThan(5);
  const edges = deals.filter((row) => /T0[345]:30:00.000Z$/.test(row.values.closedate ?? ''));
  expect(edges.length).toBeGreaterThan(5);
  const meetings = [...(portal.tables.get('0-47')?.rows.values() ?? [])];
  const outcomes = new Set(meetings.map((row) => row.values.hs_meeting_outcome));
  expect(outcomes).toEqual(new Set(['COMPLETED', 'SCHEDULED', 'RESCHEDULED', 'NO_SHOW', 'CANCELED', null]));
  expect(meetings.some((row) => Date.parse(row.values.hs_timestamp ?? '') > sandbox.nowMs())).toBe(true);
  const activities = ['0-27', '0-46', '0-47', '0-48', '0-49'].map(
    (id) => portal.tables.get(id)?.rows.size ?? 0,
  );
  expect(activities.reduce((sum, size) => sum + size, 0)).toBe(6_000);
});

test('a seeded portal reads over HTTP to its last page, within the bucket of ten seconds', async () => {
  const { sandbox, portalId, call, clock } = await openSandbox();
  const world = seedCompany(sandbox, portalId, small);
  clock.setAutoAdvance(true);
  const ids: string[] = [];
  for (let after = ''; ; ) {
    const { body } = await call(
      'GET',
      objects('deals', `?limit=100${after === '' ? '' : `&after=${encodeURIComponent(after)}`}`),
    );
    ids.push(...body.results.map((row) => row.id));
    if (body.paging === undefined) break;
    after = body.paging.next.after;
  }
  expect(ids.length).toBe(400 - world.merges.length - world.archivedDealIds.length);
  const inputs = ids.slice(0, 100).map((id) => ({ id }));
  const links = await call('POST', associations('deals', 'companies', 'batch/read'), { inputs });
  expect(links.body.results.length).toBeGreaterThan(90);
});

test('a hundred thousand deals are there within seconds, and pages stay cheap', async () => {
  const { sandbox, portalId, call } = await openSandbox({ knobs: { rateLimit: 10_000, log: 'count' } });
  const seededAt = performance.now();
  seedBulk(sandbox, portalId);
  const seedMs = performance.now() - seededAt;
  const readAt = performance.now();
  let after = '';
  for (let page = 0; page < 200; page += 1) {
    const { body } = await call(
      'GET',
      objects('deals', `?limit=100${after === '' ? '' : `&after=${encodeURIComponent(after)}`}`),
    );
    after = body.paging.next.after;
  }
  const readMs = performance.now() - readAt;
  expect(sandbox.portal(portalId).tables.get('0-3')?.liveIds.size).toBe(100_000);
  expect(seedMs).toBeLessThan(10_000);
  // 20,000 rows; a cost that grew with the table would take minutes.
  expect(readMs).toBeLessThan(10_000);
}, 60_000);
