import { afterEach, expect, test } from 'vitest';
import type {
  Connector,
  DesiredDeal,
  DesiredRow,
  RowOutcome,
  SchemaState,
} from '../../../connectors/connector.ts';
import type { HubSpotOptions } from '../../../connectors/hubspot/connector.ts';
import { linksFrom } from '../../sandbox/hubspot/association-store.ts';
import type { Knobs, PortalOptions } from '../../sandbox/hubspot/options.ts';
import { OPTIONAL_SCOPES, REQUIRED_SCOPES } from '../../sandbox/hubspot/options.ts';
import type { TestPortal } from './portal.ts';
import { PORTAL_ID, startPortal } from './portal.ts';

const signal = new AbortController().signal;
let portal: TestPortal;
afterEach(() => portal.close());

async function setUp(
  options: { portal?: Partial<PortalOptions>; knobs?: Partial<Knobs>; connector?: HubSpotOptions } = {},
): Promise<{ connector: Connector; schema: SchemaState }> {
  portal = await startPortal(options);
  const schema = await (await portal.connect()).ensureSchema(signal);
  return { connector: await portal.connect({ schema }, options.connector), schema };
}
const control = () => portal.sandbox.control;
const newDeals = (count: number) =>
  Array.from({ length: count }, () => control().createDeal(PORTAL_ID, { dealname: 'D' }));
function row(deal: string, partner: string, over: Partial<DesiredRow> = {}): DesiredRow {
  return {
    key: `${deal}:${partner}`,
    partnerId: partner,
    partnerName: `Partner ${partner}`,
    partnerAccountExternalId: null,
    sharePercent: '40.00',
    amount: '400.00',
    currency: 'EUR',
    role: 'sourced',
    model: 'equal_split',
    state: 'projected',
    reason: 'A demo on 3 May.',
    computedAt: '2026-11-20T09:00:00.000Z',
    runId: 'run-1',
    ...over,
  };
}
const wanted = (
  dealExternalId: string,
  rows: readonly DesiredRow[],
  retire: DesiredDeal['retire'] = [],
): DesiredDeal => ({
  dealExternalId,
  rows,
  retire,
});
const statuses = (outcomes: readonly RowOutcome[]) => outcomes.map((outcome) => outcome.result.status);
const rowIdOf = (outcome: RowOutcome | undefined) =>
  outcome?.result.status === 'written' ? outcome.result.crmRowId : null;

test('an Enterprise account gets the custom object, once', async () => {
  const { connector, schema } = await setUp();
  expect(schema).toMatchObject({
    rung: 'custom_object',
    findings: [],
    handle: { objectTypeId: expect.stringMatching(/^2-/) },
  });
  const again = await connector.ensureSchema(signal);
  expect(again).toEqual(schema);
  expect(portal.sandbox.log.count({ operation: 'schemas.create' })).toBe(1);
});

test('the version changes when an admin adds a required property', async () => {
  const { connector, schema } = await setUp();
  const table = [...portal.sandbox.portal().tables.values()].find((each) => each.custom !== null);
  if (table?.custom)
    Object.assign(table.custom, {
      requiredProperties: [...table.custom.requiredProperties, 'run_id', 'partner'],
    });
  expect((await connector.ensureSchema(signal)).version).not.toBe(schema.version);
});

