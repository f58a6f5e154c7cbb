import { expect, test } from 'vitest';
import { attribute } from '../../src/attribution/attribute.ts';
import type { ActivityInput, AttributionInput, ModelName } from '../../src/attribution/types.ts';
import { makeActivity, makeDeal, makeInput } from './make-input.ts';

const by = (partner: string, id: string, day: string, changes: Partial<ActivityInput> = {}): ActivityInput =>
  makeActivity(id, day, { accountIds: [`${partner}-account`], ...changes });
/** `partner percent-in-bps money`, largest first, then what is left. */
const shown = (input: AttributionInput, model: ModelName): string[] => {
  const { credits, unattributedBps, unattributedMinor } = attribute(input).models[model];
  return [
    ...credits.map((one) => `${one.partnerId} ${one.shareBps} ${one.amountMinor}`),
    `- ${unattributedBps} ${unattributedMinor}`,
  ];
};

/** a: demo on 1 June, call on 21 June; b: proposal on 11 June. Amount 100.00. */
const story = [
  by('a', '1', '2026-06-01', { label: 'Demo' }),
  by('b', '2', '2026-06-11', { label: 'Proposal' }),
  by('a', '3', '2026-06-21', { kind: 'call' }),
];

test('equal split: one half each, however many touchpoints', () => {
  expect(shown(makeInput(story), 'equal_split')).toEqual(['a 5000 5000', 'b 5000 5000', '- 0 0']);
});

test('first touch and last touch: all of it', () => {
  expect(shown(makeInput(story), 'first_touch')).toEqual(['a 10000 10000', '- 0 0']);
  expect(shown(makeInput(story.slice(0, 2)), 'last_touch')).toEqual(['b 10000 10000', '- 0 0']);
});

test('time decay at 0.1 a day: (1 + e^−2) against e^−1', () => {
  // 1 + 0.135335 = 1.135335; e^−1 = 0.367879; sum 1.503215 → 75.5272 % and 24.4728 %.
  expect(shown(makeInput(story), 'time_decay')).toEqual(['a 7553 7553', 'b 2447 2447', '- 0 0']);
});

test('time decay with λ = 0 counts touchpoints: two of three', () => {
  expect(shown(makeInput(story, { ruleSet: { timeDecayLambdaPpm: 0 } }), 'time_decay')).toEqual([
    'a 6667 6667',
    'b 3333 3333',
    '- 0 0',
  ]);
});

test('role based: demo 25 + call 10 against proposal 25', () => {
  // 35/60 = 58.33 %, 25/60 = 41.67 %.
  expect(shown(makeInput(story), 'role_based')).toEqual(['a 5833 5833', 'b 4167 4167', '- 0 0']);
});

test('role based: the documented points 30 / 25 / 25 / 20 split a deal as they stand', () => {
  const activities = [
    by('a', '1', '2026-06-01', { kind: 'association', label: 'Referral' }),
    by('b', '2', '2026-06-02', { label: 'Demo' }),
    by('c', '3', '2026-06-03', { label: 'Proposal' }),
    by('c', '4', '2026-06-04', { label: 'Negotiation' }),
  ];
  expect(shown(makeInput(activities), 'role_based')).toEqual([
    'c 4500 4500',
    'a 3000 3000',
    'b 2500 2500',
    '- 0 0',
  ]);
});

test('role based: a second demo adds nothing; the earliest one carries the points', () => {
  const input = makeInput([...story, by('a', '4', '2026-06-22', { label: 'Demo' })]);
  expect(shown(input, 'role_based')).toEqual(shown(makeInput(story), 'role_based'));
  const [first] = attribute(input).models.role_based.credits;
  expect(first?.contributions).toEqual([
    { activityId: '1', share: { numerator: 5n, denominator: 12n } },
    { activityId: '3', share: { numerator: 1n, denominator: 6n } },
  ]);
});

test('role based: no points at all means an equal split, and the reason says so', () => {
  const input = makeInput(story, { ruleSet: { roleWeights: { referral: 30 } } });
  expect(shown(input, 'role_based')).toEqual(['a 5000 5000', 'b 5000 5000', '- 0 0']);
  expect(attribute(input).models.role_based.credits[0]?.reason).toContain(
    'no role has points here, so it is shared equally',
  );
});

test('role based: a partner whose roles have no points gets no credit beside one that has', () => {
  const input = makeInput(story, { ruleSet: { roleWeights: { proposal: 1 } } });
  expect(shown(input, 'role_based')).toEqual(['b 10000 10000', '- 0 0']);
});

test('ties: at one instant the type decides, then the partner id', () => {
  const tied = [
    by('c', '1', '2026-06-01', { label: 'Demo' }),
    by('a', '2', '2026-06-01', { kind: 'call' }),
    by('b', '3', '2026-06-01', { label: 'Demo' }),
  ];
  expect(shown(makeInput(tied), 'first_touch')).toEqual(['b 10000 10000', '- 0 0']);
  expect(shown(makeInput(tied), 'last_touch')).toEqual(['a 10000 10000', '- 0 0']);
  expect(shown(makeInput(tied), 'equal_split')).toEqual([
    'a 3334 3334',
    'b 3333 3333',
    'c 3333 3333',
    '- 0 0',
  ]);
});

