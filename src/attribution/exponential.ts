/**
 * e^(−x) on integers, for time decay. x is an exact rational; the result is an integer number of 10^−18.
 *
 * Method: x = k·ln 2 + r with 0 ≤ r < ln 2; e^(−r/32) by its Taylor series, then squared five times, then shifted
 * right by k. Everything runs on 128 binary digits after the point.
 * Precision: the working error is below 2^−118, the result is then rounded half up to 10^−18, so it is the correctly
 * rounded value unless the true one lies within 2^−118 of the middle between two results; in any case it is
 * the same integer on every machine. From x ≈ 42.1 on, the result is 0.
 */
export const DECAY_UNIT = 10n ** 18n;

const BITS = 128n;
const ONE = 1n << BITS;
/** floor(ln 2 · 2^128), OEIS A068426. */
const LN2 = 0xb17217f7d1cf79abc9e3b39803f2f6afn;
const HALVINGS = 5n;
/** (ln 2 / 32)^17 / 17! < 2^−140: below what the working digits can show. */
const TERMS = 17n;

/** e^(−numerator/denominator) in units of 10^−18, rounded half up. Throws RangeError for a negative x. */
export function expNegative(numerator: bigint, denominator: bigint): bigint {
  if (numerator < 0n || denominator <= 0n) throw new RangeError('x must not be negative');
  const x = (numerator << BITS) / denominator;
  const halvings = x / LN2;
  if (halvings > BITS) return 0n;
  let power = expNegativeSmall((x % LN2) >> HALVINGS);
  for (let i = 0n; i < HALVINGS; i++) power = (power * power) >> BITS;
  const shift = BITS + halvings;
  return (power * DECAY_UNIT + (1n << (shift - 1n))) >> shift;
}

/** Taylor series by Horner's rule: 1 − r(1 − r/2(1 − r/3(…))), for r below ln 2 / 32. */
function expNegativeSmall(r: bigint): bigint {
  let sum = ONE;
  for (let n = TERMS; n >= 1n; n--) sum = ONE - ((r * sum) >> BITS) / n;
  return sum;
}

const PPM_SECONDS_PER_DAY = 1_000_000n * 86_400n;

/** The weight e^(−λ·age) of something so many whole seconds old; λ in parts per million per day. */
export function decayWeight(lambdaPpm: number, ageSeconds: number): bigint {
  return expNegative(BigInt(lambdaPpm) * BigInt(ageSeconds), PPM_SECONDS_PER_DAY);
}
