import { expect, test } from 'vitest';
import { objects, openSandbox } from './testing.ts';

test('what is created can be read back, with every value as text', async () => {
  const { call } = await openSandbox();
  const made = await call('POST', objects('deals'), {
    properties: { dealname: 'Acme', amount: '100.50', pipeline: 'default', dealstage: 'closedwon' },
  });
  expect(made.status).toBe(201);
  const read = await call(
    'GET',
    objects('deals', `/${made.body.id}?properties=amount,hs_is_closed_won,nonsense`),
  );
  expect(read.body.properties).toEqual({
    createdate: '2026-11-20T10:00:00.000Z',
    hs_lastmodifieddate: '2026-11-20T10:00:00.000Z',
    hs_object_id: made.body.id,
    amount: '100.5',
    hs_is_closed_won: 'true',
  });
  expect(read.body.archived).toBe(false);
});

test('a list gives 10 by default, 100 at most, and an opaque way to the next page', async () => {
  const { call, sandbox, portalId } = await openSandbox();
  for (let n = 0; n < 130; n += 1) sandbox.control.createDeal(portalId, { dealname: `Deal ${n}` });
  expect((await call('GET', objects('deals'))).body.results).toHaveLength(10);
  expect((await call('GET', objects('deals', '?limit=101'))).status).toBe(400);
  const first = (await call('GET', objects('deals', '?limit=100'))).body;
  const second = (
    await call('GET', objects('deals', `?limit=100&after=${encodeURIComponent(first.paging.next.after)}`))
  ).body;
  expect(second.results).toHaveLength(30);
  expect(second.paging).toBeUndefined();
  const ids = new Set([...first.results, ...second.results].map((row) => row.id));
  expect(ids.size).toBe(130);
  expect((await call('GET', objects('deals', '?after=130'))).status).toBe(400);
});

test('an unknown property, a wrong type and a foreign option refuse the write', async () => {
  const { call } = await openSandbox();
  const answer = await call('POST', objects('deals'), {
    properties: {
      dealname: 'A',
      nonsense: '1',
      amount: 'many',
      hs_is_closed_won: 'true',
      dealstage: 'nowhere',
    },
  });
  expect(answer.status).toBe(400);
  expect(answer.body.category).toBe('VALIDATION_ERROR');
  expect(answer.body.errors.map((error) => error.code)).toEqual([
    'PROPERTY_DOESNT_EXIST',
    'INVALID_INTEGER',
    'READ_ONLY_VALUE',
    'INVALID_OPTION',
  ]);
});

test('a property that the portal demands is enforced on 2026-09 paths only', async () => {
  const { call } = await openSandbox({ portal: { requiredProperties: { deals: ['description'] } } });
  const body = { properties: { dealname: 'A' } };
  expect((await call('POST', objects('deals'), body)).body.errors[0]?.code).toBe('REQUIRED_FIELD');
  expect((await call('POST', '/crm/objects/2026-03/deals', body)).status).toBe(201);
});

test('a batch read answers 207 and names the ids that are not there', async () => {
  const { call, sandbox, portalId } = await openSandbox();
  const id = sandbox.control.createDeal(portalId, { dealname: 'A' });
  const answer = await call('POST', objects('deals', '/batch/read'), {
    inputs: [{ id }, { id: '1' }],
    properties: [],
  });
  expect(answer.status).toBe(207);
  expect(answer.body.results.map((row) => row.id)).toEqual([id]);
  expect(answer.body.errors[0]).toMatchObject({ category: 'OBJECT_NOT_FOUND', context: { ids: ['1'] } });
  const inputs = Array.from({ length: 101 }, (_, n) => ({ id: String(n) }));
  expect((await call('POST', objects('deals', '/batch/read'), { inputs, properties: [] })).status).toBe(400);
});

test('one bad row refuses a whole batch unless every row carries its own trace id', async () => {
  const { call, sandbox, portalId } = await openSandbox();
  const good = { properties: { dealname: 'A' } };
  const bad = { properties: { nonsense: 'A' } };
  const whole = await call('POST', objects('deals', '/batch/create'), { inputs: [good, bad] });
  expect(whole.status).toBe(400);
  expect(sandbox.portal(portalId).tables.get('0-3')?.rows.size).toBe(0);
  const partial = await call('POST', objects('deals', '/batch/create'), {
    inputs: [
      { ...good, objectWriteTraceId: 'a' },
      { ...bad, objectWriteTraceId: 'b' },
    ],
  });
  expect(partial.status).toBe(207);
  expect(partial.body.results[0]?.objectWriteTraceId).toBe('a');
  expect(partial.body.errors[0]?.context).toEqual({ objectWriteTraceId: ['b'] });
});

