import postgres from 'postgres';
import { markRecompute } from '../../src/attribution/dirty-store.ts';
import { createRecomputeLane } from '../../src/attribution/jobs.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { type Database, openDatabase, withOrganization } from '../../src/platform/db/client.ts';
import { defineLaneJob } from '../../src/platform/jobs/run-lane.ts';
import { createLog } from '../../src/platform/log.ts';
import { alternate, type Figure, toFigure } from './figures.ts';
import type { Ground } from './ground.ts';
import { type RecordsSize, seedRecords } from './seed-records.ts';

const RUNS = 5;
const MAX_BYTES_PER_RUN = 1_024;
/** Bind parameters of one statement end at 65,535; a thousand rows is where more rows gain nothing. */
const ROWS_PER_INSERT = 1_000;
const TABLES = ['attribution_runs', 'attributions', 'credits'] as const;

/**
 * Rows a second from dirty deals to stored runs, attributions and credits, through the lane's own job: claiming, locking,
 * loading, computing, hashing, storing, marking write-back, settling. The floor has the finished rows and only inserts.
 */
export async function benchRecompute(ground: Ground): Promise<readonly Figure[]> {
  const bench = await openStore(ground, { deals: 2_000, activitiesPerDeal: 5, partnersPerDeal: 3 });
  try {
    await bench.recomputeAll();
    const kept = await bench.readRows();
    await bench.insertAll(kept);
    const { value, floor } = await alternate(RUNS, bench.recomputeAll, () => bench.insertAll(kept));
    const rows = [...kept.values()].reduce((sum, each) => sum + each.length, 0);
    ground.note(`recompute-store: ${rows} rows of ${kept.get('attribution_runs')?.length ?? 0} deals`);
    return [toFigure('recompute-store', 'rows/s', rows / value, rows / floor)];
  } finally {
    await bench.close();
  }
}

/** What one run takes on disk, header included, when twenty activities of five partners went into it. */
export async function benchRunBytes(ground: Ground): Promise<readonly Figure[]> {
  const bench = await openStore(ground, { deals: 50, activitiesPerDeal: 20, partnersPerDeal: 5 });
  try {
    await bench.recomputeAll();
    const [row] = await bench.superuser<{ bytes: number }[]>`
      select max(pg_column_size(r.*))::int as bytes from attribution_runs r`;
    return [toFigure('run-bytes', 'bytes', row?.bytes ?? Number.NaN, MAX_BYTES_PER_RUN)];
  } finally {
    await bench.close();
  }
}

type Rows = ReadonlyMap<string, readonly Record<string, unknown>[]>;

async function openStore(ground: Ground, size: RecordsSize) {
  const database = await ground.createDatabase();
  const db = openDatabase(database.appUrl);
  const superuser = postgres(database.superuserUrl, { max: 1, onnotice: () => {} });
  const plain = postgres(database.appUrl, { max: 1 });
  const organizationId = await seedRecords(db, superuser, size);
  const lane = createRecomputeLane({ db, clock: systemClock });
  const log = createLog('warn', (_level, message, fields) =>
    ground.note(`${message} ${JSON.stringify(fields)}`),
  );
  const job = defineLaneJob({ db, clock: systemClock, log }, lane);
  const { signal } = new AbortController();
  const empty = async () => {
    await superuser`truncate ${superuser(TABLES[0])}, ${superuser(TABLES[1])}, ${superuser(TABLES[2])}, work`;
  };
  return {
    superuser,
    /** @returns seconds */
    recomputeAll: async () => {
      await empty();
      await markAll(db, organizationId);
      return timed(async () => {
        const due = () =>
          superuser`select 1 from work where lane = 'recompute' and set_aside_at is null limit 1`;
        do await job.run({ organizationId, scopeId: organizationId }, signal);
        while ((await due()).length > 0);
      });
    },
    readRows: async (): Promise<Rows> => {
      const read = async (table: string) => [...(await superuser`select * from ${superuser(table)}`)];
      return new Map(await Promise.all(TABLES.map(async (table) => [table, await read(table)] as const)));
    },
    /** @returns seconds */
    insertAll: async (rows: Rows) => {
      await empty();
      return timed(() => insertRows(plain, organizationId, rows));
    },
    close: async () => {
      await Promise.all([db.close(), superuser.end(), plain.end()]);
    },
  };
}

async function markAll(db: Database, organizationId: string): Promise<void> {
  await withOrganization(db, organizationId, (tx) =>
    markRecompute(tx, organizationId, { all: true }, { now: systemClock.now() }),
  );
}

/** Under the same row-level security and foreign keys, each statement committed by itself. */
async function insertRows(plain: postgres.Sql, organizationId: string, tables: Rows): Promise<void> {
  for (const [table, rows] of tables) {
    for (let at = 0; at < rows.length; at += ROWS_PER_INSERT) {
      const part = rows.slice(at, at + ROWS_PER_INSERT);
      await plain.begin((sql) => [
        sql`select set_config('app.organization_id', ${organizationId}, true)`,
        sql`insert into ${sql(table)} ${sql(part)}`,
      ]);
    }
  }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1000;
}
