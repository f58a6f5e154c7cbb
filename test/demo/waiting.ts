import { sql } from 'drizzle-orm';
import type { Clock } from '../../src/platform/clock.ts';
import { type Database, query, withOrganization } from '../../src/platform/db/client.ts';
import type { Api, ConnectionSeen } from './api.ts';
import type { Progress } from './screen.ts';

/** How anything in the demo waits: by the clock, until the person or the process says stop. */
export interface Patience {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const LOOK_MS = 150;
/** Nothing at all moved for so long: something is wrong, and waiting longer does not mend it. */
const STANDSTILL_MS = 120_000;

/** Looks until `look` gives something else than null. @throws when what it watches stood still for two minutes. */
async function until<T>(
  { clock, signal }: Patience,
  what: string,
  look: () => Promise<{ readonly done: T } | { readonly at: string }>,
): Promise<T> {
  let last = '';
  let movedMs = clock.now().getTime();
  for (;;) {
    signal.throwIfAborted();
    const seen = await look();
    if ('done' in seen) return seen.done;
    const nowMs = clock.now().getTime();
    if (seen.at !== last) [last, movedMs] = [seen.at, nowMs];
    if (nowMs - movedMs > STANDSTILL_MS)
      throw new Error(`${what} stood still for two minutes (${seen.at}). The log file says more.`);
    await clock.sleep(LOOK_MS, signal);
  }
}

/**
 * Waits for the end of the full read, drawing how far it is.
 * @param options.expected rows that the portal holds for us
 * @param options.onMoved called whenever more was read
 */
export function waitForBackfill(
  patience: Patience,
  api: Api,
  progress: Progress,
  options: { readonly expected: number; readonly onMoved: () => void },
): Promise<ConnectionSeen> {
  const { expected, onMoved } = options;
  let before = -1;
  return until(patience, 'The backfill', async () => {
    const connection = await api.connection();
    if (connection === null) throw new Error('There is no connection after the install.');
    if (connection.status !== 'active')
      throw new Error(
        `The connection is ${connection.status}: ${connection.statusReason ?? 'no reason given'}`,
      );
    const rows = connection.positions.reduce((sum, each) => sum + each.rowsRead, 0);
    const kind = connection.positions.find((each) => each.backfill === 'running')?.kind ?? '';
    if (rows !== before) onMoved();
    before = rows;
    progress.show(rows, expected, `${rows} of ${expected} records ${kind === '' ? '' : `(${kind})`}`);
    return connection.backfilled ? { done: connection } : { at: `${rows} records` };
  });
}

export interface SetAside {
  readonly lane: string;
  readonly count: number;
}

/** Waits until nothing is left to fetch, recompute or write. @returns what a person would have to look at. */
export function waitForQuiet(
  patience: Patience,
  db: Database,
  organizationId: string,
  progress?: Progress,
): Promise<readonly SetAside[]> {
  let most = 0;
  return until(patience, 'The work', async () => {
    const now = patience.clock.now().toISOString();
    const lanes = await withOrganization(db, organizationId, (tx) =>
      query<{ lane: string; left: string; aside: string }>(
        tx,
        sql`select lane, count(*) filter (where set_aside_at is null) as left, count(*) filter (where set_aside_at is not null) as aside
          from work where lane in ('fetch', 'recompute', 'write-back', 'backfill') or (lane = 'check-up' and run_at <= ${now}::timestamptz)
          group by lane`,
      ),
    );
    const notices = await db.doors<{ ready: string }[]>`
      select ready from ops.work_figures(${now}::timestamptz) where lane = 'fan-out'`;
    const left = lanes.reduce((sum, each) => sum + Number(each.left), Number(notices[0]?.ready ?? 0));
    most = Math.max(most, left);
    if (most > 0)
      progress?.show(most - left, most, lanes.map((each) => `${each.lane} ${each.left}`).join(', '));
    if (left > 0) return { at: `${left} left` };
    const aside = lanes.filter((each) => Number(each.aside) > 0);
    return { done: aside.map((each) => ({ lane: each.lane, count: Number(each.aside) })) };
  });
}
