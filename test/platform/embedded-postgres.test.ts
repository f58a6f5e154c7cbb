import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { serverAccount } from '../../src/platform/embedded-postgres/account.ts';
import { findBinaries } from '../../src/platform/embedded-postgres/binaries.ts';
import { chooseHome } from '../../src/platform/embedded-postgres/home.ts';
import { startPostgres } from '../../src/platform/embedded-postgres.ts';

const asRoot = process.getuid?.() === 0;
const OWNER = fileURLToPath(new URL('fixtures/postgres-owner.ts', import.meta.url));

let folder: string;
/** A home whose cluster exists already, used by one test after the other. */
let home: string;

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tributary-embedded-'));
  fs.chmodSync(folder, 0o755);
  home = path.join(folder, 'home');
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

describe('start and stop', () => {
  test('cold, then warm on the same data; passwords are asked for', async () => {
    const cold = await startPostgres({ home });
    const sql = postgres(cold.ownerUrl, { max: 1 });
    await sql`create table kept (word text)`;
    await sql`insert into kept values ('still here')`;
    await sql.end();
    await cold.stop();
    expect(await cold.exited).toMatchObject({ code: 0, asked: true });

    const warm = await startPostgres({ home });
    const again = postgres(warm.ownerUrl, { max: 1 });
    expect(await again`select word from kept`).toMatchObject([{ word: 'still here' }]);
    await again.end();
    const guess = postgres(warm.url('tributary', 'postgres').replace(/:[0-9a-f]{48}@/, ':guess@'), {
      max: 1,
    });
    await expect(guess`select 1`).rejects.toMatchObject({ code: '28P01' });
    await guess.end();
    await warm.stop();
    for (const name of fs.readdirSync(path.join(home, 'cluster')).filter((file) => file.endsWith('.secret')))
      expect(fs.statSync(path.join(home, 'cluster', name)).mode & 0o777, name).toBe(0o600);
  });

  test('a server that dies unasked says so, so that our process can end', async () => {
    const server = await startPostgres({ home });
    process.kill(postmasterPid(), 'SIGQUIT');
    expect(await server.exited).toMatchObject({ asked: false });
  });

  test('a fixed port that is taken is refused with a sentence', async () => {
    const { port, free } = await holdPort();
    await expect(startPostgres({ home, port })).rejects.toThrow(`Port ${port} is taken`);
    await free();
  });
});

describe('one folder, one owner', () => {
  test('a second start is refused with a sentence that names the running process, which goes on', async () => {
    const owner = startOwner(home);
    await owner.line('ready');
    const before = postmasterPid();
    await expect(startPostgres({ home })).rejects.toThrow(
      `in use by process ${owner.process.pid}. Stop that one first`,
    );
    expect(postmasterPid()).toBe(before);
    await killAndWait(owner.process);
  });

  test('of two first starts at once one wins and the other is refused', async () => {
    const fresh = path.join(folder, 'together');
    const owners = [startOwner(fresh), startOwner(fresh)];
    const lines = await Promise.all(owners.map((owner) => owner.line(/ready|refused/)));
    expect(lines.map((line) => line.split(' ')[0]).toSorted()).toEqual(['ready', 'refused']);
    expect(lines.find((line) => line.startsWith('refused'))).toMatch(/is in use by .*Stop that one first/);
    await Promise.all(owners.map((owner) => killAndWait(owner.process)));
    await waitUntilGone(fresh);
  });
});

describe('ends', () => {
  test('SIGKILL of the parent leaves no postgres process and no pid file', async () => {
    const owner = startOwner(home);
    await owner.line('ready');
    const pid = postmasterPid();
    await killAndWait(owner.process);
    await waitUntilGone(home);
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 10_000, interval: 20 });
  });

  test('Ctrl-C reaches us and not the server: we drain with a database, then stop it', async () => {
    const owner = startOwner(home);
    await owner.line('ready');
    const exit = once(owner.process, 'exit');
    process.kill(-(owner.process.pid ?? 0), 'SIGINT');
    await owner.line('drained with a database');
    await owner.line('stopped');
    expect(await exit).toEqual([0, null]);
    expect(fs.existsSync(pidFile(home))).toBe(false);
  });

  test('a server that lost its watchdog too is stopped by the next start', async () => {
    const { port, free } = await holdPort();
    await free();
    const data = path.join(fs.realpathSync(home), 'cluster/data');
    const orphan = spawn(
      path.join(findBinaries(home), 'postgres'),
      ['-D', data, '-p', String(port), '-c', 'unix_socket_directories='],
      {
        ...serverAccount().ids,
        cwd: '/',
        stdio: 'ignore',
      },
    );
    const gone = once(orphan, 'exit');
    await vi.waitFor(() => expect(fs.readFileSync(pidFile(home), 'utf8')).toContain('ready'), {
      timeout: 10_000,
      interval: 20,
    });
    const [server] = await Promise.all([startPostgres({ home }), gone]);
    expect(postmasterPid()).not.toBe(orphan.pid);
    await server.stop();
  });

  test('a pid file whose pid belongs to somebody else now is removed, and that process is left alone', async () => {
    fs.writeFileSync(pidFile(home), `${process.pid}\n${path.join(home, 'cluster/data')}\n`);
    const server = await startPostgres({ home });
    await server.stop();
  });

  test('killed during initdb, the next start begins anew and leaves nothing half made', async () => {
    const fresh = path.join(folder, 'initdb');
    const owner = startOwner(fresh);
    const halfMade = () =>
      fs.existsSync(fresh) ? fs.readdirSync(fresh).filter((name) => name.startsWith('cluster-new')) : [];
    await vi.waitFor(
      () => expect(fs.existsSync(path.join(fresh, halfMade()[0] ?? 'none', 'data/PG_VERSION'))).toBe(true),
      { timeout: 10_000, interval: 5 },
    );
    await killAndWait(owner.process);
    expect(fs.existsSync(path.join(fresh, 'cluster'))).toBe(false);
    const server = await startPostgres({ home: fresh });
    await server.stop();
    await vi.waitFor(
      async () => {
        const next = await startPostgres({ home: fresh });
        await next.stop();
        expect(halfMade()).toEqual([]);
      },
      { timeout: 15_000 },
    );
  });
});

