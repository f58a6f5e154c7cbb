import type { Row, Values } from './state.ts';

interface Entry {
  readonly modifiedMs: number;
  readonly id: string;
  readonly version: number;
}
interface Pending {
  readonly visibleAtMs: number;
  readonly row: Row;
  readonly values: Values;
  readonly version: number;
}
export interface Indexed {
  readonly row: Row;
  readonly values: Values;
  readonly modifiedMs: number;
  readonly version: number;
}

/**
 * What search sees of one object type: values as they were when last indexed, ordered by modification time.
 * A write becomes visible only when its lag is over, so that a fresh deal is missing and a changed one is stale.
 */
export class SearchIndex {
  readonly #seen = new Map<string, Indexed>();
  #entries: Entry[] = [];
  #sorted = true;
  #pending: Pending[] = [];
  /** Grows whenever search may answer differently. */
  generation = 0;

  /** Shows `row` to search at once. */
  put(row: Row): void {
    this.#show({ visibleAtMs: 0, row, values: row.values, version: row.version });
  }

  /** Shows the row's present values to search at `visibleAtMs`. */
  putLater(row: Row, visibleAtMs: number): void {
    const pending = { visibleAtMs, row, values: row.values, version: row.version };
    let low = 0;
    let high = this.#pending.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#pending[middle]?.visibleAtMs ?? 0) <= visibleAtMs) low = middle + 1;
      else high = middle;
    }
    this.#pending.splice(low, 0, pending);
  }

  /** Lets everything in whose time has come. */
  catchUp(nowMs: number): void {
    let due = 0;
    while ((this.#pending[due]?.visibleAtMs ?? Number.POSITIVE_INFINITY) <= nowMs) due += 1;
    if (due === 0) return;
    for (const pending of this.#pending.splice(0, due)) this.#show(pending);
  }

  get(id: string): Indexed | undefined {
    return this.#seen.get(id);
  }

  *everything(): Iterable<Indexed> {
    yield* this.#seen.values();
  }

  /** Rows modified within [from, to], both inclusive, in order of modification. */
  *modifiedWithin(fromMs: number, toMs: number): Iterable<Indexed> {
    this.#sort();
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle]?.modifiedMs ?? 0) < fromMs) low = middle + 1;
      else high = middle;
    }
    for (let at = low; at < this.#entries.length; at += 1) {
      const entry = this.#entries[at];
      if (entry === undefined || entry.modifiedMs > toMs) return;
      const indexed = this.#seen.get(entry.id);
      if (indexed?.version === entry.version) yield indexed;
    }
  }

  #show(pending: Pending): void {
    const { row, values, version } = pending;
    const before = this.#seen.get(row.id);
    if (before !== undefined && before.version >= version) return;
    const modifiedMs = Date.parse(values[row.modifiedProperty] ?? '') || row.updatedAtMs;
    this.#seen.set(row.id, { row, values, modifiedMs, version });
    const last = this.#entries.at(-1);
    if (last !== undefined && last.modifiedMs > modifiedMs) this.#sorted = false;
    this.#entries.push({ modifiedMs, id: row.id, version });
    this.generation += 1;
  }

  #sort(): void {
    if (this.#entries.length > 2 * this.#seen.size + 1_000) {
      this.#entries = this.#entries.filter((entry) => this.#seen.get(entry.id)?.version === entry.version);
    }
    if (this.#sorted) return;
    this.#entries.sort((a, b) => a.modifiedMs - b.modifiedMs);
    this.#sorted = true;
  }
}
