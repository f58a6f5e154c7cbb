/**
 * Numbers and texts as bits, most significant first. A *column* is a run of non-negative integers in Exp-Golomb code
 * of order k (ITU-T H.264 §9.1), k being the one that makes this column shortest: close to the entropy of
 * small, skewed numbers, which byte-wise codes followed by deflate are not at some hundred bytes.
 */

/** Bytes that this version of the format cannot have written. */
export class InputFormatError extends Error {
  override readonly name = 'InputFormatError';
}

const ORDER_BITS = 6;
const LARGEST_ORDER = 52;

export interface BitWriter {
  /** Writes the low `width` (0–48) bits of a non-negative integer. */
  bits(value: number, width: number): void;
  column(values: readonly number[]): void;
  number(value: number): void;
  text(text: string): void;
  /** Everything written, the last byte filled with zero bits. */
  bytes(): Uint8Array;
}

export function createBitWriter(): BitWriter {
  const bytes: number[] = [];
  let open = 0;
  let used = 0;
  const bits = (value: number, width: number): void => {
    for (let left = width; left > 0; ) {
      const take = Math.min(8 - used, left);
      left -= take;
      open = (open << take) | (Math.floor(value / 2 ** left) % 2 ** take);
      used += take;
      if (used === 8) {
        bytes.push(open);
        open = 0;
        used = 0;
      }
    }
  };
  const column = (values: readonly number[]): void => {
    const order = findOrder(values);
    bits(order, ORDER_BITS);
    for (const value of values) {
      const head = Math.floor(value / 2 ** order) + 1;
      const length = bitLength(head);
      bits(0, length - 1);
      bits(head, length);
      bits(value % 2 ** order, order);
    }
  };
  return {
    bits,
    column,
    number: (value) => column([value]),
    text: (text) => {
      const encoded = new TextEncoder().encode(text);
      column([encoded.length]);
      for (const byte of encoded) bits(byte, 8);
    },
    bytes: () => Uint8Array.from(used === 0 ? bytes : [...bytes, open << (8 - used)]),
  };
}

/** The smallest order that gives the shortest code. */
function findOrder(values: readonly number[]): number {
  let largest = 0;
  for (const value of values) {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a number of a column: ${value}`);
    largest = Math.max(largest, value);
  }
  let best = { order: 0, cost: Number.POSITIVE_INFINITY };
  for (let order = 0; order <= bitLength(largest); order++) {
    let cost = 0;
    for (const value of values) cost += 2 * bitLength(Math.floor(value / 2 ** order) + 1) - 1 + order;
    if (cost < best.cost) best = { order, cost };
  }
  return best.order;
}

function bitLength(value: number): number {
  return value < 2 ** 31 ? 32 - Math.clz32(value) : 32 + bitLengthHigh(value);
}

function bitLengthHigh(value: number): number {
  return 32 - Math.clz32(Math.floor(value / 2 ** 32));
}

export interface BitReader {
  bits(width: number): number;
  column(count: number): number[];
  number(): number;
  text(): string;
  /** Throws InputFormatError unless only the filling of the last byte is left. */
  end(): void;
}

/** Reads what `createBitWriter` wrote; every method throws InputFormatError when the bits run out. */
export function createBitReader(bytes: Uint8Array): BitReader {
  let at = 0;
  const bits = (width: number): number => {
    let value = 0;
    for (let left = width; left > 0; ) {
      const byte = bytes[at >> 3];
      if (byte === undefined) throw new InputFormatError('the input ends too early');
      const take = Math.min(8 - (at & 7), left);
      value = value * 2 ** take + ((byte >> (8 - (at & 7) - take)) & (2 ** take - 1));
      at += take;
      left -= take;
    }
    return value;
  };
  const column = (count: number): number[] => {
    if (count > bytes.length * 8) throw new InputFormatError('the input ends too early');
    const order = bits(ORDER_BITS);
    if (order > LARGEST_ORDER) throw new InputFormatError('a column has an impossible order');
    return Array.from({ length: count }, () => {
      let length = 1;
      while (bits(1) === 0) length++;
      if (length > LARGEST_ORDER + 1) throw new InputFormatError('a number is too large');
      const head = 2 ** (length - 1) + bits(length - 1);
      return (head - 1) * 2 ** order + bits(order);
    });
  };
  const number = (): number => column(1)[0] ?? 0;
  return {
    bits,
    column,
    number,
    text: () => {
      const length = number();
      if (length > bytes.length) throw new InputFormatError('the input ends too early');
      return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from({ length }, () => bits(8)));
    },
    end: () => {
      const left = bytes.length * 8 - at;
      if (left >= 8 || bits(left) !== 0) throw new InputFormatError('something follows the end of the input');
    },
  };
}