test.each(['equal_split', 'first_touch', 'last_touch', 'time_decay', 'role_based'] as const)(
  '%s: the only partner gets everything, and without evidence nobody does',
  (model) => {
    expect(shown(makeInput(story.slice(0, 1)), model)).toEqual(['a 10000 10000', '- 0 0']);
    expect(shown(makeInput([]), model)).toEqual(['- 10000 10000']);
  },
);

test.each([
  ['a credit note', -10_001n, 'EUR', ['a 5000 -5001', 'b 5000 -5000', '- 0 0']],
  ['zero', 0n, 'EUR', ['a 5000 0', 'b 5000 0', '- 0 0']],
  ['no amount', null, 'EUR', ['a 5000 null', 'b 5000 null', '- 0 null']],
  ['no amount and no currency', null, null, ['a 5000 null', 'b 5000 null', '- 0 null']],
  ['one yen', 1n, 'JPY', ['a 5000 1', 'b 5000 0', '- 0 0']],
  ['12.345 dinars', 12_345n, 'KWD', ['a 5000 6173', 'b 5000 6172', '- 0 0']],
])('%s', (_, amountMinor, currency, expected) => {
  expect(shown(makeInput(story, { deal: makeDeal({ amountMinor, currency }) }), 'equal_split')).toEqual(
    expected,
  );
});

test('the house share comes off first and stays unattributed', () => {
  const input = makeInput(story, {
    ruleSet: { houseSharePpm: 100_000 },
    deal: makeDeal({ amountMinor: 9_999n }),
  });
  // 45 % each of 99.99 = 44.9955, 10 % = 9.999: floors 4499, 4499, 999 leave 2 units for remainders .55, .55, .9.
  expect(shown(input, 'equal_split')).toEqual(['a 4500 4500', 'b 4500 4499', '- 1000 1000']);
  expect(shown(makeInput(story, { ruleSet: { houseSharePpm: 1_000_000 } }), 'equal_split')).toEqual([
    '- 10000 10000',
  ]);
});

test('lost: shares without money; open: projected with money; won: earned', () => {
  const lost = makeInput(story, { deal: makeDeal({ state: 'lost' }) });
  expect(attribute(lost).state).toBe('lost');
  expect(shown(lost, 'equal_split')).toEqual(['a 5000 null', 'b 5000 null', '- 0 null']);
  const open = makeInput(story, { deal: makeDeal({ state: 'open' }) });
  expect(attribute(open).state).toBe('projected');
  expect(shown(open, 'equal_split')).toEqual(['a 5000 5000', 'b 5000 5000', '- 0 0']);
  expect(attribute(makeInput(story)).state).toBe('earned');
});

test('blocked: no credits, evidence stays; an amount without a currency blocks too', () => {
  for (const deal of [makeDeal({ blockedReason: 'the amount is hidden' }), makeDeal({ currency: null })]) {
    const result = attribute(makeInput(story, { deal }));
    expect(result.state).toBe('blocked');
    expect(result.touchpoints).toHaveLength(3);
    expect(result.models.equal_split).toEqual({
      credits: [],
      unattributedBps: 10_000,
      unattributedMinor: null,
    });
  }
});

test.each<[string, ActivityInput, string]>([
  ['evidence before the deal was created', by('a', '1', '2026-02-27'), 'sourced'],
  ['evidence after the deal was created', by('a', '1', '2026-03-02'), 'influenced'],
  [
    'a deal registration',
    by('a', '1', '2026-03-02', { kind: 'field', label: 'deal_registration' }),
    'sourced',
  ],
  [
    'a referral recorded on the deal',
    by('a', '1', '2026-03-02', { kind: 'association', label: 'Referral' }),
    'sourced',
  ],
  [
    'another label on the deal',
    by('a', '1', '2026-03-02', { kind: 'association', label: 'Reseller' }),
    'influenced',
  ],
])('role: %s', (_, activity, role) => {
  expect(attribute(makeInput([activity])).models.equal_split.credits[0]?.role).toBe(role);
});

test('every credit says why in a sentence with days and no names', () => {
  const reason = (model: ModelName) => attribute(makeInput(story)).models[model].credits[0]?.reason;
  const touches = '2 touchpoints: demo on 1 Jun 2026, call on 21 Jun 2026';
  expect(reason('equal_split')).toBe(`${touches}; 50.0 %: shared equally, one of 2 partners`);
  expect(reason('first_touch')).toBe(`${touches}; the first touchpoint on the deal takes it all`);
  expect(reason('last_touch')).toBe(`${touches}; the last touchpoint on the deal takes it all`);
  expect(reason('time_decay')).toBe(`${touches}; 75.5 % of the time-decay weight`);
  expect(reason('role_based')).toBe(`${touches}; 35 of 60 role points, 58.3 %`);
});

test('a long story names three touchpoints and counts the rest', () => {
  const many = ['01', '02', '03', '04', '05'].map((day) => by('a', day, `2026-06-${day}`));
  const house = { ruleSet: { houseSharePpm: 50_000 } };
  expect(attribute(makeInput(many, house)).models.equal_split.credits[0]?.reason).toBe(
    '5 touchpoints: meeting on 1 Jun 2026, meeting on 2 Jun 2026, meeting on 3 Jun 2026 and 2 more; 100.0 %: shared equally, the only partner; 5.0 % of the deal stays with the house',
  );
});
