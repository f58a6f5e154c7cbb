import { type Environment, parseKeys } from '../platform/config.ts';
import { type Database, openDatabase } from '../platform/db/client.ts';
import { findRunningServer } from '../platform/embedded-postgres/connect.ts';
import { chooseHome } from '../platform/embedded-postgres/home.ts';
import { CannotDo } from './admin/command.ts';

/**
 * The database of a command: the configured one, or the embedded server that a running Tributary has started.
 * @throws ConfigError, or CannotDo when there is none.
 */
export function openCliDatabase(env: Environment): Database {
  const { DATABASE_URL, DATA_DIR, XDG_DATA_HOME } = parseKeys(env, [
    'DATABASE_URL',
    'DATA_DIR',
    'XDG_DATA_HOME',
  ]);
  if (DATABASE_URL !== undefined) return openDatabase(DATABASE_URL, 2);
  const home = DATA_DIR ?? chooseHome({ xdgDataHome: XDG_DATA_HOME }).home;
  const server = findRunningServer(home);
  if (server === null)
    throw new CannotDo(
      `There is no database: DATABASE_URL is not set, and no embedded PostgreSQL runs on ${home}. ` +
        'Start Tributary (npm start) and run this beside it, or set DATABASE_URL and DATABASE_OWNER_URL.',
    );
  return openDatabase(server.appUrl, 2);
}
