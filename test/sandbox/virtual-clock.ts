import type { Clock } from '../../src/platform/clock.ts';

interface Sleeper {
  readonly dueMs: number;
  readonly order: number;
  readonly wake: () => void;
}

export interface VirtualClock extends Clock {
  nowMs(): number;
  /** Moves time forward, waking every sleeper on the way in order of its due time. */
  advance(ms: number): Promise<void>;
  /** How many callers are asleep. */
  sleeping(): number;
  /**
   * From here on, time jumps to the earliest sleeper as soon as nobody has anything else to do.
   * Work that waits for the outside world (a database, a socket) must be passed through `track`.
   */
  setAutoAdvance(on: boolean): void;
  /** Time does not jump by itself while `work` is under way. */
  track<T>(work: Promise<T>): Promise<T>;
}

/** Turns of the event loop without news after which everybody counts as asleep. */
const QUIET_TURNS = 4;

/**
 * A clock moved by hand, or (auto-advance) by the idleness of those who use it.
 * @param options `isIdle` says whether the outside world (a database pool, a server) is at rest too
 */
export function createVirtualClock(
  startAt: Date,
  options: { readonly autoAdvance?: boolean; readonly isIdle?: () => boolean } = {},
): VirtualClock {
  const isIdle = options.isIdle ?? (() => true);
  let nowMs = startAt.getTime();
  let order = 0;
  let busy = 0;
  let auto = options.autoAdvance ?? false;
  let watching = false;
  let activity = 0;
  const sleepers: Sleeper[] = [];

  const wakeUntil = async (untilMs: number): Promise<void> => {
    for (;;) {
      await settle();
      const next = sleepers[0];
      if (next === undefined || next.dueMs > untilMs) break;
      sleepers.shift();
      nowMs = Math.max(nowMs, next.dueMs);
      next.wake();
    }
    nowMs = Math.max(nowMs, untilMs);
  };

  const watch = async (): Promise<void> => {
    if (watching) return;
    watching = true;
    try {
      let quiet = 0;
      let seen = activity;
      while (auto && sleepers.length > 0) {
        await turn();
        quiet = busy === 0 && activity === seen && isIdle() ? quiet + 1 : 0;
        seen = activity;
        if (quiet < QUIET_TURNS) continue;
        quiet = 0;
        const dueMs = sleepers[0]?.dueMs ?? nowMs;
        nowMs = Math.max(nowMs, dueMs);
        while (sleepers[0] !== undefined && sleepers[0].dueMs <= nowMs) sleepers.shift()?.wake();
      }
    } finally {
      watching = false;
    }
  };

  return {
    now: () => new Date(nowMs),
    nowMs: () => nowMs,
    sleeping: () => sleepers.length,
    advance: (ms) => wakeUntil(nowMs + ms),
    setAutoAdvance(on) {
      auto = on;
      if (on) void watch();
    },
    track(work) {
      busy += 1;
      activity += 1;
      return work.finally(() => {
        busy -= 1;
        activity += 1;
      });
    },
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason as Error);
        activity += 1;
        const onAbort = () => {
          const at = sleepers.indexOf(sleeper);
          if (at >= 0) sleepers.splice(at, 1);
          reject(signal?.reason as Error);
        };
        const sleeper: Sleeper = {
          dueMs: nowMs + Math.max(0, ms),
          order: order++,
          wake: () => {
            activity += 1;
            signal?.removeEventListener('abort', onAbort);
            resolve();
          },
        };
        signal?.addEventListener('abort', onAbort, { once: true });
        insert(sleepers, sleeper);
        if (auto) void watch();
      }),
  };
}

function insert(sleepers: Sleeper[], sleeper: Sleeper): void {
  let low = 0;
  let high = sleepers.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = sleepers[middle];
    if (other !== undefined && other.dueMs <= sleeper.dueMs) low = middle + 1;
    else high = middle;
  }
  sleepers.splice(low, 0, sleeper);
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Lets the continuations of those just woken run before time moves on. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < QUIET_TURNS; turns += 1) await turn();
}