test('rows are written, associated, read back, rewritten in place and retired', async () => {
  const { connector } = await setUp();
  const company = control().create(PORTAL_ID, 'companies', { name: 'Partner' });
  const [a = '', b = ''] = newDeals(2);
  const first = await connector.write(
    [
      wanted(a, [
        row(a, 'p1', { partnerAccountExternalId: company }),
        row(a, 'p2', { sharePercent: '33.34', amount: null }),
      ]),
      wanted(b, [row(b, 'p1')]),
    ],
    signal,
  );
  expect(statuses(first)).toEqual(['written', 'written', 'written']);
  const { log } = portal.sandbox;
  expect([
    log.count({ operation: 'objects.batchUpsert' }),
    log.count({ operation: 'associations.create' }),
  ]).toEqual([1, 2]);

  const held = await connector.readBack([a, b], signal);
  expect(held.find((credit) => credit.key === `${a}:p2`)).toMatchObject({
    dealExternalId: a,
    crmRowId: rowIdOf(first[1]),
    sharePercent: '33.34',
    amount: null,
    role: 'sourced',
    model: 'equal_split',
    state: 'projected',
  });
  expect(held).toHaveLength(3);

  const second = await connector.write(
    [
      wanted(a, [row(a, 'p1', { model: 'first_touch' })], [{ key: `${a}:p2`, crmRowId: rowIdOf(first[1]) }]),
      wanted(b, [], [{ key: `${b}:p1`, crmRowId: null }]),
    ],
    signal,
  );
  expect(second.map(({ key, result }) => [key, result.status])).toEqual([
    [`${a}:p2`, 'retired'],
    [`${b}:p1`, 'retired'],
    [`${a}:p1`, 'written'],
  ]);
  expect(rowIdOf(second[2])).toBe(rowIdOf(first[0]));
  expect(await connector.readBack([a, b], signal)).toMatchObject([{ key: `${a}:p1`, model: 'first_touch' }]);
});

test('retiring what is not there is done, and a retired key may come back', async () => {
  const { connector } = await setUp();
  const [a = ''] = newDeals(1);
  expect(
    statuses(await connector.write([wanted(a, [], [{ key: `${a}:p9`, crmRowId: null }])], signal)),
  ).toEqual(['retired']);
  const [made] = await connector.write([wanted(a, [row(a, 'p1')])], signal);
  await connector.write([wanted(a, [], [{ key: `${a}:p1`, crmRowId: rowIdOf(made) }])], signal);
  expect(statuses(await connector.write([wanted(a, [row(a, 'p1')])], signal))).toEqual(['written']);
  expect(await connector.readBack([a], signal)).toHaveLength(1);
});

test('calls for many deals: one upsert per hundred rows, one association call per two thousand', async () => {
  const { connector } = await setUp();
  const deals = newDeals(250);
  const outcomes = await connector.write(
    deals.map((deal) => wanted(deal, [row(deal, 'p1'), row(deal, 'p2')])),
    signal,
  );
  expect(new Set(statuses(outcomes))).toEqual(new Set(['written']));
  const { log } = portal.sandbox;
  expect([
    log.count({ operation: 'objects.batchUpsert', status: 200 }),
    log.count({ operation: 'associations.create' }),
  ]).toEqual([5, 1]);
  expect(await connector.readBack(deals, signal)).toHaveLength(500);
});

test('a row that was made before a crash is associated when it is written again', async () => {
  const { connector } = await setUp();
  const [a = ''] = newDeals(1);
  control().failNext(4, 'serverError', 'associations.create');
  expect(statuses(await connector.write([wanted(a, [row(a, 'p1')])], signal))).toEqual(['later']);
  expect(await connector.readBack([a], signal)).toEqual([]);
  expect(statuses(await connector.write([wanted(a, [row(a, 'p1')])], signal))).toEqual(['written']);
  expect(await connector.readBack([a], signal)).toHaveLength(1);
});

test('one bad row in a 207 does not touch the others, and says why in HubSpot’s words', async () => {
  const { connector } = await setUp();
  const [a = '', b = ''] = newDeals(2);
  const outcomes = await connector.write(
    [wanted(a, [row(a, 'p1', { sharePercent: 'many' })]), wanted(b, [row(b, 'p1')])],
    signal,
  );
  expect(statuses(outcomes)).toEqual(['rejected', 'written']);
  expect(outcomes[0]?.result).toMatchObject({
    reason: 'validation',
    message: expect.stringMatching(/^HubSpot says: .*many/),
  });
});

test('a deal that is gone rejects its row alone', async () => {
  const { connector } = await setUp();
  const deals = newDeals(9);
  control().archive(PORTAL_ID, 'deals', deals[4] ?? '');
  const outcomes = await connector.write(
    deals.map((deal) => wanted(deal, [row(deal, 'p1')])),
    signal,
  );
  expect(
    outcomes
      .map(({ result }, at) => (result.status === 'written' ? '' : `${at} ${result.status}`))
      .filter(Boolean),
  ).toEqual(['4 rejected']);
});

