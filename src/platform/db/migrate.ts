import { fileURLToPath } from 'node:url';
import { drizzle } from 'drizzle-orm/postgres-js';
import { migrate } from 'drizzle-orm/postgres-js/migrator';
import { makeWorkerUtils } from 'graphile-worker';
import postgres from 'postgres';

/** Any number of our own: processes that start together wait for one another here. */
const MIGRATION_LOCK = 7_226_211;

/**
 * Brings the database up to date: graphile-worker's schema first (our functions call it), then ours.
 * Safe to call from several processes at once; throws what PostgreSQL said when it cannot be done.
 *
 * @param ownerUrl connection string of the owner role (DATABASE_OWNER_URL)
 */
export async function migrateDatabase(ownerUrl: string): Promise<void> {
  const client = postgres(ownerUrl, { max: 1, onnotice: () => {} });
  try {
    await client`select pg_advisory_lock(${MIGRATION_LOCK})`;
    const graphile = await makeWorkerUtils({ connectionString: ownerUrl });
    try {
      await graphile.migrate();
    } finally {
      await graphile.release();
    }
    await migrate(drizzle({ client }), {
      migrationsFolder: fileURLToPath(new URL('../../../migrations', import.meta.url)),
    });
    await client`select ops.ensure_run_partitions(now())`;
  } finally {
    await client.end();
  }
}
