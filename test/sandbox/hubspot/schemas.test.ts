import { expect, test } from 'vitest';
import { associations, objects, openSandbox } from './testing.ts';

const SCHEMAS = '/crm-object-schemas/2026-09/schemas';
const property = (name: string, more = {}) => ({
  name,
  label: name,
  type: 'string',
  fieldType: 'text',
  ...more,
});
const schema = {
  name: 'partner_attribution',
  labels: { singular: 'Partner attribution', plural: 'Partner attributions' },
  primaryDisplayProperty: 'external_key',
  requiredProperties: ['external_key'],
  searchableProperties: [],
  secondaryDisplayProperties: [],
  properties: [
    property('external_key', { hasUniqueValue: true }),
    property('share', { type: 'number', fieldType: 'number' }),
  ],
  associatedObjects: ['0-3', '0-2'],
};

async function withSchema() {
  const bench = await openSandbox();
  const made = await bench.call('POST', SCHEMAS, schema);
  return { ...bench, made, type: made.body.objectTypeId };
}
const row = (key: string, share: string, trace?: string) => ({
  idProperty: 'external_key',
  id: key,
  properties: { external_key: key, share },
  ...(trace === undefined ? {} : { objectWriteTraceId: trace }),
});

test('a custom object is made, found by its names, and linked to what it names', async () => {
  const { call, made, type, portalId } = await withSchema();
  expect(made.status).toBe(201);
  expect(type).toMatch(/^2-\d+$/);
  expect(made.body.fullyQualifiedName).toBe(`p${portalId}_partner_attribution`);
  for (const name of [type, 'p_partner_attribution', `p${portalId}_partner_attribution`]) {
    expect((await call('GET', objects(name))).status).toBe(200);
  }
  expect((await call('GET', objects('partner_attribution'))).status).toBe(400);
  const labels = await call('GET', associations(type, '0-3', 'labels'));
  expect(labels.body.results).toMatchObject([{ category: 'USER_DEFINED', label: null }]);
  expect((await call('POST', SCHEMAS, schema)).status).toBe(409);
});

test('an upsert makes a row once and then changes it', async () => {
  const { call, type } = await withSchema();
  const upsert = (share: string) =>
    call('POST', objects(type, '/batch/upsert'), { inputs: [row('6001:p1', share)] });
  const first = await upsert('40.00');
  expect(first.status).toBe(200);
  expect(first.body.results[0]).toMatchObject({
    new: true,
    properties: { share: '40', external_key: '6001:p1' },
  });
  const second = await upsert('60');
  expect(second.body.results[0]).toMatchObject({ new: false, id: first.body.results[0]?.id });
  const found = await call('GET', objects(type, '/6001:p1?idProperty=external_key&properties=share'));
  expect(found.body.properties.share).toBe('60');
});

test('a bad row of an upsert fails alone only when every row has a trace id', async () => {
  const { call, type } = await withSchema();
  const post = (inputs: readonly unknown[]) => call('POST', objects(type, '/batch/upsert'), { inputs });
  expect((await post([row('a', '1'), row('b', 'x')])).status).toBe(400);
  const partial = await post([row('a', '1', 't1'), row('b', 'x', 't2')]);
  expect(partial.status).toBe(207);
  expect(partial.body).toMatchObject({ numErrors: 1, errors: [{ context: { objectWriteTraceId: ['t2'] } }] });
  expect((await post([row('a', '1'), row('a', '2')])).body.message).toContain('Duplicate IDs');
  expect((await post(Array.from({ length: 101 }, (_, n) => row(String(n), '1')))).status).toBe(400);
});

test('unique values clash, required ones must be there', async () => {
  const { call, type } = await withSchema();
  const create = (properties: object) => call('POST', objects(type), { properties });
  expect((await create({ external_key: 'k' })).status).toBe(201);
  expect((await create({ external_key: 'k' })).body.errors[0]?.code).toBe('CONFLICTING_UNIQUE_VALUE');
  expect((await create({ share: '1' })).body.errors[0]?.code).toBe('REQUIRED_FIELD');
});

