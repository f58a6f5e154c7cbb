import { beforeEach, expect, test } from 'vitest';
import { createDefaultRuleSet } from '../../src/attribution/default-rule-set.ts';
import { CALL_DISPOSITIONS } from '../sandbox/hubspot/catalogue.ts';
import { createHubSpotSandbox, type HubSpotSandbox } from '../sandbox/hubspot/sandbox.ts';
import { createVirtualClock } from '../sandbox/virtual-clock.ts';
import { compareCard, compareRows } from './portal-drift.ts';
import { createPortalOracle, type OraclePartner } from './portal-oracle.ts';

const PORTAL = 1_000_001;
let sandbox: HubSpotSandbox;
let dealId: string;
let partner: string;
let person: string;

beforeEach(() => {
  sandbox = createHubSpotSandbox({
    clock: createVirtualClock(new Date('2026-11-20T10:00:00.000Z')),
    clientId: 'id',
    clientSecret: 'secret',
    redirectUrls: [],
  });
  const { control } = sandbox;
  const customer = control.create(PORTAL, 'companies', { name: 'Customer', domain: 'customer.example' });
  partner = control.create(PORTAL, 'companies', { name: 'Partner', domain: 'partner.example' });
  person = control.create(PORTAL, 'contacts', { email: 'p@partner.example' });
  control.associate(PORTAL, { type: 'contacts', id: person }, { type: 'companies', id: partner });
  dealId = control.createDeal(PORTAL, { dealname: 'Deal', amount: '100.50' }, { companies: [customer] });
});

const linked = (account: string, days: Partial<OraclePartner['links'][number]> = {}): OraclePartner => ({
  id: `p-${account}`,
  name: 'Partner',
  type: 'referral',
  status: 'active',
  links: [{ accountExternalId: account, fromOn: null, toOn: null, withChildren: false, ...days }],
});

const expectDeal = (partners: readonly OraclePartner[] = [linked(partner)]) =>
  createPortalOracle(sandbox.portal(PORTAL), {
    partners,
    ruleSet: createDefaultRuleSet(1),
    partnerFields: [],
    timeZone: 'America/New_York',
    now: sandbox.clock.now(),
  }).expect(dealId);

test('only what took place counts, by the people who were there', () => {
  const ends = { deals: [dealId], contacts: [person] };
  const at = { hs_timestamp: '2026-11-19T10:00:00.000Z' };
  const log = (type: string, values: Record<string, string>) =>
    sandbox.control.logActivity(PORTAL, type, { ...at, ...values }, ends);
  log('meetings', { hs_meeting_outcome: 'RESCHEDULED' });
  log('meetings', { hs_meeting_title: 'no outcome' });
  log('calls', { hs_call_status: 'COMPLETED', hs_call_disposition: CALL_DISPOSITIONS.leftVoicemail });
  log('emails', { hs_email_status: 'BOUNCED', hs_email_direction: 'EMAIL' });
  log('tasks', { hs_task_status: 'WAITING' });
  expect(expectDeal().rows).toEqual([]);

  log('meetings', { hs_meeting_outcome: 'COMPLETED', hs_meeting_start_time: at.hs_timestamp });
  log('calls', { hs_call_status: 'COMPLETED', hs_call_disposition: CALL_DISPOSITIONS.connected });
  log('notes', {});
  expect(expectDeal().touches).toEqual(new Map([[`p-${partner}`, 3]]));
  expect(expectDeal().rows).toMatchObject([
    { share: '100', amount: '100.5', currency: 'USD', role: 'sourced', state: 'projected' },
  ]);
});

test('a link counts from its first day up to, and without, its last', () => {
  sandbox.control.logMeeting(
    PORTAL,
    { hs_meeting_start_time: '2026-11-19T02:00:00.000Z' },
    { deals: [dealId], contacts: [person] },
  );
  // Two in the morning UTC is the evening of the 18th in New York.
  expect(expectDeal([linked(partner, { fromOn: '2026-11-19' })]).rows).toEqual([]);
  expect(expectDeal([linked(partner, { toOn: '2026-11-18' })]).rows).toEqual([]);
  expect(expectDeal([linked(partner, { fromOn: '2026-11-18', toOn: '2026-11-19' })]).rows).toHaveLength(1);
});

test('a card or a row that is not as it must be is a difference', () => {
  sandbox.control.logActivity(PORTAL, 'notes', {}, { deals: [dealId], contacts: [person] });
  const expected = expectDeal();
  const money = { amountMinor: '10050', currency: 'USD', exponent: 2 };
  const credit = {
    partner: { id: `p-${partner}` },
    sharePercent: '100.00',
    money,
    role: 'influenced',
    evidence: ['note'],
  };
  const models = Object.keys(expected.models).map((name) => ({
    name,
    credits: [credit],
    unattributed: { sharePercent: '0.00', money: { ...money, amountMinor: '0' } },
  }));
  const card = { status: 'ready', deal: { externalId: dealId, state: 'projected', money }, models };
  expect(compareCard(expected, card)).toEqual([]);
  expect(compareCard(expected, { ...card, deal: { ...card.deal, state: 'earned' } })).toMatchObject([
    { what: 'state', expected: 'projected', found: 'earned' },
  ]);
  expect(compareCard(expected, { ...card, models: models.slice(1) })).not.toEqual([]);
  expect(compareRows(sandbox.portal(PORTAL), expected.rows)).toMatchObject([{ dealId, found: 'no row' }]);
});
