import { EventEmitter } from 'node:events';
import { run, type WorkerEvents } from 'graphile-worker';
import { Pool } from 'pg';
import type { Clock } from '../clock.ts';
import type { Database } from '../db/client.ts';
import type { Log } from '../log.ts';
import { type Job, toTaskList } from './define-job.ts';
import { graphileLog } from './graphile-log.ts';

export interface SupervisedWorker {
  /** Lets running jobs end (their signal aborts after a grace), then resolves; no row stays locked. */
  stop(): Promise<void>;
  /** Resolves with a sentence when the worker ended unasked: the process must exit non-zero and be restarted. */
  readonly died: Promise<string>;
}

export interface SupervisionTimes {
  readonly beatMs: number;
  /** A pool silent for longer than this is dead; its jobs are unlocked. */
  readonly silence: string;
  /** We declare nobody dead before our own beats were unbroken for this long: after an outage nobody could beat. */
  readonly graceMs: number;
  /** A completed job's row may take this long to go. */
  readonly settleMs: number;
  /** How often work whose wake-up was lost, or whose time has come, is looked for. */
  readonly sweepMs: number;
  /** How often the planner's picture of tables that changed a lot is brought up to date. */
  readonly statisticsMs: number;
}
export const SUPERVISION: SupervisionTimes = {
  beatMs: 5_000,
  silence: '20 seconds',
  graceMs: 30_000,
  settleMs: 30_000,
  sweepMs: 1_000,
  statisticsMs: 2_000,
};

/**
 * Runs graphile-worker under watch. 0.18 forgets finished jobs on one database hiccup, keeps a killed pool's jobs
 * locked for four hours, and can end its promise as if all were well (graphile/worker#636): so we beat, unlock what
 * dead pools hold, free what our own pool leaked, and say so when the runner ends unasked.
 *
 * `localQueue` stays off: prefetched jobs are locked but not started, which the leak check would take for leaks.
 */
export async function superviseWorker(options: {
  readonly ownerUrl: string;
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly jobs: readonly Job[];
  readonly concurrency: number;
  readonly times?: Partial<SupervisionTimes>;
}): Promise<SupervisedWorker> {
  const { db, log } = options;
  const times = { ...SUPERVISION, ...options.times };
  const events: WorkerEvents = new EventEmitter();
  /** Job id → Infinity while it runs, then the instant it ended. */
  const known = new Map<string, number>();
  let pool = '';
  let beatingSince: number | null = Date.now();
  let stopping = false;
  const death = Promise.withResolvers<string>();
  const die = (why: string, error?: unknown) => {
    if (stopping) return;
    log.fatal('worker died', { why, error });
    death.resolve(why);
  };

  const connections = new Pool({
    connectionString: options.ownerUrl,
    max: options.concurrency + 2,
    application_name: 'tributary-worker',
  });
  connections.on('error', () => {});
  connections.on('connect', (client) => client.on('error', () => {}));
  // Its own connection: a busy pool must not make a living worker look dead.
  const heart = new Pool({ connectionString: options.ownerUrl, max: 1, application_name: 'tributary-heart' });
  heart.on('error', () => {});
  const onUnhandled = (error: unknown) => die('unhandled rejection', error);
  process.on('unhandledRejection', onUnhandled);

  const beat = async () => {
    try {
      const { rows } = await heart.query<{ alive: boolean }>('select ops.beat($1) as alive', [pool]);
      if (rows[0]?.alive !== true) die('fenced: another process took our jobs while we were silent');
      beatingSince ??= Date.now();
    } catch (error) {
      beatingSince = null;
      log.warn('heartbeat failed', { error });
    }
  };
  const reap = async () => {
    for (const [id, endedAt] of known) if (endedAt < Date.now() - times.settleMs) known.delete(id);
    if (beatingSince === null) return;
    if (Date.now() - beatingSince > times.graceMs) {
      const [row] = await db.doors<
        { pools: string[] | null }[]
      >`select ops.reap_dead_pools(${times.silence}::text::interval) as pools`;
      if (row?.pools?.length) log.warn('unlocked jobs of dead pools', { pools: row.pools });
    }
    await db.doors`select ops.release_leaked(${pool}, ${[...known.keys()]}::bigint[], ${times.silence}::text::interval)`;
  };
  const sweep = () => db.doors`select ops.wake_due_work(${options.clock.now().toISOString()}::timestamptz)`;

  events.on('pool:create', ({ workerPool }) => {
    pool = workerPool.id;
    void beat();
  });
  events.on('pool:fatalError', ({ error }) => die('the worker pool failed', error));
  events.on('job:start', ({ job }) => known.set(String(job.id), Number.POSITIVE_INFINITY));
  events.on('job:complete', ({ job }) => known.set(String(job.id), Date.now()));

  const runner = await run({
    pgPool: connections,
    concurrency: options.concurrency,
    noHandleSignals: true,
    events,
    taskList: toTaskList(options.jobs),
    logger: graphileLog(options.log),
  });
  runner.promise.then(
    () => die('the runner ended unasked'),
    (error: unknown) => die('the runner failed', error),
  );
  const quietly = (what: string, work: () => PromiseLike<unknown>) => () => {
    work().then(undefined, (error: unknown) => log.warn(`${what} failed`, { error }));
  };
  const timers = [
    setInterval(quietly('heartbeat', beat), times.beatMs),
    setInterval(quietly('reaper', reap), 2 * times.beatMs),
    setInterval(quietly('sweep', sweep), times.sweepMs),
    setInterval(
      quietly('statistics', () => db.doors`select ops.refresh_statistics()`),
      times.statisticsMs,
    ),
  ];
  return {
    died: death.promise,
    stop: async () => {
      stopping = true;
      // It beats until the last job has ended: a long drain is no death.
      await runner.stop().catch((error: unknown) => log.warn('runner stopped badly', { error }));
      for (const timer of timers) clearInterval(timer);
      await heart.end();
      process.off('unhandledRejection', onUnhandled);
      await connections.end();
    },
  };
}