test('archived records leave the list, show with archived=true, and come back by restore', async () => {
  const { call, sandbox, portalId, clock } = await openSandbox();
  const id = sandbox.control.createDeal(portalId, { dealname: 'A' });
  await clock.advance(1_000);
  expect((await call('DELETE', objects('deals', `/${id}`))).status).toBe(204);
  expect((await call('GET', objects('deals', `/${id}`))).status).toBe(404);
  expect((await call('GET', objects('deals'))).body.results).toEqual([]);
  const [row] = (await call('GET', objects('deals', '?archived=true'))).body.results;
  expect(row).toMatchObject({ id, archived: true, archivedAt: '2026-11-20T10:00:01.000Z' });
  sandbox.control.restore(portalId, 'deals', id);
  expect((await call('GET', objects('deals', `/${id}`))).status).toBe(200);
});

test('merged deals become a third record that answers for both old ids', async () => {
  const { call, sandbox, portalId } = await openSandbox();
  const company = sandbox.control.create(portalId, 'companies', { name: 'C' });
  const first = sandbox.control.createDeal(portalId, { dealname: 'A' }, { companies: [company] });
  const second = sandbox.control.createDeal(portalId, { dealname: 'B', amount: '5' });
  const merged = await call('POST', objects('deals', '/merge'), {
    primaryObjectId: first,
    objectIdToMerge: second,
  });
  const { id } = merged.body;
  expect([first, second]).not.toContain(id);
  const old = await call(
    'GET',
    objects('deals', `/${second}?properties=hs_merged_object_ids,dealname,amount`),
  );
  expect(old.body.id).toBe(id);
  expect(old.body.properties).toMatchObject({
    hs_merged_object_ids: `${first};${second}`,
    dealname: 'A',
    amount: '5',
  });
  const links = await call('POST', '/crm/associations/2026-09/deals/companies/batch/read', {
    inputs: [{ id: first }, { id }],
  });
  expect(links.body.results).toMatchObject([{ from: { id }, to: [{ toObjectId: company }] }]);
  expect(links.body.errors[0]?.subCategory).toBe('crm.associations.NO_ASSOCIATIONS_FOUND');
  expect(
    (await call('PATCH', objects('deals', `/${first}`), { properties: { dealname: 'C' } })).body.id,
  ).toBe(id);
  const batch = await call('POST', objects('deals', '/batch/update'), {
    inputs: [{ id: first, properties: { dealname: 'D' } }],
  });
  expect(batch.status).toBe(207);
  expect(batch.body.results).toEqual([]);
  const listed = (await call('GET', objects('deals'))).body.results.map((row) => row.id);
  expect(listed).toEqual([id]);
});

test('history comes with the record, newest first, for at most 50 records a call', async () => {
  const { call, sandbox, portalId, clock } = await openSandbox();
  const id = sandbox.control.createDeal(portalId, { dealname: 'A', amount: '1' });
  await clock.advance(60_000);
  await call('PATCH', objects('deals', `/${id}`), { properties: { amount: '2' } });
  const answer = await call('POST', objects('deals', '/batch/read'), {
    inputs: [{ id }],
    properties: [],
    propertiesWithHistory: ['amount'],
  });
  const [row] = answer.body.results;
  expect(row?.propertiesWithHistory.amount).toMatchObject([
    { value: '2', sourceType: 'INTEGRATION', timestamp: '2026-11-20T10:01:00.000Z' },
    { value: '1', timestamp: '2026-11-20T10:00:00.000Z' },
  ]);
  const inputs = Array.from({ length: 51 }, (_, n) => ({ id: String(n) }));
  const tooMany = { inputs, properties: [], propertiesWithHistory: ['amount'] };
  expect((await call('POST', objects('deals', '/batch/read'), tooMany)).status).toBe(400);
});

test('an erased contact is gone for good and its address may not come back', async () => {
  const { call, sandbox, portalId } = await openSandbox();
  const id = sandbox.control.create(portalId, 'contacts', { email: 'a@b.example' });
  sandbox.control.gdprDelete(portalId, id);
  expect((await call('GET', objects('contacts', `/${id}`))).status).toBe(404);
  expect((await call('GET', objects('contacts', '?archived=true'))).body.results).toEqual([]);
});

test('a path that HubSpot might have and the sandbox has not answers 404 and is logged', async () => {
  const { call, sandbox } = await openSandbox();
  const answer = await call('GET', '/crm/objects/2026-09/deals/1/unheard/of');
  expect(answer).toMatchObject({ status: 404, body: { category: 'OBJECT_NOT_FOUND' } });
  expect(sandbox.log.count({ operation: 'unknown' })).toBe(1);
});
