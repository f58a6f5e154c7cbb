import { type ChildProcess, spawn } from 'node:child_process';
import net from 'node:net';
import path from 'node:path';
import { serverAccount } from './embedded-postgres/account.ts';
import { findBinaries } from './embedded-postgres/binaries.ts';
import { openCluster, type Role, serverEnvironment } from './embedded-postgres/cluster.ts';
import { prepareHome } from './embedded-postgres/home.ts';
import { DATABASE, ensureRoles } from './embedded-postgres/roles.ts';
import { inUse, takeOver, WATCHDOG_NAME } from './embedded-postgres/running.ts';

export interface EmbeddedPostgres {
  readonly port: number;
  /** Connection string; the role is the superuser `postgres` unless another is asked for. */
  url(database: string, role?: Role): string;
  /** The database `tributary` as its owner: migrations. */
  readonly ownerUrl: string;
  /** The database `tributary` as the role that serves requests. */
  readonly appUrl: string;
  /** Fast shutdown; resolves when the server is gone. */
  stop(): Promise<void>;
  /** Resolves when the server is gone, asked or not. Unasked, our process must end: there is no database. */
  readonly exited: Promise<PostgresExit>;
}
export interface PostgresExit {
  readonly code: number | null;
  readonly asked: boolean;
  /** The end of the server's log. */
  readonly tail: string;
}

const PORT_ATTEMPTS = 5;

/**
 * Starts the PostgreSQL that npm brought, on data under `home`, listening on 127.0.0.1 only, and makes sure of the
 * roles and the database of `roles.ts`. The server ends with this process, however that ends.
 * @param options.settings `name=value` settings for the server, e.g. `fsync=off` in tests.
 * @param options.port a fixed port; else a free one is taken.
 * @throws with a sentence an operator can act on: folder in use, other major version, no passwd entry, Windows.
 */
export async function startPostgres(options: {
  readonly home: string;
  readonly settings?: readonly string[];
  readonly port?: number;
}): Promise<EmbeddedPostgres> {
  if (process.platform === 'win32')
    throw new Error(
      'The embedded PostgreSQL does not run on Windows: set DATABASE_URL and DATABASE_OWNER_URL.',
    );
  const home = prepareHome(options.home);
  const bin = findBinaries(home);
  const { data, passwords } = await openCluster(home, bin);
  await takeOver(data);

  const server = await startServer({ bin, data, settings: options.settings ?? [], port: options.port });
  const url = (database: string, role: Role = 'postgres') =>
    `postgres://${role}:${passwords[role]}@127.0.0.1:${server.port}/${database}`;
  try {
    await ensureRoles(url('postgres'), passwords);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    ...server,
    url,
    ownerUrl: url(DATABASE, 'tributary_owner'),
    appUrl: url(DATABASE, 'tributary_app'),
  };
}

type Server = Pick<EmbeddedPostgres, 'port' | 'stop' | 'exited'>;
interface ServerOptions {
  readonly bin: string;
  readonly data: string;
  readonly settings: readonly string[];
  readonly port: number | undefined;
}

async function startServer(options: ServerOptions, attempt = 1): Promise<Server> {
  const port = options.port ?? (await findFreePort());
  const child = spawnUnderWatchdog(options, port);
  let tail = '';
  let asked = false;
  const exited = new Promise<PostgresExit>((resolve) => {
    // `close` comes after the last of the log; but a watchdog that was killed leaves the log open behind it.
    child.on('close', (code) => resolve({ code, asked, tail }));
    child.on('exit', (code, signal) => signal !== null && resolve({ code, asked, tail }));
  });
  const ready = new Promise<'ready'>((resolve, reject) => {
    // Read for as long as it lives: a full pipe would block the server.
    child.stderr?.on('data', (chunk: Buffer) => {
      tail = (tail + chunk.toString()).slice(-4000);
      if (tail.includes('ready to accept connections')) resolve('ready');
    });
    child.on('error', reject);
  });

  const first = await Promise.race([ready, exited]);
  if (first !== 'ready') {
    const portTaken = tail.includes('Address already in use');
    if (portTaken && options.port === undefined && attempt < PORT_ATTEMPTS)
      return startServer(options, attempt + 1);
    if (portTaken) throw new Error(`Port ${port} is taken, so PostgreSQL cannot listen on it.`);
    if (tail.includes('lock file "postmaster.pid" already exists'))
      throw new Error(
        inUse(options.data, `another process (${tail.match(/PID \d+/)?.[0] ?? 'just started'})`),
      );
    throw new Error(`PostgreSQL ended with code ${first.code} while starting: ${tail.trim()}`);
  }
  letProcessEnd(child);
  const stop = async () => {
    asked = true;
    child.ref();
    child.stdin?.end();
    await exited;
  };
  return { port, exited, stop };
}

/**
 * A shell stands between us and the server and reads our end of a pipe: when we are gone, even by SIGKILL, it reads
 * end-of-file and asks the server for a fast shutdown. `detached`: a Ctrl-C in the terminal reaches us but not the
 * server, so that our drain still has a database.
 */
const WATCHDOG = `
  shift
  exec 3<&0
  "$@" <&- 3<&- &
  server=$!
  { read -r _ <&3; kill -INT $server; } 2>/dev/null &
  reader=$!
  wait $server
  code=$?
  kill $reader 2>/dev/null
  exit $code
`;

function spawnUnderWatchdog(options: ServerOptions, port: number): ChildProcess {
  const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', ...options.settings];
  const server = [path.join(options.bin, 'postgres'), '-D', options.data, '-p', String(port)];
  return spawn(
    '/bin/sh',
    [
      '-c',
      WATCHDOG,
      WATCHDOG_NAME,
      String(process.pid),
      ...server,
      ...settings.flatMap((setting) => ['-c', setting]),
    ],
    {
      ...serverAccount().ids,
      env: serverEnvironment,
      cwd: '/',
      detached: true,
      stdio: ['pipe', 'ignore', 'pipe'],
    },
  );
}

/** A server that nobody stopped must not keep our process alive; it ends with us. */
function letProcessEnd(child: ChildProcess): void {
  child.unref();
  for (const stream of [child.stdin, child.stderr]) if (stream instanceof net.Socket) stream.unref();
}

function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() =>
        address !== null && typeof address === 'object'
          ? resolve(address.port)
          : reject(new Error('no port')),
      );
    });
  });
}