describe('folders', () => {
  test('data of another major version is refused with a sentence', async () => {
    const file = path.join(home, 'cluster/data/PG_VERSION');
    fs.writeFileSync(file, '17\n');
    await expect(startPostgres({ home })).rejects.toThrow(
      /was made by PostgreSQL 17, and this program brings 18/,
    );
    fs.writeFileSync(file, '18\n');
  });

  test('a link in place of the folder is refused', async () => {
    const link = path.join(folder, 'link');
    fs.symlinkSync(home, link);
    await expect(startPostgres({ home: link })).rejects.toThrow('is not a folder');
  });

  test('XDG_DATA_HOME decides, else the user’s home', () => {
    const open = path.join(folder, 'open');
    expect(chooseHome({ xdgDataHome: open })).toEqual({ home: path.join(open, 'tributary'), note: null });
    expect(chooseHome({ userHome: open }).home).toBe(path.join(open, '.local/share/tributary'));
  });

  test.runIf(asRoot)(
    'as root under a closed home the data goes to a system folder, and the note says so',
    () => {
      const closed = path.join(folder, 'closed');
      fs.mkdirSync(closed, { mode: 0o700 });
      const choice = chooseHome({ userHome: closed, systemFolder: path.join(folder, 'system') });
      expect(choice.home).toBe(path.join(folder, 'system'));
      expect(choice.note).toContain('cannot be entered');
      const nowhere = chooseHome({ userHome: closed, systemFolder: path.join(closed, 'system') });
      expect(nowhere.home).toBe(path.join(os.tmpdir(), 'tributary-0'));
    },
  );

  test.runIf(asRoot)('as root a folder under a closed one, or of somebody else, is refused', async () => {
    const closed = path.join(folder, 'shut');
    fs.mkdirSync(closed, { mode: 0o700 });
    await expect(startPostgres({ home: path.join(closed, 'home') })).rejects.toThrow(
      'uid 65534 cannot enter',
    );
    const foreign = path.join(folder, 'foreign');
    fs.mkdirSync(foreign);
    fs.chownSync(foreign, 65534, 65534);
    await expect(startPostgres({ home: foreign })).rejects.toThrow('belongs to uid 65534');
  });
});

function startOwner(ownedHome: string): {
  process: ChildProcess;
  line(wanted: string | RegExp): Promise<string>;
} {
  const child = spawn(process.execPath, [OWNER, ownedHome], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const line = (wanted: string | RegExp) =>
    vi.waitFor(
      () => {
        const found = said
          .split('\n')
          .find((text) => (typeof wanted === 'string' ? text.startsWith(wanted) : wanted.test(text)));
        if (found === undefined) throw new Error(`the owner said only: ${said}`);
        return found;
      },
      { timeout: 15_000, interval: 20 },
    );
  return { process: child, line };
}

async function holdPort(): Promise<{ port: number; free(): Promise<void> }> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  return { port, free: () => new Promise((resolve) => server.close(() => resolve())) };
}

async function killAndWait(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

function pidFile(ofHome: string): string {
  return path.join(ofHome, 'cluster/data/postmaster.pid');
}
function postmasterPid(): number {
  return Number(fs.readFileSync(pidFile(home), 'utf8').split('\n')[0]);
}
async function waitUntilGone(ofHome: string): Promise<void> {
  await vi.waitFor(() => expect(fs.existsSync(pidFile(ofHome))).toBe(false), {
    timeout: 10_000,
    interval: 20,
  });
}
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
