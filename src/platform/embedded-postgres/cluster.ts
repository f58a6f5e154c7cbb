import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { serverAccount } from './account.ts';

const MAJOR_VERSION = '18';

/** `postgres` is the superuser; the other two are ours (see roles.ts). */
export type Role = 'postgres' | 'tributary_owner' | 'tributary_app';
const ROLES = ['postgres', 'tributary_owner', 'tributary_app'] as const satisfies readonly Role[];

export interface Cluster {
  /** PostgreSQL's data directory. */
  readonly data: string;
  readonly passwords: Readonly<Record<Role, string>>;
}

/** A fixed environment: `LC_ALL=C` keeps the server's messages, which we read, in English. */
export const serverEnvironment = { PATH: '/usr/bin:/bin', LC_ALL: 'C' } as const;

/**
 * Opens the cluster in `home`, making it with initdb when there is none. Data and passwords are built in a folder of
 * their own that is renamed when complete, so a kill in between leaves nothing half made, and of two processes that
 * start together one cluster wins.
 * @throws with a sentence when the cluster was made by another major version of PostgreSQL.
 */
export async function openCluster(home: string, bin: string): Promise<Cluster> {
  const folder = path.join(home, 'cluster');
  removeAbandoned(home);
  if (!fs.existsSync(folder)) await makeCluster(home, folder, bin);

  const data = path.join(folder, 'data');
  const version = fs.readFileSync(path.join(data, 'PG_VERSION'), 'utf8').trim();
  if (version !== MAJOR_VERSION)
    throw new Error(
      `${data} was made by PostgreSQL ${version}, and this program brings ${MAJOR_VERSION}. ` +
        'Move the data with pg_dump of the old version, or choose another folder with DATA_DIR.',
    );
  const passwords = Object.fromEntries(
    ROLES.map((role) => [role, fs.readFileSync(secretFile(folder, role), 'utf8')]),
  );
  return { data, passwords: passwords as Record<Role, string> };
}

async function makeCluster(home: string, folder: string, bin: string): Promise<void> {
  const { drops, ids } = serverAccount();
  const fresh = path.join(home, `cluster-new-${process.pid}`);
  const data = path.join(fresh, 'data');
  const firstPassword = path.join(fresh, 'password-for-initdb');
  fs.mkdirSync(data, { recursive: true, mode: 0o700 });
  fs.chmodSync(fresh, drops ? 0o711 : 0o700);
  for (const role of ROLES)
    fs.writeFileSync(secretFile(fresh, role), randomBytes(24).toString('hex'), { mode: 0o600 });
  fs.copyFileSync(secretFile(fresh, 'postgres'), firstPassword);
  if (ids.uid !== undefined && ids.gid !== undefined)
    for (const file of [data, firstPassword]) fs.chownSync(file, ids.uid, ids.gid);

  try {
    await runInitdb(bin, data, firstPassword);
    fs.rmSync(firstPassword);
    fs.renameSync(fresh, folder);
  } catch (error) {
    fs.rmSync(fresh, { recursive: true, force: true });
    // Another process that started at the same time may have been first; then its cluster is ours too.
    if (!fs.existsSync(folder)) throw error;
  }
}

/** One sort order (by code point) on every system, and no dependence on the system's locales. */
async function runInitdb(bin: string, data: string, passwordFile: string): Promise<void> {
  const flags = [
    '--encoding=UTF8',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--lc-collate=C',
    '--lc-ctype=C',
  ];
  const child = spawn(
    path.join(bin, 'initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, ...flags],
    { ...serverAccount().ids, env: serverEnvironment, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code === 0) return;
  if (stderr.includes('could not look up effective user ID'))
    throw new Error(
      `PostgreSQL cannot run as uid ${serverAccount().ids.uid ?? process.getuid?.()}, which has no entry in /etc/passwd. ` +
        'Start as a user that has one, or set DATABASE_URL and DATABASE_OWNER_URL.',
    );
  throw new Error(`initdb failed with code ${code}: ${stderr.trim()}`);
}

/** Removes what a process killed during initdb left. A folder named after a living process is left alone. */
function removeAbandoned(home: string): void {
  for (const name of fs.readdirSync(home)) {
    const pid = Number(/^cluster-new-(\d+)$/.exec(name)?.[1]);
    if (!pid || (pid !== process.pid && isAlive(pid))) continue;
    // Its initdb may still be writing; what it writes again is removed at the next start.
    fs.rmSync(path.join(home, name), { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function secretFile(folder: string, role: Role): string {
  return path.join(folder, `${role}.secret`);
}
