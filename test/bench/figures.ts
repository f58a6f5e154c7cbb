/** One measured figure beside what it is measured against. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly floor: number;
  /** value ÷ floor */
  readonly ratio: number;
}

/** A figure of two numbers of the same unit, rounded so that a table can be read and the ratio still follows. */
export function toFigure(name: string, unit: string, value: number, floor: number): Figure {
  return { name, value: round(value), unit, floor: round(floor), ratio: round(value / floor) };
}

/** Value and floor in turns, `runs` times, so that whatever disturbs the machine disturbs both; then their medians. */
export async function alternate(
  runs: number,
  measureValue: (run: number) => Promise<number>,
  measureFloor: (run: number) => Promise<number>,
): Promise<{ readonly value: number; readonly floor: number }> {
  const values: number[] = [];
  const floors: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    floors.push(await measureFloor(run));
    values.push(await measureValue(run));
  }
  return { value: median(values), floor: median(floors) };
}

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** Nearest rank. @param rank from 0 to 100 */
export function percentile(values: readonly number[], rank: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = Math.max(0, Math.ceil((rank / 100) * sorted.length) - 1);
  const found = sorted[at];
  if (found === undefined) throw new Error('a percentile of nothing');
  return found;
}

/** The figures as a person reads them. */
export function toTable(figures: readonly Figure[]): string {
  const head = ['name', 'value', 'unit', 'floor', 'ratio'];
  const rows = figures.map((f) => [f.name, String(f.value), f.unit, String(f.floor), f.ratio.toFixed(2)]);
  const widths = head.map((name, column) =>
    Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return `${[head, ...rows].map(line).join('\n')}\n`;
}

/** Four significant digits, whole numbers whole. */
function round(value: number): number {
  return Number.isInteger(value) ? value : Number(value.toPrecision(Math.abs(value) >= 1000 ? 6 : 4));
}