test('what must wait waits: nothing is lost, nothing is called rejected', async () => {
  const { connector } = await setUp();
  const deals = newDeals(250);
  control().failNext(1, 'dailyLimit', 'objects.batchUpsert');
  const outcomes = await connector.write(
    deals.map((deal) => wanted(deal, [row(deal, 'p1')])),
    signal,
  );
  const later = outcomes.filter((outcome) => outcome.result.status === 'later');
  expect(later.length).toBeGreaterThanOrEqual(50);
  expect(statuses(outcomes).filter((status) => status === 'rejected')).toEqual([]);
  expect(
    statuses(
      await connector.write(
        deals.map((deal) => wanted(deal, [row(deal, 'p1')])),
        signal,
      ),
    ).every((status) => status === 'written'),
  ).toBe(true);
});

test('rows stay back while those that must go first cannot be removed', async () => {
  const { connector } = await setUp();
  const [a = ''] = newDeals(1);
  const [made] = await connector.write([wanted(a, [row(a, 'p1', { sharePercent: '100.00' })])], signal);
  control().failNext(4, 'serverError', 'objects.batchArchive');
  const outcomes = await connector.write(
    [wanted(a, [row(a, 'p2', { sharePercent: '100.00' })], [{ key: `${a}:p1`, crmRowId: rowIdOf(made) }])],
    signal,
  );
  expect(statuses(outcomes)).toEqual(['later', 'later']);
  expect((await connector.readBack([a], signal)).map((credit) => credit.key)).toEqual([`${a}:p1`]);
});

const professional = { portal: { edition: 'professional' as const } };

test('without custom objects the credits stand on the deal, and read back the same', async () => {
  const { connector, schema } = await setUp(professional);
  expect(schema).toMatchObject({
    rung: 'deal_fields',
    findings: [{ code: 'no_custom_objects', severity: 'info' }],
  });
  expect((await connector.ensureSchema(signal)).version).toBe(schema.version);
  const [a = '', b = ''] = newDeals(2);
  const outcomes = await connector.write(
    [
      wanted(a, [
        row(a, 'p1', { sharePercent: '33.33', amount: '0.10' }),
        row(a, 'p2', { sharePercent: '66.67', amount: '0.20', partnerName: 'A [b] · c\nd' }),
      ]),
      wanted(b, [row(b, 'p1', { amount: null })]),
    ],
    signal,
  );
  expect(statuses(outcomes)).toEqual(['written', 'written', 'written']);
  expect(portal.sandbox.log.count({ operation: 'objects.batchUpdate' })).toBe(1);
  expect(await connector.readBack([a, b], signal)).toEqual([
    {
      dealExternalId: a,
      key: `${a}:p2`,
      crmRowId: null,
      sharePercent: '66.67',
      amount: '0.20',
      role: 'sourced',
      model: 'equal_split',
      state: 'projected',
    },
    {
      dealExternalId: a,
      key: `${a}:p1`,
      crmRowId: null,
      sharePercent: '33.33',
      amount: '0.10',
      role: 'sourced',
      model: 'equal_split',
      state: 'projected',
    },
    {
      dealExternalId: b,
      key: `${b}:p1`,
      crmRowId: null,
      sharePercent: '40.00',
      amount: null,
      role: 'sourced',
      model: 'equal_split',
      state: 'projected',
    },
  ]);
  const values = portal.sandbox.portal().tables.get('0-3')?.rows.get(a)?.values;
  expect(values).toMatchObject({
    tributary_primary_partner: 'A [b] · c\nd',
    tributary_attributed_amount: '0.3',
    tributary_model: 'equal_split',
  });

  await connector.write([wanted(a, [], [{ key: `${a}:p1`, crmRowId: null }])], signal);
  expect(await connector.readBack([a], signal)).toEqual([]);
});

test('on the deal too, a merged-away id is rejected alone', async () => {
  const { connector } = await setUp(professional);
  const [a = '', b = '', c = ''] = newDeals(3);
  control().mergeDeals(PORTAL_ID, a, b);
  const outcomes = await connector.write([wanted(a, [row(a, 'p1')]), wanted(c, [row(c, 'p1')])], signal);
  expect(statuses(outcomes)).toEqual(['rejected', 'written']);
});

