import { expect, test } from 'vitest';
import { createDefaultRuleSet } from '../../src/attribution/default-rule-set.ts';
import { parseRuleSet } from '../../src/attribution/rule-set-schema.ts';
import { TOUCHPOINT_TYPES } from '../../src/attribution/types.ts';

const stored = (changes: Record<string, unknown>): unknown => ({
  ...JSON.parse(JSON.stringify(createDefaultRuleSet(1))),
  ...changes,
});
const fields = (body: unknown): string[] => {
  const parsed = parseRuleSet(body);
  return parsed.ok ? [] : parsed.problems.map(({ field, message }) => `${field}: ${message}`);
};
const call = { id: 'call', kind: 'call', touchpoint: 'call' };

test('the default rule set survives storage and gives points to every touchpoint type', () => {
  expect(parseRuleSet(stored({}))).toEqual({ ok: true, ruleSet: createDefaultRuleSet(1) });
  expect(Object.keys(createDefaultRuleSet(1).roleWeights).sort()).toEqual([...TOUCHPOINT_TYPES].sort());
});

test.each<[string, Record<string, unknown>, string]>([
  ['a window of −1', { windowDays: -1 }, 'windowDays: the attribution window must not be negative'],
  ['half a day', { windowDays: 1.5 }, 'windowDays: days must be a whole number'],
  ['a negative weight', { roleWeights: { demo: -1 } }, 'roleWeights.demo: points must not be negative'],
  [
    'weights that are all zero',
    { roleWeights: { demo: 0, call: 0 } },
    'roleWeights: the role weights are all zero',
  ],
  ['no weights', { roleWeights: {} }, 'roleWeights: the role weights are all zero'],
  [
    'a weight for an unknown type',
    { roleWeights: { demo: 1, lunch: 2 } },
    'roleWeights.lunch: "lunch" is not a touchpoint type',
  ],
  [
    'an unknown type in a rule',
    { evidenceRules: [call, { ...call, id: '2', touchpoint: 'lunch' }] },
    'evidenceRules.1.touchpoint: "lunch" is not a touchpoint type',
  ],
  [
    'an unknown kind',
    { evidenceRules: [{ ...call, kind: 'fax' }] },
    'evidenceRules.0.kind: must be one of meeting, call',
  ],
  [
    'an unknown partner type',
    { evidenceRules: [{ ...call, partnerTypes: ['friend'] }] },
    'evidenceRules.0.partnerTypes.0: must be one of affiliate',
  ],
  [
    'a label word without a letter',
    { evidenceRules: [{ ...call, labelWords: ['—'] }] },
    'evidenceRules.0.labelWords.0: a label word needs a letter or a digit',
  ],
  ['no rules', { evidenceRules: [] }, 'evidenceRules: without a rule nothing counts as evidence'],
  ['two rules of one id', { evidenceRules: [call, call] }, 'evidenceRules: two rules have the same id'],
  ['an unknown model', { modelOfRecord: 'gut_feeling' }, 'modelOfRecord: must be one of equal_split'],
  ['a negative λ', { timeDecayLambdaPpm: -1 }, 'timeDecayLambdaPpm: λ must not be negative'],
  [
    'more than the whole deal',
    { houseSharePpm: 1_000_001 },
    'houseSharePpm: the house share must not exceed the whole deal',
  ],
  ['a field nobody knows', { windowdays: 3 }, 'windowdays: a rule set has no such field'],
])('%s is refused by name', (_, changes, expected) => {
  const found = fields(stored(changes));
  expect(found).toHaveLength(1);
  expect(found[0]).toContain(expected);
});

test('all problems come at once', () => {
  expect(fields(stored({ windowDays: -1, houseSharePpm: -1, modelOfRecord: 'x' }))).toHaveLength(3);
  expect(fields(null)).toHaveLength(1);
});
