import type { BitReader, BitWriter } from './bit-stream.ts';

/** Texts of one input, each written once; referred to by index. */
export type TextTable = readonly string[];

const UUID_V4 = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/;
/** Hex digits that are not fixed by version and variant, and where they stand once the dashes are gone. */
const RUNS = [
  [0, 12],
  [13, 16],
  [17, 29],
  [29, 32],
] as const;

interface IdParts {
  readonly before: string;
  /** Empty: the id holds no random uuid, all of it is `before`. */
  readonly uuid: string;
  readonly after: string;
}

/** What the text table must hold for these ids: whatever stands around a uuid, or the whole id. */
export function textsOfIds(ids: readonly string[]): readonly string[] {
  return ids.map(toParts).flatMap(({ before, after }) => [before, after]);
}

/** Ids as 122 bits per random (version 4) uuid; other texts go through the table. */
export function writeIds(
  writer: BitWriter,
  ids: readonly string[],
  texts: ReadonlyMap<string, number>,
): void {
  const parts = ids.map(toParts);
  const plain = parts.every(({ before, uuid, after }) => uuid !== '' && before === '' && after === '');
  writer.bits(plain ? 1 : 0, 1);
  if (!plain) {
    writer.column(parts.map(({ before }) => texts.get(before) ?? 0));
    writer.column(parts.map(({ uuid }) => (uuid === '' ? 0 : 1)));
    writer.column(parts.map(({ after }) => texts.get(after) ?? 0));
  }
  for (const { uuid } of parts) if (uuid !== '') writeUuid(writer, uuid);
}

export function readIds(reader: BitReader, count: number, texts: TextTable): string[] {
  if (reader.bits(1) === 1) return Array.from({ length: count }, () => readUuid(reader));
  const before = reader.column(count);
  const marks = reader.column(count);
  const after = reader.column(count);
  return marks.map((mark, at) => {
    const uuid = mark === 1 ? readUuid(reader) : '';
    return `${texts[before[at] ?? 0] ?? ''}${uuid}${texts[after[at] ?? 0] ?? ''}`;
  });
}

function toParts(id: string): IdParts {
  const match = UUID_V4.exec(id);
  if (!match) return { before: id, uuid: '', after: '' };
  return { before: id.slice(0, match.index), uuid: match[0], after: id.slice(match.index + match[0].length) };
}

function writeUuid(writer: BitWriter, uuid: string): void {
  const hex = uuid.replaceAll('-', '');
  for (const [from, to] of RUNS) writer.bits(Number.parseInt(hex.slice(from, to), 16), (to - from) * 4);
  writer.bits(Number.parseInt(hex.slice(16, 17), 16) % 4, 2);
}

function readUuid(reader: BitReader): string {
  const [start, middle, tail, last] = RUNS.map(([from, to]) =>
    reader
      .bits((to - from) * 4)
      .toString(16)
      .padStart(to - from, '0'),
  ) as [string, string, string, string];
  const variant = (8 + reader.bits(2)).toString(16);
  const end = tail + last;
  return `${start.slice(0, 8)}-${start.slice(8)}-4${middle}-${variant}${end.slice(0, 3)}-${end.slice(3)}`;
}
