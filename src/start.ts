import { composeTributary } from './compose.ts';
import type { Clock } from './platform/clock.ts';
import type { Config } from './platform/config.ts';
import { type Database, openDatabase } from './platform/db/client.ts';
import { migrateDatabase } from './platform/db/migrate.ts';
import { databaseCheck } from './platform/db/schema-version.ts';
import { chooseHome } from './platform/embedded-postgres/home.ts';
import { startPostgres } from './platform/embedded-postgres.ts';
import { NotReady, type ReadinessCheck } from './platform/http/health.ts';
import { serveHttp } from './platform/http/node.ts';
import { LIVE_TASKS } from './platform/jobs/lanes.ts';
import { superviseWorker } from './platform/jobs/supervise.ts';
import type { Log } from './platform/log.ts';
import type { Metrics } from './platform/metrics.ts';
import { createMetrics } from './platform/metrics-node.ts';

export interface RunningTributary {
  readonly port: number;
  readonly ownerUrl: string | null;
  readonly appUrl: string;
  /** Resolves with a sentence when something we cannot do without ended unasked: exit non-zero, be started again. */
  readonly died: Promise<string>;
  /** Takes no new request, lets running work end, then stops the database if it is ours. */
  stop(): Promise<void>;
}

const HOUR_MS = 3_600_000;
/** A worker that has not beaten for this long is not working. */
const BEAT_LIMIT_MS = 30_000;

/**
 * One process of Tributary: HTTP, worker or both (`config.role`), with the embedded PostgreSQL when none is configured.
 * @throws when the database cannot be started, reached or migrated, or the port is taken; nothing is left running then.
 */
export async function startTributary(parts: {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
}): Promise<RunningTributary> {
  const { config, clock, log } = parts;
  const undo: (() => Promise<void>)[] = [];
  const death = Promise.withResolvers<string>();
  let stopping = false;
  const die = (why: string) => {
    if (!stopping) death.resolve(why);
  };
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    for (const step of undo.reverse())
      await step().catch((error: unknown) => log.error('A step of the shutdown failed', { error }));
  };
  try {
    const { ownerUrl, appUrl } = await openServer(config, log, undo, die);
    if (ownerUrl !== null) await migrateDatabase(ownerUrl);
    const db = openDatabase(appUrl, Math.max(10, config.workerConcurrency + 4));
    undo.push(() => db.close());
    if (config.database.kind === 'embedded') await freeFormerProcess(db, clock);
    const metrics = createMetrics();
    addDatabaseFigures(metrics, db, clock);
    const worksHere = config.role !== 'web';
    const readiness = [databaseCheck(db), ...(worksHere ? [workerCheck(db, clock)] : [])];
    const { app, jobs } = composeTributary({ config, db, clock, log, metrics, readiness });
    if (worksHere && ownerUrl !== null) {
      // Long reads have slots of their own: nobody's webhook waits behind somebody's full comparison.
      const [live, slow] = partition(jobs, (job) => LIVE_TASKS.includes(job.name));
      for (const [mine, concurrency] of [
        [live, config.workerConcurrency],
        [slow, Math.ceil(config.workerConcurrency / 2)],
      ] as const) {
        const worker = await superviseWorker({ ownerUrl, db, clock, log, jobs: mine, concurrency });
        undo.push(() => worker.stop());
        void worker.died.then(die);
      }
      undo.push(keepHouse(config, db, clock, log));
    }
    const server = await serveHttp(app, { port: config.port, host: config.host });
    undo.push(() => server.close());
    log.info('Tributary is up', { port: server.port, role: config.role });
    return { port: server.port, ownerUrl, appUrl, died: death.promise, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function openServer(
  { database }: Config,
  log: Log,
  undo: (() => Promise<void>)[],
  die: (why: string) => void,
): Promise<{ readonly ownerUrl: string | null; readonly appUrl: string }> {
  if (database.kind === 'external') return database;
  const chosen =
    database.dataDir === null
      ? chooseHome(database.xdgDataHome === null ? {} : { xdgDataHome: database.xdgDataHome })
      : null;
  if (chosen?.note) log.info(chosen.note);
  const home = chosen?.home ?? database.dataDir ?? '';
  const postgres = await startPostgres({ home });
  undo.push(() => postgres.stop());
  void postgres.exited.then(({ asked, code, tail }) => {
    if (asked) return;
    log.fatal('The embedded PostgreSQL ended', { code, tail });
    die('the embedded PostgreSQL ended');
  });
  log.info('Embedded PostgreSQL is up', { home, port: postgres.port });
  return postgres;
}

/**
 * A server that we just started has no other client: whatever is still locked or leased in it belonged to a process that
 * was killed. Freed at once, so that a backfill goes on where it stopped instead of waiting for its lease to run out.
 */
async function freeFormerProcess(db: Database, clock: Clock): Promise<void> {
  await db.doors`select ops.reap_dead_pools(interval '0 seconds')`;
  await db.doors`select ops.release_leases(now() + interval '1 day')`;
  await db.doors`select ops.wake_due_work(${clock.now().toISOString()}::timestamptz)`;
}

function workerCheck(db: Database, clock: Clock): ReadinessCheck {
  return {
    name: 'worker',
    check: async () => {
      const [row] = await db.doors<{ beat: Date | null }[]>`select ops.newest_beat() as beat`;
      const ageMs = row?.beat ? clock.now().getTime() - row.beat.getTime() : Number.POSITIVE_INFINITY;
      if (ageMs > BEAT_LIMIT_MS) throw new NotReady('no worker has beaten lately');
      return 'beats';
    },
  };
}

function addDatabaseFigures(metrics: Metrics, db: Database, clock: Clock): void {
  metrics.onScrape(async () => {
    const at = clock.now().toISOString();
    const lanes = await db.doors<{ lane: string; set_aside: string; oldest_seconds: number }[]>`
      select lane, set_aside, oldest_seconds from ops.work_figures(${at}::timestamptz)`;
    for (const { lane, set_aside } of lanes) metrics.workSetAside(lane, Number(set_aside));
    metrics.inboxOldestUnprocessed(lanes.find((l) => l.lane === 'fan-out')?.oldest_seconds ?? 0);
    // A provider's lag is its oldest hint not yet read: a sync that stands still shows, where the last good one would not.
    metrics.syncLag('hubspot', lanes.find((l) => l.lane === 'fetch')?.oldest_seconds ?? 0);
    metrics.queueOldestReady(Math.max(0, ...lanes.map((l) => l.oldest_seconds)));
    const [dead] = await db.doors<
      { jobs: string }[]
    >`select ops.dead_pool_jobs(interval '20 seconds') as jobs`;
    metrics.jobsLockedByDeadPool(Number(dead?.jobs ?? 0));
  });
}

/** Once an hour: notices past their retention go, next months' partitions come. */
function keepHouse({ retention }: Config, db: Database, clock: Clock, log: Log): () => Promise<void> {
  const keep = async () => {
    const now = clock.now();
    const before = new Date(now.getTime() - retention.inboxDays * 24 * HOUR_MS).toISOString();
    await db.doors`select ops.forget_notices(${before}::timestamptz)`;
    await db.doors`select ops.ensure_run_partitions(${now.toISOString()}::timestamptz)`;
  };
  const timer = setInterval(() => {
    keep().catch((error: unknown) => log.warn('Housekeeping failed', { error }));
  }, HOUR_MS);
  return async () => clearInterval(timer);
}

function partition<T>(
  all: readonly T[],
  isFirst: (one: T) => boolean,
): readonly [readonly T[], readonly T[]] {
  return [all.filter(isFirst), all.filter((one) => !isFirst(one))];
}
