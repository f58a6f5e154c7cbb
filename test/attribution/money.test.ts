import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  AmountRefused,
  addShares,
  formatMinor,
  formatPercent,
  parseDecimal,
  split,
  toShare,
} from '../../src/attribution/money.ts';
import { SEED } from './make-input.ts';

test.each([
  ['1.15', 2, 115n],
  ['1.15', 3, 1150n],
  ['-0.05', 2, -5n],
  ['1200', 0, 1200n],
  ['1200.00', 0, 1200n],
  ['1.2340', 3, 1234n],
  ['+7', 2, 700n],
  ['0', 2, 0n],
  ['-0.00', 2, 0n],
  ['1e3', 2, 100_000n],
  ['1.5E-1', 2, 15n],
  ['9007199254740993.01', 2, 900_719_925_474_099_301n],
])('%s with %i decimals is exactly %s minor units', (text, exponent, minor) => {
  expect(parseDecimal(text, exponent)).toBe(minor);
});

test.each([
  ['1.155', 2, 'too_many_decimals'],
  ['0.1', 0, 'too_many_decimals'],
  ['', 2, 'not_a_decimal'],
  ['1,50', 2, 'not_a_decimal'],
  ['NaN', 2, 'not_a_decimal'],
  ['0x10', 2, 'not_a_decimal'],
  ['1.', 2, 'not_a_decimal'],
  ['92233720368547758.08', 2, 'out_of_range'],
  ['1e99', 2, 'out_of_range'],
] as const)('%s with %i decimals is refused: %s', (text, exponent, reason) => {
  let refused: unknown;
  try {
    parseDecimal(text, exponent);
  } catch (error) {
    refused = error;
  }
  expect(refused).toBeInstanceOf(AmountRefused);
  expect((refused as AmountRefused).reason).toBe(reason);
});

test.each([
  [115n, 2, '1.15'],
  [-5n, 2, '-0.05'],
  [0n, 3, '0.000'],
  [1200n, 0, '1200'],
  [-1234n, 3, '-1.234'],
])('%s minor units with %i decimals read %s', (minor, exponent, text) => {
  expect(formatMinor(minor, exponent)).toBe(text);
});

test('what is formatted parses back to the same amount', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: -(2n ** 63n) + 1n, max: 2n ** 63n - 1n }),
      fc.nat({ max: 4 }),
      (minor, exponent) => {
        expect(parseDecimal(formatMinor(minor, exponent), exponent)).toBe(minor);
      },
    ),
    { seed: SEED },
  );
});

const parties = (...weights: bigint[]) =>
  weights.map((weight, at) => ({ id: String.fromCharCode(97 + at), weight }));

test.each([
  ['three equal thirds of 1.00: the odd unit to the smallest id', 100n, [1n, 1n, 1n], [34n, 33n, 33n]],
  ['the same owed back', -100n, [1n, 1n, 1n], [-34n, -33n, -33n]],
  ['the largest remainder wins, not the largest weight', 10n, [2n, 1n], [7n, 3n]],
  ['fewer units than parties', 2n, [1n, 1n, 1n], [1n, 1n, 0n]],
  ['nothing to split', 0n, [3n, 1n], [0n, 0n]],
  ['a party without weight gets nothing', 5n, [0n, 1n], [0n, 5n]],
])('split: %s', (_, total, weights, parts) => {
  expect(split(total, parties(...weights))).toEqual(parts);
});

test('split refuses a negative weight and weights that are all zero', () => {
  expect(() => split(1n, parties(1n, -1n))).toThrow(RangeError);
  expect(() => split(1n, parties(0n, 0n))).toThrow(RangeError);
  expect(() => split(1n, [])).toThrow(RangeError);
});

test('split gives the whole, each part within one unit of its quota, whatever the order of parties', () => {
  const weights = fc.array(fc.bigInt({ min: 0n, max: 10n ** 20n }), { minLength: 1, maxLength: 9 });
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n }), weights, (total, list) => {
      fc.pre(list.some((weight) => weight > 0n));
      const given = parties(...list);
      const parts = split(total, given);
      const sum = list.reduce((a, b) => a + b, 0n);
      expect(parts.reduce((a, b) => a + b, 0n)).toBe(total);
      for (const [at, part] of parts.entries()) {
        const error = part * sum - total * (list[at] ?? 0n);
        expect(error < sum && error > -sum).toBe(true);
      }
      expect(split(total, given.toReversed()).toReversed()).toEqual(parts);
    }),
    { seed: SEED },
  );
});

test('shares are kept in lowest terms and read half up', () => {
  expect(toShare(50n, 100n)).toEqual({ numerator: 1n, denominator: 2n });
  expect(toShare(0n, 7n)).toEqual({ numerator: 0n, denominator: 1n });
  expect(addShares(toShare(1n, 6n), toShare(1n, 3n))).toEqual({ numerator: 1n, denominator: 2n });
  expect(formatPercent(toShare(2n, 3n), 1)).toBe('66.7');
  expect(formatPercent(toShare(1n, 8n), 1)).toBe('12.5');
  expect(formatPercent(toShare(1n, 1n), 2)).toBe('100.00');
  expect(() => toShare(1n, 0n)).toThrow(RangeError);
});
