import { type BitReader, type BitWriter, InputFormatError } from './bit-stream.ts';

/** The single fields of an input's records: instants, integers, positions in a table. */

/** A signed integer of any size: sign, number of hexadecimal digits, digits. */
export function writeInteger(writer: BitWriter, value: bigint): void {
  const hex = (value < 0n ? -value : value).toString(16);
  writer.bits(value < 0n ? 1 : 0, 1);
  writer.number(hex.length);
  for (const digit of hex) writer.bits(Number.parseInt(digit, 16), 4);
}

export function readInteger(reader: BitReader): bigint {
  const negative = reader.bits(1) === 1;
  let value = 0n;
  for (let left = reader.number(); left > 0; left--) value = value * 16n + BigInt(reader.bits(4));
  return negative ? -value : value;
}

export function writeInstant(writer: BitWriter, ms: number, baseMs: number): void {
  writer.number(zigzag(toSeconds(ms) - toSeconds(baseMs)));
  writer.bits(toMilliseconds(ms), 10);
}

export function readInstant(reader: BitReader, baseMs: number): number {
  return (unzigzag(reader.number()) + toSeconds(baseMs)) * 1000 + reader.bits(10);
}

export function toMinutes(ms: number): number {
  return Math.floor(ms / 60_000);
}

export function toSeconds(ms: number): number {
  return Math.floor(ms / 1000);
}

export function toMilliseconds(ms: number): number {
  return ms - toSeconds(ms) * 1000;
}

export const DAY_MS = 86_400_000;

/** The UTC day of an instant. */
export function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS);
}

/** 0, −1, 1, −2, 2 … → 0, 1, 2, 3, 4 … */
export function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

export function unzigzag(value: number): number {
  return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
}

export function pick<T>(list: readonly T[], at: number | undefined): T {
  const item = at === undefined ? undefined : list[at];
  if (item === undefined) throw new InputFormatError('a position points nowhere');
  return item;
}

export function pickOptional(list: readonly string[], at: number | undefined): string | null {
  return at === 0 ? null : pick(list, at === undefined ? at : at - 1);
}

export function toPosition(positions: ReadonlyMap<string, number>, item: string): number {
  const at = positions.get(item);
  if (at === undefined) throw new RangeError(`${item} is not in the table`);
  return at;
}

/** 0 = null. */
export function toOptionalIndex(positions: ReadonlyMap<string, number>, item: string | null): number {
  return item === null ? 0 : toPosition(positions, item) + 1;
}
