import { expect, test } from 'vitest';
import { objects, openSandbox } from './testing.ts';

const path = objects('deals', '/search');
const between = (low: number, high: number) => ({
  propertyName: 'hs_lastmodifieddate',
  operator: 'BETWEEN',
  value: String(low),
  highValue: String(high),
});
const byId = [{ propertyName: 'hs_object_id', direction: 'ASCENDING' }];

test('a write is visible to search only after its lag, and stale until then', async () => {
  const { call, sandbox, portalId, clock } = await openSandbox({
    knobs: { indexLagMs: { min: 5_000, max: 5_000 } },
  });
  const id = sandbox.control.createDeal(portalId, { dealname: 'A', amount: '1' });
  const body = { filterGroups: [], properties: ['amount'] };
  expect((await call('POST', path, body)).body.total).toBe(0);
  await clock.advance(5_000);
  expect((await call('POST', path, body)).body.results[0]?.properties.amount).toBe('1');
  sandbox.control.updateDeal(portalId, id, { amount: '2' });
  await clock.advance(4_999);
  expect((await call('POST', path, body)).body.results[0]?.properties.amount).toBe('1');
  await clock.advance(1);
  expect((await call('POST', path, body)).body.results[0]?.properties.amount).toBe('2');
});

test('archived and merged-away records are invisible at once', async () => {
  const { call, sandbox, portalId } = await openSandbox();
  const [a, b, c] = ['A', 'B', 'C'].map((dealname) => sandbox.control.createDeal(portalId, { dealname }));
  sandbox.control.archive(portalId, 'deals', a ?? '');
  const merged = sandbox.control.mergeDeals(portalId, b ?? '', c ?? '');
  const found = (await call('POST', path, { filterGroups: [] })).body.results.map((row) => row.id);
  expect(found).toEqual([merged]);
});

test('a window on the modification time is inclusive at both ends and goes on by id', async () => {
  const { call, sandbox, portalId, clock } = await openSandbox();
  const ids: string[] = [];
  const startMs = clock.nowMs();
  for (let n = 0; n < 6; n += 1) {
    // Pairs share one timestamp to the millisecond.
    ids.push(sandbox.control.createDeal(portalId, { dealname: `D${n}` }));
    if (n % 2 === 1) await clock.advance(1_000);
  }
  const window = between(startMs + 1_000, startMs + 2_000);
  const all = await call('POST', path, { filterGroups: [{ filters: [window] }], sorts: byId });
  expect(all.body.results.map((row) => row.id)).toEqual(ids.slice(2));
  const rest = { propertyName: 'hs_object_id', operator: 'GTE', value: ids[4] };
  const next = await call('POST', path, { filterGroups: [{ filters: [window, rest] }], sorts: byId });
  expect(next.body.results.map((row) => row.id)).toEqual(ids.slice(4));
});

test('an association change does not move the modification time', async () => {
  const { call, sandbox, portalId, clock } = await openSandbox();
  const deal = sandbox.control.createDeal(portalId, { dealname: 'A' });
  const company = sandbox.control.create(portalId, 'companies', { name: 'C' });
  const beforeMs = clock.nowMs();
  await clock.advance(60_000);
  sandbox.control.associate(portalId, { type: 'deals', id: deal }, { type: 'companies', id: company });
  const answer = await call('POST', path, {
    filterGroups: [{ filters: [between(beforeMs + 1, clock.nowMs())] }],
  });
  expect(answer.body.total).toBe(0);
});

test('paging past 10,000 results is refused', async () => {
  const { call, sandbox, portalId } = await openSandbox();
  for (let n = 0; n < 10_050; n += 1) sandbox.control.createDeal(portalId, { dealname: 'D' });
  const body = { filterGroups: [], sorts: byId, limit: 200 };
  const last = await call('POST', path, { ...body, after: '9800' });
  expect(last.body).toMatchObject({ total: 10_050, paging: { next: { after: '10000' } } });
  expect((await call('POST', path, { ...body, after: '10000' })).status).toBe(400);
  expect((await call('POST', path, { ...body, limit: 201 })).status).toBe(400);
});

test.each([
  ['six groups', { filterGroups: Array.from({ length: 6 }, () => ({ filters: [between(0, 1)] })) }],
  [
    'seven filters in a group',
    { filterGroups: [{ filters: Array.from({ length: 7 }, () => between(0, 1)) }] },
  ],
  ['a body over 3,000 characters', { filterGroups: [], query: 'x'.repeat(3_000) }],
  [
    'an unknown property',
    { filterGroups: [{ filters: [{ propertyName: 'nope', operator: 'EQ', value: '1' }] }] },
  ],
  ['a missing value', { filterGroups: [{ filters: [{ propertyName: 'amount', operator: 'GT' }] }] }],
  [
    'an unknown operator',
    { filterGroups: [{ filters: [{ propertyName: 'amount', operator: 'LIKE', value: '1' }] }] },
  ],
  ['sorts as text', { filterGroups: [], sorts: ['amount'] }],
])('search refuses %s', async (_title, body) => {
  const { call } = await openSandbox();
  expect(await call('POST', path, body)).toMatchObject({
    status: 400,
    body: { category: 'VALIDATION_ERROR' },
  });
});

test('filters compare numbers as numbers, and contacts have their own modification property', async () => {
  const { call, sandbox, portalId } = await openSandbox();
  for (const amount of ['9', '10', '100', null])
    sandbox.control.createDeal(portalId, { dealname: 'D', amount });
  const filter = (operator: string, value?: string) =>
    call('POST', path, {
      filterGroups: [
        { filters: [{ propertyName: 'amount', operator, ...(value === undefined ? {} : { value }) }] },
      ],
    });
  expect((await filter('GT', '9')).body.total).toBe(2);
  expect((await filter('NOT_HAS_PROPERTY')).body.total).toBe(1);
  const contacts = (propertyName: string) =>
    call('POST', objects('contacts', '/search'), {
      filterGroups: [{ filters: [{ propertyName, operator: 'GTE', value: '0' }] }],
    });
  expect((await contacts('lastmodifieddate')).status).toBe(200);
  expect((await contacts('hs_lastmodifieddate')).status).toBe(400);
});
