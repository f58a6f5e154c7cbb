import { expect, test } from 'vitest';
import { associations, objects, openSandbox } from './testing.ts';

const read = associations('deals', 'companies', 'batch/read');

async function dealWithCompanies(count: number, knobs = {}) {
  const bench = await openSandbox({ knobs });
  const { sandbox, portalId } = bench;
  const companies = Array.from({ length: count }, (_, n) =>
    sandbox.control.create(portalId, 'companies', { name: `C${n}` }),
  );
  const deal = sandbox.control.createDeal(portalId, { dealname: 'A' }, { companies });
  return { ...bench, deal, companies };
}

test('associations page per id, and ids without any are reported beside the results', async () => {
  const { call, deal, companies } = await dealWithCompanies(5, { associationPageSize: 2 });
  const seen: string[] = [];
  let after: string | undefined;
  do {
    const answer = await call('POST', read, {
      inputs: [{ id: deal, ...(after === undefined ? {} : { after }) }],
    });
    const [row] = answer.body.results;
    seen.push(...(row?.to ?? []).map((each) => each.toObjectId));
    after = row?.paging?.next.after;
  } while (after !== undefined);
  expect(seen).toEqual(companies);
  const mixed = await call('POST', read, { inputs: [{ id: deal }, { id: '1' }] });
  expect(mixed.status).toBe(207);
  expect(mixed.body.errors[0]?.subCategory).toBe('crm.associations.NO_ASSOCIATIONS_FOUND');
});

test('a labelled association also carries the plain type, and reads the same from both sides', async () => {
  const { call, deal, companies } = await dealWithCompanies(1);
  const made = await call('POST', associations('deals', 'companies', 'labels'), {
    label: 'Referral partner',
    name: 'referral_partner',
    inverseLabel: 'Referred',
  });
  const [there, back] = made.body.results as unknown as { typeId: number; label: string }[];
  expect(there?.label).toBe('Referral partner');
  const created = await call('POST', associations('deals', 'companies', 'batch/create'), {
    inputs: [
      {
        from: { id: deal },
        to: { id: companies[0] },
        types: [{ associationCategory: 'USER_DEFINED', associationTypeId: there?.typeId }],
      },
    ],
  });
  expect(created.body.results[0]).toMatchObject({ fromObjectId: deal, labels: ['Referral partner'] });
  const answer = await call('POST', read, { inputs: [{ id: deal }] });
  expect(answer.body.results[0]?.to[0]?.associationTypes).toEqual([
    { category: 'HUBSPOT_DEFINED', typeId: 341, label: null },
    { category: 'HUBSPOT_DEFINED', typeId: 5, label: 'Primary' },
    { category: 'USER_DEFINED', typeId: there?.typeId, label: 'Referral partner' },
  ]);
  const reverse = await call('POST', associations('companies', 'deals', 'batch/read'), {
    inputs: [{ id: companies[0] }],
  });
  expect(reverse.body.results[0]?.to[0]?.associationTypes).toContainEqual({
    category: 'USER_DEFINED',
    typeId: back?.typeId,
    label: 'Referred',
  });
});

test('a deal has one primary company at a time', async () => {
  const { call, deal, companies, sandbox, portalId } = await dealWithCompanies(2);
  sandbox.control.associate(
    portalId,
    { type: 'deals', id: deal },
    { type: 'companies', id: companies[1] ?? '' },
    ['Primary'],
  );
  const answer = await call('POST', read, { inputs: [{ id: deal }] });
  const primaries = answer.body.results[0]?.to.filter((each) => JSON.stringify(each).includes('Primary'));
  expect(primaries?.map((each) => each.toObjectId)).toEqual([companies[1]]);
});

test('limits, unknown types and dead ends are refused', async () => {
  const { call, deal, companies } = await dealWithCompanies(1);
  const inputs = Array.from({ length: 1_001 }, (_, n) => ({ id: String(n) }));
  expect((await call('POST', read, { inputs })).status).toBe(400);
  const create = (typeId: number, to: string) =>
    call('POST', associations('deals', 'companies', 'batch/create'), {
      inputs: [
        {
          from: { id: deal },
          to: { id: to },
          types: [{ associationCategory: 'HUBSPOT_DEFINED', associationTypeId: typeId }],
        },
      ],
    });
  expect((await create(3, companies[0] ?? '')).status).toBe(400);
  expect((await create(341, '999999')).body.errors[0]?.subCategory).toBe(
    'crm.associations.INVALID_OBJECT_IDS',
  );
  expect((await call('GET', objects('deals', `/${deal}/associations/companies`))).status).toBe(404);
});

test('archiving removes every type between two records, and the bin hides the rest', async () => {
  const { call, deal, companies, sandbox, portalId } = await dealWithCompanies(2);
  await call('POST', associations('deals', 'companies', 'batch/archive'), {
    inputs: [{ from: { id: deal }, to: [{ id: companies[0] }] }],
  });
  const left = await call('POST', read, { inputs: [{ id: deal }] });
  expect(left.body.results[0]?.to.map((each) => each.toObjectId)).toEqual([companies[1]]);
  sandbox.control.archive(portalId, 'companies', companies[1] ?? '');
  expect((await call('POST', read, { inputs: [{ id: deal }] })).body.results).toEqual([]);
});

test('ids may come as numbers, as samples in the wild show', async () => {
  const { call, deal, companies } = await dealWithCompanies(1, { associationIds: 'number' });
  const answer = await call('POST', read, { inputs: [{ id: deal }] });
  expect(answer.body.results[0]?.to[0]?.toObjectId).toBe(Number(companies[0]));
});

test('a parent company shows as association and as computed property', async () => {
  const { call, sandbox, portalId } = await openSandbox();
  const [child, parent] = ['Child', 'Parent'].map((name) =>
    sandbox.control.create(portalId, 'companies', { name }),
  );
  sandbox.control.associate(
    portalId,
    { type: 'companies', id: child ?? '' },
    { type: 'companies', id: parent ?? '' },
    ['Parent Company'],
  );
  const answer = await call('GET', objects('companies', `/${child}?properties=hs_parent_company_id`));
  expect(answer.body.properties.hs_parent_company_id).toBe(parent);
});
