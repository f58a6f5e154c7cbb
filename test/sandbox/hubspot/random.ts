export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Whole number in [low, high], both ends included. */
  between(low: number, high: number): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
  shuffle<T>(items: readonly T[]): T[];
  /** Lower-case hexadecimal text of that length. */
  hex(length: number): string;
  uuid(): string;
}

/** Repeatable randomness (mulberry32): the same seed gives the same portal and the same mishaps. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const between = (low: number, high: number) => low + Math.floor(next() * (high - low + 1));
  const hex = (length: number) => {
    let text = '';
    while (text.length < length) text += between(0, 15).toString(16);
    return text;
  };
  return {
    next,
    between,
    hex,
    chance: (probability) => probability > 0 && next() < probability,
    pick(items) {
      const item = items[between(0, items.length - 1)];
      if (item === undefined) throw new Error('pick needs at least one item');
      return item;
    },
    shuffle(items) {
      const shuffled = [...items];
      for (let at = shuffled.length - 1; at > 0; at -= 1) {
        const other = between(0, at);
        const [a, b] = [shuffled[at], shuffled[other]];
        if (a === undefined || b === undefined) continue;
        shuffled[at] = b;
        shuffled[other] = a;
      }
      return shuffled;
    },
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`,
  };
}
