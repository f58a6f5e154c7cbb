import type { Share } from './types.ts';

/** Why a CRM's amount was not taken: a person must correct the record, we never round it in silence. */
export class AmountRefused extends Error {
  override readonly name = 'AmountRefused';
  readonly reason: 'not_a_decimal' | 'too_many_decimals' | 'out_of_range';

  constructor(reason: AmountRefused['reason'], text: string, exponent: number) {
    super(`amount ${JSON.stringify(text.slice(0, 40))} refused for ${exponent} decimals: ${reason}`);
    this.reason = reason;
  }
}

const DECIMAL = /^([+-]?)(\d{1,40})(?:\.(\d{1,40}))?(?:[eE]([+-]?\d{1,2}))?$/;
/** What a signed 64-bit column holds. */
const LARGEST_MINOR = 2n ** 63n - 1n;

/**
 * Exact minor units of a decimal text (`"1.15"`, exponent 2 → 115n; JPY 0, EUR 2, KWD 3).
 * More decimals than the currency has are refused unless they are trailing zeros. Throws AmountRefused.
 */
export function parseDecimal(text: string, exponent: number): bigint {
  const match = DECIMAL.exec(text.trim());
  if (!match) throw new AmountRefused('not_a_decimal', text, exponent);
  const [, sign, whole = '', fraction = '', power = '0'] = match;
  const digits = BigInt(whole + fraction);
  const shift = exponent + Number(power) - fraction.length;
  const magnitude = shift >= 0 ? digits * 10n ** BigInt(shift) : divideExactly(digits, 10n ** BigInt(-shift));
  if (magnitude === null) throw new AmountRefused('too_many_decimals', text, exponent);
  if (magnitude > LARGEST_MINOR) throw new AmountRefused('out_of_range', text, exponent);
  return sign === '-' ? -magnitude : magnitude;
}

function divideExactly(value: bigint, by: bigint): bigint | null {
  return value % by === 0n ? value / by : null;
}

/** `115n`, exponent 2 → `"1.15"`; always exactly `exponent` decimals, a plain minus sign, no grouping. */
export function formatMinor(minor: bigint, exponent: number): string {
  const digits = (minor < 0n ? -minor : minor).toString().padStart(exponent + 1, '0');
  const sign = minor < 0n ? '-' : '';
  if (exponent === 0) return sign + digits;
  return `${sign}${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`;
}

/** One party of a split; the id decides ties and nothing else. */
export interface Weighted {
  readonly id: string;
  readonly weight: bigint;
}

/**
 * Splits whole units in proportion to weights by the largest remainder method (Hamilton): every party gets the
 * floor of its quota, the units left over go to the largest remainders, ties to the smaller id.
 * Parts come back in the order of `parties`, sum to `total` exactly, and are those of `-total` negated.
 * Throws RangeError for a negative weight, or when all weights are zero.
 */
export function split(total: bigint, parties: readonly Weighted[]): bigint[] {
  const sum = sumWeights(parties);
  const magnitude = total < 0n ? -total : total;
  const quotas = parties.map(({ id, weight }, at) => {
    const product = magnitude * weight;
    return { id, at, part: product / sum, rest: product % sum };
  });
  let left = magnitude;
  for (const quota of quotas) left -= quota.part;
  const parts = quotas.map((quota) => quota.part);
  if (left > 0n) {
    const byRemainder = quotas.sort(
      (a, b) => compareBigints(b.rest, a.rest) || compareText(a.id, b.id) || a.at - b.at,
    );
    for (const quota of byRemainder.slice(0, Number(left))) parts[quota.at] = quota.part + 1n;
  }
  return total < 0n ? parts.map((part) => -part) : parts;
}

function sumWeights(parties: readonly Weighted[]): bigint {
  let sum = 0n;
  for (const { weight } of parties) {
    if (weight < 0n) throw new RangeError('a weight is negative');
    sum += weight;
  }
  if (sum === 0n) throw new RangeError('all weights are zero');
  return sum;
}

/** `numerator / denominator` in lowest terms. Throws RangeError unless the denominator is positive. */
export function toShare(numerator: bigint, denominator: bigint): Share {
  if (denominator <= 0n) throw new RangeError('a share needs a positive denominator');
  const divisor = greatestCommonDivisor(numerator < 0n ? -numerator : numerator, denominator);
  return { numerator: numerator / divisor, denominator: denominator / divisor };
}

export function addShares(a: Share, b: Share): Share {
  return toShare(a.numerator * b.denominator + b.numerator * a.denominator, a.denominator * b.denominator);
}

/** Negative, zero or positive, as a sort wants it. */
export function compareShares(a: Share, b: Share): number {
  return compareBigints(a.numerator * b.denominator, b.numerator * a.denominator);
}

/** A share as percent text with so many decimals, rounded half up: for people to read, never to calculate with. */
export function formatPercent(share: Share, decimals: number): string {
  const scaled = share.numerator * 100n * 10n ** BigInt(decimals);
  return formatMinor((2n * scaled + share.denominator) / (2n * share.denominator), decimals);
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  let [x, y] = [a, b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}

export function compareBigints(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** By code unit: the same on every machine, unlike a locale's order. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
