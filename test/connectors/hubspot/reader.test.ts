import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DealRecord, Snapshot } from '../../../connectors/connector.ts';
import { UNKNOWN } from '../../../connectors/connector.ts';
import type { TestPortal } from './portal.ts';
import { collect, PORTAL_ID, startPortal } from './portal.ts';

const signal = new AbortController().signal;
let portal: TestPortal;
beforeEach(async () => {
  portal = await startPortal();
});
afterEach(() => portal.close());

const control = () => portal.sandbox.control;
const newCompany = (name: string) =>
  control().create(PORTAL_ID, 'companies', { name, domain: `${name}.test` });
const newDeals = (count: number, values: Record<string, string> = {}) =>
  Array.from({ length: count }, (_, at) =>
    control().createDeal(PORTAL_ID, { dealname: `Deal ${at}`, ...values }),
  );
const later = (ms: number) => portal.ctx.clock.sleep(ms);
const find = (snapshots: readonly Snapshot[], id: string) =>
  snapshots.filter((snapshot) => snapshot.ref.externalId === id);
function asDeal(snapshots: readonly Snapshot[], id: string): DealRecord {
  const [found] = find(snapshots, id);
  if (found?.status !== 'present' || found.record.kind !== 'deal')
    throw new Error(`deal ${id} is ${found?.status}`);
  return found.record;
}

test('describes the account: zone, currencies with exponents, stages by metadata, labels, owners', async () => {
  const facts = await (await portal.connect()).describeAccount(signal);
  expect(facts).toMatchObject({
    externalId: String(PORTAL_ID),
    timeZone: 'Europe/Berlin',
    homeCurrency: 'EUR',
    currencies: { EUR: 2, USD: 2, JPY: 0 },
    recordBaseUrl: `https://app.hubspot.com/contacts/${PORTAL_ID}`,
  });
  const stages = facts.pipelines.flatMap((pipeline) => pipeline.stages);
  expect(stages.filter((stage) => stage.state === 'won').length).toBeGreaterThan(0);
  expect(stages.find((stage) => stage.id === 'closedlost')?.state).toBe('lost');
});

test('lists every deal once, in pages of up to 1,000, then the archived ones as missing', async () => {
  const ids = newDeals(1_105);
  control().archive(PORTAL_ID, 'deals', ids[3] ?? '');
  const connector = await portal.connect();
  portal.sandbox.log.reset();
  const pages = await collect(connector.list('deal', null, signal));
  expect(pages.map((page) => page.snapshots.length)).toEqual([1_000, 104, 1]);
  expect(pages.at(-1)?.next).toBeNull();
  const seen = pages.flatMap((page) => page.snapshots);
  expect(new Set(seen.map((snapshot) => snapshot.ref.externalId)).size).toBe(1_105);
  expect(find(seen, ids[3] ?? '').map((snapshot) => snapshot.status)).toEqual(['missing']);
  const { log } = portal.sandbox;
  // 10 + 2 list pages, 1 archived; per thousand rows one call for each of six relations.
  expect([
    log.count({ operation: 'objects.list', status: 200 }),
    log.count({ operation: 'associations.read' }),
  ]).toEqual([13, 12]);
});

test('goes on where a cursor stopped', async () => {
  newDeals(1_050);
  const connector = await portal.connect();
  const [first] = await collect(connector.list('deal', null, signal));
  const rest = await collect(connector.list('deal', first?.next ?? null, signal));
  const ids = [first, ...rest].flatMap(
    (page) => page?.snapshots.map((snapshot) => snapshot.ref.externalId) ?? [],
  );
  expect([ids.length, new Set(ids).size]).toEqual([1_050, 1_050]);
});

