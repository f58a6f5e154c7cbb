import { expect, test } from 'vitest';
import { attribute } from '../../src/attribution/attribute.ts';
import { ConflictingInput } from '../../src/attribution/canonical-input.ts';
import type { ActivityInput, AttributionInput, PartnerType } from '../../src/attribution/types.ts';
import { makeActivity, makeDeal, makeInput, makeLink, makePartner } from './make-input.ts';

const reasons = (input: AttributionInput): string[] =>
  attribute(input).exclusions.map(({ reason }) => reason);
const counted = (input: AttributionInput): string[] =>
  attribute(input).touchpoints.map(({ activityId, partnerId, type }) => `${activityId} ${partnerId} ${type}`);

test.each(['planned', 'cancelled', 'no_show', 'bounced', 'failed', 'unknown'] as const)(
  'an activity that is %s does not count',
  (outcome) => {
    expect(reasons(makeInput([makeActivity('1', '2026-06-01', { outcome })]))).toEqual(['not_happened']);
  },
);

test('the window counts days and includes both ends', () => {
  const days = ['2026-05-30', '2026-05-31', '2026-06-30', '2026-07-01'];
  const input = makeInput(
    days.map((day) => makeActivity(day, day)),
    { ruleSet: { windowDays: 30 } },
  );
  expect(counted(input)).toEqual(['2026-05-31 a meeting', '2026-06-30 a meeting']);
  expect(attribute(input).exclusions).toEqual([
    { activityId: '2026-05-30', partnerId: 'a', reason: 'before_window' },
    { activityId: '2026-07-01', partnerId: 'a', reason: 'after_close' },
  ]);
});

test('on an open deal, what lies after the anchor has not happened yet', () => {
  const input = makeInput([makeActivity('1', '2026-07-01')], { deal: makeDeal({ state: 'open' }) });
  expect(reasons(input)).toEqual(['not_happened']);
});

test('a link counts from its first day up to but not including its last', () => {
  const days = ['2026-04-30', '2026-05-01', '2026-05-31', '2026-06-01'];
  const input = makeInput(
    days.map((day) => makeActivity(day, day)),
    { links: [makeLink('a', { fromOn: '2026-05-01', toOn: '2026-06-01' })] },
  );
  expect(counted(input)).toEqual(['2026-05-01 a meeting', '2026-05-31 a meeting']);
  expect(reasons(input)).toEqual(['link_not_in_force', 'link_not_in_force']);
});

test('one meeting with two accounts of a partner is one touchpoint, and one for each other partner in it', () => {
  const input = makeInput(
    [makeActivity('1', '2026-06-01', { accountIds: ['a-account', 'a-second', 'b-account'] })],
    {
      links: [makeLink('a'), makeLink('a', { accountId: 'a-second' }), makeLink('b')],
    },
  );
  expect(counted(input)).toEqual(['1 a meeting', '1 b meeting']);
});

test('an ended link does not spoil a second one that is in force', () => {
  const input = makeInput([makeActivity('1', '2026-06-01', { accountIds: ['a-account', 'a-second'] })], {
    links: [makeLink('a', { toOn: '2026-01-01' }), makeLink('a', { accountId: 'a-second' })],
  });
  expect(counted(input)).toEqual(['1 a meeting']);
  expect(reasons(input)).toEqual([]);
});

test('an inactive partner earns nothing', () => {
  const input = makeInput([makeActivity('1', '2026-06-01')], {
    partners: [makePartner('a', { status: 'inactive' })],
    links: [makeLink('a')],
  });
  expect(reasons(input)).toEqual(['partner_inactive']);
});

test("the deal's own customer earns nothing, through whichever of its accounts", () => {
  const links = [makeLink('a'), makeLink('a', { accountId: 'customer', toOn: '2026-06-15' })];
  const input = makeInput([makeActivity('1', '2026-06-01'), makeActivity('2', '2026-06-15')], { links });
  expect(attribute(input).exclusions).toEqual([{ activityId: '1', partnerId: 'a', reason: 'own_customer' }]);
  expect(counted(input)).toEqual(['2 a meeting']);
});

test('what no rule accepts is excluded by name', () => {
  const input = makeInput([makeActivity('1', '2026-06-01')], {
    ruleSet: { evidenceRules: [{ id: 'c', kind: 'call', touchpoint: 'call' }] },
  });
  expect(reasons(input)).toEqual(['no_matching_rule']);
});

test('the first matching rule wins; rules may ask for a partner type', () => {
  const rules = (partnerTypes: PartnerType[]) => [
    { id: 'special', kind: 'meeting', partnerTypes, touchpoint: 'proposal' } as const,
    { id: 'any', kind: 'meeting', touchpoint: 'meeting' } as const,
  ];
  const activity = makeActivity('1', '2026-06-01');
  expect(
    counted(makeInput([activity], { ruleSet: { evidenceRules: rules(['referral', 'agency']) } })),
  ).toEqual(['1 a proposal']);
  expect(counted(makeInput([activity], { ruleSet: { evidenceRules: rules(['reseller']) } }))).toEqual([
    '1 a meeting',
  ]);
});

test.each<[ActivityInput['kind'], string | null, string]>([
  ['meeting', 'Demo', 'demo'],
  ['meeting', 'PRODUCT-DEMO (2nd)', 'demo'],
  ['meeting', 'Democracy talk', 'meeting'],
  ['meeting', 'Contract review', 'negotiation'],
  ['meeting', 'Pricing proposal', 'proposal'],
  ['meeting', 'Kick-off', 'introduction'],
  ['meeting', 'Discovery call', 'introduction'],
  ['meeting', null, 'meeting'],
  ['call', 'Demo', 'call'],
  ['email', 'White paper', 'content_share'],
  ['email', null, 'email'],
  ['note', null, 'note'],
  ['task', null, 'task'],
  ['association', 'Referral partner', 'referral'],
  ['association', 'Reseller', 'negotiation'],
  ['association', 'Implementation Partner', 'proposal'],
  ['association', 'Partner', 'introduction'],
  ['association', 'Registered partner', 'deal_registration'],
  ['field', 'referral_partner', 'referral'],
  ['field', 'deal_registration', 'deal_registration'],
  ['field', 'registered_by', 'deal_registration'],
  ['field', 'partner_of_record', 'referral'],
])('by default a %s labelled %s is a %s', (kind, label, type) => {
  expect(counted(makeInput([makeActivity('1', '2026-06-01', { kind, label })]))).toEqual([`1 a ${type}`]);
});

test('the same activity given twice counts once; two versions of it are refused', () => {
  const activity = makeActivity('1', '2026-06-01');
  expect(counted(makeInput([activity, { ...activity }]))).toEqual(['1 a meeting']);
  expect(() => attribute(makeInput([activity, makeActivity('1', '2026-06-02')]))).toThrow(ConflictingInput);
});

test('a link to a partner nobody gave is a bug, not an empty result', () => {
  expect(() => attribute(makeInput([makeActivity('1', '2026-06-01')], { partners: [] }))).toThrow(RangeError);
});

test('a label or field of a deal counts however long ago the deal was made: no date is known that could age', () => {
  const kinds = ['association', 'field', 'meeting'] as const;
  const input = makeInput(
    kinds.map((kind) => makeActivity(kind, '2020-01-01', { kind, label: 'referral_partner' })),
    { ruleSet: { windowDays: 30 } },
  );
  expect(counted(input)).toEqual(['association a referral', 'field a referral']);
  expect(attribute(input).exclusions).toEqual([
    { activityId: 'meeting', partnerId: 'a', reason: 'before_window' },
  ]);
});
