/**
 * Record ids in ascending order. HubSpot hands ids out upwards, so that adding is nearly always an append;
 * a page costs a binary search and the rows of that page, however many rows there are.
 */
export class SortedIds {
  readonly #ids: number[] = [];

  get size(): number {
    return this.#ids.length;
  }

  add(id: string): void {
    const value = Number(id);
    const last = this.#ids.at(-1);
    if (last === undefined || last < value) {
      this.#ids.push(value);
      return;
    }
    const at = this.#firstAtLeast(value);
    if (this.#ids[at] !== value) this.#ids.splice(at, 0, value);
  }

  remove(id: string): void {
    const value = Number(id);
    const at = this.#firstAtLeast(value);
    if (this.#ids[at] === value) this.#ids.splice(at, 1);
  }

  /** Up to `limit` ids that are at least `from`. */
  page(from: number, limit: number): string[] {
    const at = this.#firstAtLeast(from);
    return this.#ids.slice(at, at + limit).map(String);
  }

  all(): readonly number[] {
    return this.#ids;
  }

  #firstAtLeast(value: number): number {
    let low = 0;
    let high = this.#ids.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ids[middle] ?? 0) < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