test('a deal carries its companies with labels, and its activities; these carry deals, people and companies', async () => {
  const [customer, partner] = [newCompany('customer'), newCompany('partner')];
  const contact = control().create(PORTAL_ID, 'contacts', { email: 'p@partner.test' });
  control().associate(PORTAL_ID, { type: 'contacts', id: contact }, { type: 'companies', id: partner });
  const deal = control().createDeal(
    PORTAL_ID,
    { dealname: 'Big', amount: '1000.50', deal_currency_code: 'USD' },
    { companies: [customer, partner] },
  );
  const meeting = control().logMeeting(
    PORTAL_ID,
    { hs_meeting_outcome: 'COMPLETED' },
    { deals: [deal], contacts: [contact], companies: [partner] },
  );
  const note = control().logActivity(
    PORTAL_ID,
    'notes',
    { hs_timestamp: '2026-11-01T00:00:00Z' },
    { deals: [deal] },
  );
  control().moveStage(PORTAL_ID, deal, 'closedwon');
  const connector = await portal.connect();
  const refs = [
    { kind: 'deal', externalId: deal },
    { kind: 'meeting', externalId: meeting },
    { kind: 'contact', externalId: contact },
    { kind: 'account', externalId: partner },
  ] as const;
  const snapshots = await connector.fetch(refs, signal);
  expect(asDeal(snapshots, deal)).toMatchObject({
    state: 'won',
    amount: '1000.5',
    currency: 'USD',
    wonAt: expect.stringMatching(/Z$/),
    accounts: [
      { externalId: customer, primary: true },
      { externalId: partner, primary: false },
    ],
    activities: [
      { kind: 'meeting', externalId: meeting },
      { kind: 'note', externalId: note },
    ],
  });
  expect(find(snapshots, meeting)[0]).toMatchObject({
    record: {
      outcome: 'done',
      dealExternalIds: [deal],
      contactExternalIds: [contact],
      accountExternalIds: [partner],
    },
  });
  expect(find(snapshots, contact)[0]).toMatchObject({
    record: { email: 'p@partner.test', accountExternalIds: [partner] },
  });
  expect(find(snapshots, partner)[0]).toMatchObject({ record: { name: 'partner', domain: 'partner.test' } });
});

test('associations of one record beyond a page are all read', async () => {
  portal.sandbox.knobs.associationPageSize = 2;
  portal.sandbox.knobs.associationIds = 'number';
  const companies = Array.from({ length: 7 }, (_, at) => newCompany(`c${at}`));
  const deal = control().createDeal(PORTAL_ID, {}, { companies });
  const snapshots = await (await portal.connect()).fetch([{ kind: 'deal', externalId: deal }], signal);
  expect(asDeal(snapshots, deal).accounts.map(({ externalId }) => externalId)).toEqual(companies);
});

test.each(['errors', 'omitted'] as const)(
  'archived, unknown and merged ids (batch reads that leave %s)',
  async (mode) => {
    portal.sandbox.knobs.missingInBatchRead = mode;
    const [a = '', b = '', gone = ''] = newDeals(3);
    control().archive(PORTAL_ID, 'deals', gone);
    const survivor = control().mergeDeals(PORTAL_ID, a, b);
    const refs = [a, b, gone, '999999999999'].map((externalId) => ({ kind: 'deal' as const, externalId }));
    const snapshots = await (await portal.connect()).fetch(refs, signal);
    expect(find(snapshots, a)).toMatchObject([{ status: 'merged', survivorExternalId: survivor }]);
    expect(find(snapshots, b)).toMatchObject([{ status: 'merged', survivorExternalId: survivor }]);
    expect(find(snapshots, gone)).toMatchObject([{ status: 'missing' }]);
    expect(find(snapshots, '999999999999')).toMatchObject([{ status: 'missing' }]);
    const [present] = find(snapshots, survivor);
    expect(present).toMatchObject({ status: 'present' });
    expect([...(present?.mergedExternalIds ?? [])].sort()).toEqual([a, b].sort());
  },
);

test('asking for the survivor too gives it once, with its associations', async () => {
  const company = newCompany('acme');
  const a = control().createDeal(PORTAL_ID, {}, { companies: [company] });
  const [b = ''] = newDeals(1);
  const survivor = control().mergeDeals(PORTAL_ID, a, b);
  for (const asked of [[a, survivor], [a]]) {
    const refs = asked.map((externalId) => ({ kind: 'deal' as const, externalId }));
    const snapshots = await (await portal.connect()).fetch(refs, signal);
    expect(find(snapshots, survivor)).toHaveLength(1);
    expect(asDeal(snapshots, survivor).accounts.map(({ externalId }) => externalId)).toEqual([company]);
  }
});

test('a usual fetch is one step: one batch read beside the association reads', async () => {
  const ids = newDeals(40);
  const connector = await portal.connect();
  portal.sandbox.log.reset();
  await connector.fetch(
    ids.map((externalId) => ({ kind: 'deal', externalId })),
    signal,
  );
  expect(portal.sandbox.log.calls.map((call) => call.operation).sort()).toEqual([
    ...Array(6).fill('associations.read'),
    'objects.batchRead',
  ]);
});