test('an account that gives us no place to write says so', async () => {
  const { connector, schema } = await setUp({
    portal: {
      edition: 'professional',
      grantedScopes: [
        'oauth',
        'crm.objects.deals.read',
        'crm.objects.owners.read',
        'crm.schemas.deals.read',
        'crm.objects.companies.read',
      ],
    },
  });
  expect(schema).toMatchObject({ rung: 'none' });
  expect(schema.findings.map((finding) => finding.code)).toEqual(['no_custom_objects', 'no_deal_fields']);
  const [outcome] = await connector.write([wanted('1', [row('1', 'p1')])], signal);
  expect(outcome?.result).toMatchObject({ status: 'rejected', reason: 'no_place_to_write' });
});

test('the preflight is silent when all is well, and names a missing scope', async () => {
  const { connector } = await setUp();
  expect(await connector.preflight(signal)).toEqual([]);
  await portal.close();
  portal = await startPortal({
    portal: {
      grantedScopes: [
        'oauth',
        'crm.objects.deals.read',
        'crm.objects.companies.read',
        'crm.objects.owners.read',
        'crm.schemas.deals.read',
      ],
    },
  });
  const findings = await (await portal.connect()).preflight(signal);
  expect(findings.map((finding) => finding.code)).toContain('missing_scope');
  expect(findings.find((finding) => finding.message.includes('contacts'))?.message).toContain(
    'crm.objects.contacts.read',
  );
});

test.each(['enterprise', 'professional'] as const)(
  'leaves a %s account as it was before, and ends the grant',
  async (edition) => {
    const { connector } = await setUp({ portal: { edition } });
    const deals = newDeals(120);
    await connector.write(
      deals.map((deal) => wanted(deal, [row(deal, 'p1')])),
      signal,
    );
    await connector.remove({ traces: true }, signal);
    const { tables, installed } = portal.sandbox.portal();
    expect([...tables.values()].filter((table) => table.custom !== null)).toEqual([]);
    const properties = [...(tables.get('0-3')?.properties.values() ?? [])].filter(
      (property) => !property.archived,
    );
    expect(properties.filter((property) => property.name.startsWith('tributary_'))).toEqual([]);
    expect(installed).toBe(false);
  },
);

test('leaves its rows standing when asked to', async () => {
  const { connector } = await setUp();
  const [a = ''] = newDeals(1);
  await connector.write([wanted(a, [row(a, 'p1')])], signal);
  await connector.remove({ traces: false }, signal);
  const { tables, installed } = portal.sandbox.portal();
  expect([...tables.values()].find((table) => table.custom !== null)?.liveIds.size).toBe(1);
  expect(installed).toBe(false);
});

test('after a merge the rows show under the third deal, under their old keys, and can be retired there', async () => {
  const { connector } = await setUp();
  const [a = '', b = ''] = newDeals(2);
  await connector.write([wanted(a, [row(a, 'p1')]), wanted(b, [row(b, 'p1')])], signal);
  const survivor = control().mergeDeals(PORTAL_ID, a, b);
  const held = await connector.readBack([survivor], signal);
  expect(held.map((credit) => credit.key).sort()).toEqual([`${a}:p1`, `${b}:p1`].sort());
  const retire = held.map(({ key, crmRowId }) => ({ key, crmRowId }));
  await connector.write([wanted(survivor, [row(survivor, 'p1')], retire)], signal);
  expect((await connector.readBack([survivor], signal)).map((credit) => credit.key)).toEqual([
    `${survivor}:p1`,
  ]);
});

test('a property that the account itself requires is its configuration, and the admin is told', async () => {
  const { connector, schema } = await setUp();
  const objectTypeId = schema.handle.objectTypeId ?? '';
  const table = portal.sandbox.portal().tables.get(objectTypeId);
  if (table?.custom)
    Object.assign(table.custom, {
      requiredProperties: [...table.custom.requiredProperties, 'hubspot_owner_id'],
    });
  const [a = ''] = newDeals(1);
  const [outcome] = await connector.write([wanted(a, [row(a, 'p1')])], signal);
  expect(outcome?.result).toMatchObject({
    status: 'rejected',
    reason: 'portal_configuration',
    message: expect.stringContaining('hubspot_owner_id'),
  });
  expect(await connector.preflight(signal)).toMatchObject([
    { code: 'required_property', message: expect.stringContaining('hubspot_owner_id') },
  ]);
  expect((await connector.ensureSchema(signal)).version).not.toBe(schema.version);
});