test('a portal below Enterprise has no custom objects at all', async () => {
  const { call, type, sandbox, portalId } = await withSchema();
  const limits = () => call('GET', '/crm/limits/2026-09/custom-object-types');
  expect((await limits()).body).toMatchObject({ limit: 10, usage: 1 });
  sandbox.control.setEdition(portalId, 'professional');
  expect((await limits()).body.limit).toBe(0);
  expect((await call('GET', SCHEMAS)).status).toBe(403);
  expect((await call('GET', objects(type))).status).toBe(403);
});

test('a type with records cannot go; deleted once it keeps its name, deleted twice it is gone', async () => {
  const { call, type } = await withSchema();
  const made = await call('POST', objects(type), { properties: { external_key: 'k' } });
  expect((await call('DELETE', `${SCHEMAS}/${type}`)).status).toBe(400);
  await call('POST', objects(type, '/batch/archive'), { inputs: [{ id: made.body.id }] });
  expect((await call('DELETE', `${SCHEMAS}/${type}`)).status).toBe(204);
  expect((await call('POST', SCHEMAS, schema)).status).toBe(409);
  expect((await call('DELETE', `${SCHEMAS}/${type}?archived=true`)).status).toBe(204);
  expect((await call('POST', SCHEMAS, schema)).status).toBe(201);
});

test('properties need their group, all their fields, and a name of their own', async () => {
  const { call } = await openSandbox();
  const path = '/crm/properties/2026-09/deals';
  const body = { ...property('tributary_model'), groupName: 'tributary' };
  expect((await call('POST', path, body)).status).toBe(400);
  expect((await call('POST', `${path}/groups`, { name: 'tributary', label: 'Tributary' })).status).toBe(201);
  expect((await call('POST', path, { ...body, label: undefined })).status).toBe(400);
  expect((await call('POST', path, body)).status).toBe(201);
  expect((await call('POST', path, body)).status).toBe(409);
  expect((await call('POST', path, { ...body, name: 'x', fieldType: 'select' })).status).toBe(400);
  const batch = await call('POST', `${path}/batch/create`, { inputs: [body, { ...body, name: 'other' }] });
  expect(batch.status).toBe(207);
  expect((await call('PATCH', `${path}/other`, { label: 'Other' })).body.label).toBe('Other');
  expect((await call('DELETE', `${path}/other`)).status).toBe(204);
  expect((await call('GET', `${path}/other`)).status).toBe(404);
  expect((await call('DELETE', `${path}/amount`)).status).toBe(400);
});

test('a hidden property neither reads, lists, searches nor writes', async () => {
  const { call, sandbox, portalId } = await openSandbox();
  const id = sandbox.control.createDeal(portalId, { dealname: 'A', amount: '5' });
  sandbox.control.hideProperty(portalId, 'deals', 'amount');
  expect(
    (await call('GET', objects('deals', `/${id}?properties=amount`))).body.properties,
  ).not.toHaveProperty('amount');
  expect((await call('GET', '/crm/properties/2026-09/deals/amount')).status).toBe(404);
  expect((await call('PATCH', objects('deals', `/${id}`), { properties: { amount: '6' } })).status).toBe(400);
});

test('pipelines tell won from lost by metadata, owners keep those who left', async () => {
  const { call, sandbox, portalId } = await openSandbox();
  const { body } = await call('GET', '/crm/pipelines/2026-09/deals');
  const stages = body.results[0]?.stages as { id: string; metadata: unknown }[];
  expect(stages.find((stage) => stage.id === 'closedwon')?.metadata).toEqual({
    isClosed: 'true',
    probability: '1.0',
  });
  const at = '2026-01-01T00:00:00.000Z';
  const owner = {
    userId: 1,
    email: 'a@b.example',
    firstName: 'A',
    lastName: 'B',
    createdAt: at,
    updatedAt: at,
  };
  sandbox
    .portal(portalId)
    .owners.push({ ...owner, id: '1', archived: false }, { ...owner, id: '2', archived: true });
  expect((await call('GET', '/crm/owners/2026-09')).body.results.map((each) => each.id)).toEqual(['1']);
  const [gone] = (await call('GET', '/crm/owners/2026-09?archived=true')).body.results;
  expect(gone).toMatchObject({ id: '2', userIdIncludingInactive: 1 });
  expect(gone).not.toHaveProperty('userId');
});