test('changes: the window, equal instants, and pages by id', async () => {
  const old = newDeals(3);
  await later(3_600_000);
  const since = portal.ctx.clock.now().toISOString();
  const fresh = newDeals(1_250);
  await later(60_000);
  const connector = await portal.connect();
  portal.sandbox.log.reset();
  const pages = await collect(connector.changes('deal', since, signal));
  const seen = pages.flatMap((page) => page.snapshots.map((snapshot) => snapshot.ref.externalId));
  expect([...seen].sort()).toEqual([...fresh].sort());
  expect(seen).not.toContain(old[0]);
  expect(pages.map((page) => page.completeUntil !== null)).toEqual([false, true]);
  expect(portal.sandbox.log.count({ operation: 'search', status: 200 })).toBe(7);
});

test('changes pass the cap of 10,000 results', async () => {
  portal.sandbox.knobs.log = 'count';
  const since = portal.ctx.clock.now().toISOString();
  const count = 10_450;
  Array.from({ length: count }, () => control().create(PORTAL_ID, 'companies', { name: 'x' }));
  const pages = await collect((await portal.connect()).changes('account', since, signal));
  const seen = new Set(pages.flatMap((page) => page.snapshots.map((snapshot) => snapshot.ref.externalId)));
  expect(seen.size).toBe(count);
});

test('changes stop short of the index lag and say so', async () => {
  const since = portal.ctx.clock.now().toISOString();
  newDeals(1);
  await later(60_000);
  const connector = await portal.connect({}, { indexLagMs: 120_000 });
  expect(await collect(connector.changes('deal', since, signal))).toEqual([
    { snapshots: [], completeUntil: null },
  ]);
  await later(120_000);
  const [page] = await collect(connector.changes('deal', since, signal));
  const until = new Date(portal.ctx.clock.now().getTime() - 120_000).toISOString();
  expect(page).toMatchObject({ completeUntil: until, snapshots: [{ status: 'present' }] });
});

test('many partner fields do not break a search: its body stays under 3,000 characters', async () => {
  const since = portal.ctx.clock.now().toISOString();
  const [id = ''] = newDeals(1, { amount: '7' });
  await later(1_000);
  const partnerFields = Array.from({ length: 90 }, (_, at) => `partner_field_with_a_long_name_${at}`);
  const connector = await portal.connect({ partnerFields });
  const [page] = await collect(connector.changes('deal', since, signal));
  expect(asDeal(page?.snapshots ?? [], id).amount).toBe('7');
});

test('contacts change by their own modification property', async () => {
  const since = portal.ctx.clock.now().toISOString();
  const id = control().create(PORTAL_ID, 'contacts', { email: 'a@b.test' });
  await later(1_000);
  const [page] = await collect((await portal.connect()).changes('contact', since, signal));
  expect(page?.snapshots.map((snapshot) => snapshot.ref.externalId)).toEqual([id]);
});

test('a hidden property is unknown, and the preflight names it', async () => {
  const [id = ''] = newDeals(1, { amount: '100' });
  control().hideProperty(PORTAL_ID, 'deals', 'amount');
  const connector = await portal.connect();
  expect(asDeal(await connector.fetch([{ kind: 'deal', externalId: id }], signal), id).amount).toBe(UNKNOWN);
  const findings = await connector.preflight(signal);
  expect(findings).toMatchObject([{ code: 'hidden_property', message: expect.stringContaining('"amount"') }]);
});

test('every live id with its version', async () => {
  const ids = newDeals(1_020);
  control().archive(PORTAL_ID, 'deals', ids[0] ?? '');
  const found = (await collect((await portal.connect()).ids('deal', signal))).flat();
  expect(found).toHaveLength(1_019);
  expect(found[0]?.version).toMatch(/^2026-.*Z$/);
});

test('an expired token is refreshed in the middle of a list', async () => {
  newDeals(150);
  const connector = await portal.connect();
  control().expireTokens(PORTAL_ID);
  const pages = await collect(connector.list('deal', null, signal));
  expect(pages.flatMap((page) => page.snapshots)).toHaveLength(150);
});

test('rate limits, locks, bad gateways and resets on the way lose nothing', async () => {
  newDeals(450);
  Object.assign(portal.sandbox.knobs.chaos, { serverError: 0.1, locked: 0.05, sparseErrors: 0.5 });
  const pages = await collect((await portal.connect()).list('deal', null, signal));
  expect(
    new Set(pages.flatMap((page) => page.snapshots.map((snapshot) => snapshot.ref.externalId))).size,
  ).toBe(450);
});
