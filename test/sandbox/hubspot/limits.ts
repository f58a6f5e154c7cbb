import type { Knobs } from './options.ts';
import { tooMany } from './replies.ts';

export type Bucket = 'general' | 'search' | 'associations' | 'none';

export interface RateLimits {
  /**
   * Takes one call of the portal's bucket.
   * @returns the headers that HubSpot adds to the answer (none for search)
   * @throws Refusal 429 with the bucket's policy
   */
  take(portalId: number, bucket: Bucket, nowMs: number): Readonly<Record<string, string>>;
  /** Makes every call of the portal fail with the daily policy until then. */
  exhaustDay(portalId: number, untilMs: number): void;
}

/** True rolling windows: a call counts until exactly its length later, not until the next full second. */
export function createRateLimits(knobs: Knobs): RateLimits {
  const windows = new Map<string, RollingWindow>();
  const exhausted = new Map<number, number>();
  const windowFor = (portalId: number, bucket: Bucket): RollingWindow => {
    const key = `${portalId} ${bucket}`;
    let found = windows.get(key);
    if (found === undefined) {
      found = createRollingWindow(bucket === 'search' ? 1_000 : 10_000);
      windows.set(key, found);
    }
    return found;
  };
  return {
    exhaustDay: (portalId, untilMs) => void exhausted.set(portalId, untilMs),
    take(portalId, bucket, nowMs) {
      if (bucket === 'none') return {};
      if (nowMs < (exhausted.get(portalId) ?? 0)) throw tooMany('DAILY');
      const max = {
        general: knobs.rateLimit,
        search: knobs.searchPerSecond,
        associations: knobs.associationsRateLimit,
      }[bucket];
      const remaining = windowFor(portalId, bucket).take(max, nowMs);
      if (bucket === 'search') {
        if (remaining === null) throw tooMany('SECONDLY');
        return {};
      }
      const headers = {
        'X-HubSpot-RateLimit-Interval-Milliseconds': '10000',
        'X-HubSpot-RateLimit-Max': String(max),
        'X-HubSpot-RateLimit-Remaining': String(remaining ?? 0),
      };
      if (remaining === null) throw tooMany('TEN_SECONDLY_ROLLING', headers);
      return headers;
    },
  };
}

interface RollingWindow {
  /** How many are left after this one; null = refused (a refused call does not count). */
  take(max: number, nowMs: number): number | null;
}

function createRollingWindow(lengthMs: number): RollingWindow {
  let taken: number[] = [];
  let head = 0;
  return {
    take(max, nowMs) {
      while (head < taken.length && (taken[head] ?? 0) <= nowMs - lengthMs) head += 1;
      if (head > 4_096) {
        taken = taken.slice(head);
        head = 0;
      }
      const used = taken.length - head;
      if (used >= max) return null;
      taken.push(nowMs);
      return max - used - 1;
    },
  };
}
