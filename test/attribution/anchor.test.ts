import fc from 'fast-check';
import { expect, test } from 'vitest';
import { effectiveAnchor, nextChangeOn } from '../../src/attribution/anchor.ts';
import { attribute } from '../../src/attribution/attribute.ts';
import { toCanonicalInput } from '../../src/attribution/canonical-input.ts';
import { addDays } from '../../src/attribution/days.ts';
import { arbitraryInput, makeActivity, makeDeal, makeInput, SEED } from './make-input.ts';

const open = makeDeal({ state: 'open' });
const activities = [
  makeActivity('1', '2026-03-10'),
  makeActivity('2', '2026-03-20'),
  makeActivity('3', '2026-03-15', { outcome: 'planned' }),
];

test.each([
  ['2026-02-27', '2026-02-27', '2026-03-10'],
  ['2026-03-09', '2026-03-01', '2026-03-10'],
  ['2026-03-10', '2026-03-10', '2026-03-20'],
  ['2026-03-19', '2026-03-10', '2026-03-20'],
  ['2026-03-20', '2026-03-20', '2026-04-10'],
  ['2026-04-09', '2026-03-20', '2026-04-10'],
  ['2026-04-10', '2026-04-10', '2026-04-20'],
  ['2027-01-01', '2026-04-20', null],
])('on %s a deal with a window of 30 days is anchored on %s until %s', (today, anchorOn, until) => {
  expect(effectiveAnchor(today, open, activities, 30)).toBe(anchorOn);
  expect(nextChangeOn(anchorOn, open, activities, 30)).toBe(until);
  expect(
    attribute(makeInput(activities, { deal: open, anchorOn, ruleSet: { windowDays: 30 } })).validUntil,
  ).toBe(until);
});

test('a closed deal keeps its close day and never changes by itself', () => {
  expect(effectiveAnchor('2026-06-30', makeDeal(), activities, 30)).toBe('2026-06-30');
  expect(attribute(makeInput(activities)).validUntil).toBeNull();
});

test('the answer is the same today, on the effective anchor, and on every day until validUntil', () => {
  fc.assert(
    fc.property(arbitraryInput, fc.integer({ min: 0, max: 40 }), (given, days) => {
      const today = given.anchorOn;
      const createdOn = given.deal.createdOn < today ? given.deal.createdOn : today;
      const input = toCanonicalInput({ ...given, deal: { ...given.deal, state: 'open', createdOn } });
      const anchorOn = effectiveAnchor(today, input.deal, input.activities, input.ruleSet.windowDays);
      const result = attribute({ ...input, anchorOn });
      expect(anchorOn <= today).toBe(true);
      expect(attribute(input)).toEqual(result);
      const later = addDays(today, days);
      if (result.validUntil === null || later < result.validUntil) {
        expect(attribute({ ...input, anchorOn: later })).toEqual(result);
        expect(effectiveAnchor(later, input.deal, input.activities, input.ruleSet.windowDays)).toBe(anchorOn);
      } else {
        const next = effectiveAnchor(
          result.validUntil,
          input.deal,
          input.activities,
          input.ruleSet.windowDays,
        );
        expect(next).toBe(result.validUntil);
      }
    }),
    { seed: SEED, numRuns: 500 },
  );
});
