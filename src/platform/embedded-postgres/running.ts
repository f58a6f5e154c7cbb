import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** First argument of our watchdog shell; the second is the pid of the process that asked for the database. */
export const WATCHDOG_NAME = 'tributary-postgres';

const STOP_WITHIN_MS = 10_000;

/**
 * Makes sure that no server runs on this data directory: an orphan is stopped, a stale pid file removed.
 * @throws naming the process, when a living process of ours uses the directory.
 */
export async function takeOver(data: string): Promise<void> {
  const file = path.join(data, 'postmaster.pid');
  const deadline = Date.now() + STOP_WITHIN_MS;
  let told = false;
  while (fs.existsSync(file)) {
    const pid = Number(fs.readFileSync(file, 'utf8').split('\n')[0]);
    // The kernel may have given the pid to somebody else meanwhile: never signal that one.
    if (!runsOn(pid, data)) {
      fs.rmSync(file, { force: true });
      return;
    }
    const user = findUser(pid);
    if (user.status === 'in use') throw new Error(inUse(data, `process ${user.pid}`));
    // A watchdog whose owner died is stopping the server already; without a watchdog it is for us to do.
    if (user.status === 'orphan' && !told) {
      process.kill(pid, 'SIGINT');
      told = true;
    }
    if (Date.now() > deadline)
      throw new Error(`The PostgreSQL left over on ${data} (pid ${pid}) does not stop; end it by hand.`);
    await sleep(20);
  }
}

export function inUse(data: string, by: string): string {
  return `The database folder ${data} is in use by ${by}. Stop that one first, or choose another folder with DATA_DIR.`;
}

type User = { readonly status: 'in use'; readonly pid: number } | { readonly status: 'stopping' | 'orphan' };

function findUser(postmaster: number): User {
  const watchdog = parentOf(postmaster);
  const argv = watchdog === null ? [] : argvOf(watchdog);
  const at = argv.indexOf(WATCHDOG_NAME);
  if (watchdog === null || at < 0) return { status: 'orphan' };
  const owner = Number(argv[at + 1]);
  return parentOf(watchdog) === owner ? { status: 'in use', pid: owner } : { status: 'stopping' };
}

function runsOn(pid: number, data: string): boolean {
  const argv = argvOf(pid);
  return path.basename(argv[0] ?? '') === 'postgres' && argv.join(' ').includes(data);
}

function argvOf(pid: number): readonly string[] {
  if (process.platform !== 'linux') return ps('command=', pid).split(' ');
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

function parentOf(pid: number): number | null {
  if (process.platform !== 'linux') return Number(ps('ppid=', pid)) || null;
  try {
    // "pid (name) state ppid …"; the name may hold spaces and parentheses.
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) || null;
  } catch {
    return null;
  }
}

function ps(column: string, pid: number): string {
  return String(spawnSync('ps', ['-ww', '-o', column, '-p', String(pid)]).stdout).trim();
}