test('an account may be written with another API version than it is read with', async () => {
  const { connector } = await setUp({ connector: { writeVersion: '2026-03' } });
  const [a = ''] = newDeals(1);
  expect(statuses(await connector.write([wanted(a, [row(a, 'p1')])], signal))).toEqual(['written']);
  const paths = portal.sandbox.log.calls.map((call) => call.path);
  expect(paths.some((path) => path.includes('/2026-03/') && path.endsWith('/batch/upsert'))).toBe(true);
});

test('limits, locks and broken connections on the way: everything is written in the end, once', async () => {
  const { connector } = await setUp();
  const deals = newDeals(120);
  Object.assign(portal.sandbox.knobs.chaos, { serverError: 0.1, locked: 0.1, sparseErrors: 0.5 });
  const desired = deals.map((deal) => wanted(deal, [row(deal, 'p1'), row(deal, 'p2')]));
  let outcomes = await connector.write(desired, signal);
  for (let round = 0; round < 5 && statuses(outcomes).includes('later'); round += 1)
    outcomes = await connector.write(desired, signal);
  expect(new Set(statuses(outcomes))).toEqual(new Set(['written']));
  Object.assign(portal.sandbox.knobs.chaos, { serverError: 0, locked: 0, sparseErrors: 0 });
  const held = await connector.readBack(deals, signal);
  expect(held.map((credit) => credit.key).sort()).toEqual(
    desired.flatMap((deal) => deal.rows.map(({ key }) => key)).sort(),
  );
});

test.each(['archived', 'merged'] as const)('an %s deal has no properties left to clear', async (fate) => {
  const { connector } = await setUp(professional);
  const [a = '', b = ''] = newDeals(2);
  await connector.write([wanted(a, [row(a, 'p1')])], signal);
  if (fate === 'archived') control().archive(PORTAL_ID, 'deals', a);
  else control().mergeDeals(PORTAL_ID, b, a);
  const outcomes = await connector.write([wanted(a, [], [{ key: `${a}:p1`, crmRowId: null }])], signal);
  expect(statuses(outcomes)).toEqual(['retired']);
});

test('an old row follows its partner to another company', async () => {
  const { connector, schema } = await setUp();
  const [former = '', next = ''] = ['Former', 'Next'].map((name) =>
    control().create(PORTAL_ID, 'companies', { name }),
  );
  const [a = ''] = newDeals(1);
  const [made] = await connector.write(
    [wanted(a, [row(a, 'p1', { partnerAccountExternalId: former })])],
    signal,
  );
  await portal.ctx.clock.sleep(3 * 86_400_000);
  const moved = row(a, 'p1', { partnerAccountExternalId: next, associatedAccountExternalId: former });
  expect(statuses(await connector.write([wanted(a, [moved])], signal))).toEqual(['written']);
  const links = portal.sandbox.portal().associations;
  const companies = [...linksFrom(links, schema.handle.objectTypeId ?? '', '0-2', rowIdOf(made) ?? '')].map(
    ({ toId }) => toId,
  );
  expect(companies).toEqual([next]);
});

test('an account that gets custom objects later loses the deal properties of ours', async () => {
  const grantedScopes = [...REQUIRED_SCOPES, ...OPTIONAL_SCOPES];
  const { schema } = await setUp({ portal: { edition: 'professional', grantedScopes } });
  const ours = () =>
    [...(portal.sandbox.portal().tables.get('0-3')?.properties.values() ?? [])].filter(
      ({ name, archived }) => name.startsWith('tributary_') && !archived,
    );
  expect(ours()).toHaveLength(5);
  control().setEdition(PORTAL_ID, 'enterprise');
  const next = await (await portal.connect({ schema })).ensureSchema(signal);
  expect(next.rung).toBe('custom_object');
  expect(ours()).toEqual([]);
});
