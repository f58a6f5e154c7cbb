/**
 * Numbers and texts as bits, most significant first. A *column* is a run of non-negative integers in the shortest of
 * three codes: nothing at all (every value 0), a fixed width (evenly spread values), or Exp-Golomb of the best order k
 * (ITU-T H.264 §9.1; small, skewed values). At some hundred bytes that comes close to the entropy, which
 * byte-wise fields followed by deflate do not.
 */

/** Bytes that this version of the format cannot have written. */
export class InputFormatError extends Error {
  override readonly name = 'InputFormatError';
}

/** A column starts with the order of its Exp-Golomb code (0–52), or with one of two marks. */
const ORDER_BITS = 6;
const LARGEST_ORDER = 52;
const FIXED_WIDTH = 62;
const ALL_ZERO = 63;

export interface BitWriter {
  /** Writes the low `width` (0–53) bits of a non-negative integer. */
  bits(value: number, width: number): void;
  column(values: readonly number[]): void;
  number(value: number): void;
  /** Texts without a separator: their lengths as a column, then UTF-8, 7 bits a byte when all is ASCII. */
  texts(texts: readonly string[]): void;
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
    const code = chooseCode(values);
    bits(code.mark, ORDER_BITS);
    if (code.mark === ALL_ZERO) return;
    if (code.mark === FIXED_WIDTH) {
      bits(code.width, ORDER_BITS);
      for (const value of values) bits(value, code.width);
      return;
    }
    for (const value of values) {
      const head = Math.floor(value / 2 ** code.mark) + 1;
      const length = bitLength(head);
      bits(0, length - 1);
      bits(head, length);
      bits(value % 2 ** code.mark, code.mark);
    }
  };
  return {
    bits,
    column,
    number: (value) => column([value]),
    texts: (texts) => {
      const encoded = texts.map((text) => new TextEncoder().encode(text));
      const width = encoded.every((bytesOfText) => bytesOfText.every((byte) => byte < 128)) ? 7 : 8;
      column(encoded.map(({ length }) => length));
      bits(width - 7, 1);
      for (const bytesOfText of encoded) for (const byte of bytesOfText) bits(byte, width);
    },
    bytes: () => Uint8Array.from(used === 0 ? bytes : [...bytes, open << (8 - used)]),
  };
}

interface Code {
  readonly mark: number;
  readonly width: number;
}

/** The shortest code; among equals the fixed width, then the smallest order. */
function chooseCode(values: readonly number[]): Code {
  let largest = 0;
  for (const value of values) {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a number of a column: ${value}`);
    largest = Math.max(largest, value);
  }
  if (largest === 0) return { mark: ALL_ZERO, width: 0 };
  const width = bitLength(largest);
  let best = { mark: FIXED_WIDTH, cost: ORDER_BITS + values.length * width };
  for (let order = 0; order <= Math.min(width, LARGEST_ORDER); order++) {
    let cost = 0;
    for (const value of values) cost += 2 * bitLength(Math.floor(value / 2 ** order) + 1) - 1 + order;
    if (cost < best.cost) best = { mark: order, cost };
  }
  return { mark: best.mark, width };
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
  texts(count: number): string[];
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
    if (order === ALL_ZERO) return Array.from({ length: count }, () => 0);
    if (order === FIXED_WIDTH) {
      const width = bits(ORDER_BITS);
      if (width > LARGEST_ORDER + 1) throw new InputFormatError('a column is too wide');
      return Array.from({ length: count }, () => bits(width));
    }
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
    texts: (count) => {
      const lengths = column(count);
      const width = bits(1) + 7;
      return lengths.map((length) => {
        if (length > bytes.length * 2) throw new InputFormatError('the input ends too early');
        const encoded = Uint8Array.from({ length }, () => bits(width));
        return new TextDecoder('utf-8', { ignoreBOM: true }).decode(encoded);
      });
    },
    end: () => {
      const left = bytes.length * 8 - at;
      if (left >= 8 || bits(left) !== 0) throw new InputFormatError('something follows the end of the input');
    },
  };
}
