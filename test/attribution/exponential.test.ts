import { expect, test } from 'vitest';
import { DECAY_UNIT, decayWeight, expNegative } from '../../src/attribution/exponential.ts';

// Reference digits from an 80-digit decimal computation, rounded half up to 18 decimals by hand.
test.each([
  ['0', 0n, 1n, 1_000_000_000_000_000_000n],
  ['0.1', 1n, 10n, 904_837_418_035_959_573n], // …959 573.164
  ['1', 1n, 1n, 367_879_441_171_442_322n], // …442 321.596
  ['10', 10n, 1n, 45_399_929_762_485n], // …484.852
  ['18', 18n, 1n, 15_229_979_745n], // …744.713
  ['40', 40n, 1n, 4n], // 4.248
  ['42', 42n, 1n, 1n], // 0.575
  ['43', 43n, 1n, 0n], // 0.212
  ['0.1 a day for one second', 100_000n, 86_400_000_000n, 999_998_842_593_262_388n], // …388.288
])('e^−x for x = %s to 18 decimals', (_, numerator, denominator, expected) => {
  expect(expNegative(numerator, denominator)).toBe(expected);
});

test('e^−x halves every ln 2 and never grows', () => {
  expect(expNegative(693_147_180_559_945_309_417_232n, 10n ** 24n)).toBe(DECAY_UNIT / 2n);
  let before = DECAY_UNIT;
  for (let tenths = 1n; tenths <= 500n; tenths++) {
    const now = expNegative(tenths, 10n);
    expect(now <= before).toBe(true);
    before = now;
  }
});

test('equal fractions give equal weights, and enormous ones none', () => {
  expect(expNegative(3n, 7n)).toBe(expNegative(3_000_000n, 7_000_000n));
  expect(expNegative(10n ** 40n, 1n)).toBe(0n);
  expect(() => expNegative(-1n, 1n)).toThrow(RangeError);
});

test('λ counts per day: ten days at 0.1 weigh e^−1', () => {
  expect(decayWeight(100_000, 864_000)).toBe(expNegative(1n, 1n));
  expect(decayWeight(0, 864_000)).toBe(DECAY_UNIT);
});
