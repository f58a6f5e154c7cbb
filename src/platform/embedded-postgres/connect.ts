import fs from 'node:fs';
import path from 'node:path';
import type { Role } from './cluster.ts';
import { DATABASE } from './roles.ts';

export interface RunningServer {
  readonly ownerUrl: string;
  readonly appUrl: string;
}

/**
 * The embedded server that another process of ours runs on `home`, for commands beside the app. Null when none runs.
 * @throws EACCES when the folder belongs to another user: its passwords are not ours to read.
 */
export function findRunningServer(home: string): RunningServer | null {
  const folder = path.join(home, 'cluster');
  const port = readPort(path.join(folder, 'data', 'postmaster.pid'));
  if (port === null) return null;
  const url = (role: Role) => {
    const password = fs.readFileSync(path.join(folder, `${role}.secret`), 'utf8');
    return `postgres://${role}:${password}@127.0.0.1:${port}/${DATABASE}`;
  };
  return { ownerUrl: url('tributary_owner'), appUrl: url('tributary_app') };
}

/** PostgreSQL documents the file: line 1 the pid, line 4 the port, line 8 the state. */
function readPort(file: string): number | null {
  if (!fs.existsSync(file)) return null;
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  const [pid, port, state] = [Number(lines[0]), Number(lines[3]), lines[7]?.trim()];
  return state === 'ready' && port > 0 && isAlive(pid) ? port : null;
}

/** The file outlives a server that was killed. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
