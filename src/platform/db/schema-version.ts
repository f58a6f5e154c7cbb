import { NotReady, type ReadinessCheck } from '../http/health.ts';
import type { Database } from './client.ts';

/** The schema this code was built for: raised together with `ops.schema_version()` by a migration. */
const SCHEMA_VERSION = 1;

/** Ready when the database answers and its schema is the one this code knows. */
export function databaseCheck(db: Database): ReadinessCheck {
  return {
    name: 'database',
    check: async () => {
      const [row] = await db.doors<{ version: number }[]>`select ops.schema_version() as version`;
      if (row?.version !== SCHEMA_VERSION)
        throw new NotReady(`the schema is version ${row?.version}, this process needs ${SCHEMA_VERSION}`);
      return `answers, schema ${SCHEMA_VERSION}`;
    },
  };
}
