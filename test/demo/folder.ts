import fs from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import type { Environment } from '../../src/platform/config.ts';
import { newMasterKey } from '../../src/platform/crypto.ts';
import { chooseHome } from '../../src/platform/embedded-postgres/home.ts';
import { startPostgres } from '../../src/platform/embedded-postgres.ts';
import type { DemoOptions } from './options.ts';

const Token = z.object({
  token: z.string(),
  portalId: z.number(),
  userId: z.number(),
  scopes: z.array(z.string()),
  revoked: z.boolean(),
});
const Memory = z.object({
  /** Which world it is; another one starts afresh. */
  fingerprint: z.string(),
  /** The instant the world is seeded for: the same one gives the same ids and dates again. */
  seededAt: z.iso.datetime(),
  masterKeys: z.string(),
  tenant: z.object({ organizationId: z.string(), apiKey: z.string() }).nullable(),
  /** Grants that the sandbox gave out: a real HubSpot would still know them after our end. */
  tokens: z
    .object({
      access: z.array(Token.extend({ expiresAtMs: z.number() })),
      refresh: z.array(Token),
    })
    .nullable(),
  /** Calls made while reading, by all runs that took part. */
  reads: z.number(),
  /** From `writing` on the sandbox held rows of ours, which it forgot with the process. */
  phase: z.enum(['reading', 'writing', 'ended']),
});
export type Memory = z.infer<typeof Memory>;

export interface DemoFolder {
  /** Of the embedded PostgreSQL. */
  readonly databaseHome: string;
  readonly logFile: string;
  /** What an earlier run left to go on with; null = start afresh. */
  readonly memory: Memory;
  readonly resumed: boolean;
  /** A sentence for the screen on what was found and what is done about it. */
  readonly note: string;
  save(changes: Partial<Memory>): void;
}

const VERSION = 2;

/**
 * Opens the demo's own folder, `$XDG_DATA_HOME/tributary-demo` or the like (`DATA_DIR` names its parent), never the
 * one of a real Tributary. A run that ended while it read the CRM is taken up again; anything else starts afresh.
 * @throws with a sentence when another demo runs on it.
 */
export async function openFolder(env: Environment, options: DemoOptions): Promise<DemoFolder> {
  const home = env.DATA_DIR
    ? path.resolve(env.DATA_DIR, 'tributary-demo')
    : `${chooseHome({ xdgDataHome: env.XDG_DATA_HOME || undefined }).home}-demo`;
  const databaseHome = path.join(home, 'database');
  const file = path.join(home, 'demo.json');
  const { seed, deals, partners, activities } = options;
  const fingerprint = JSON.stringify({ version: VERSION, seed, deals, partners, activities });
  const found = readMemory(file);
  const resumed = found !== null && found.fingerprint === fingerprint && found.phase === 'reading';
  const logFile = path.join(home, 'tributary.log');
  if (!resumed) {
    await clear(databaseHome);
    fs.rmSync(logFile, { force: true });
  }
  let memory: Memory = resumed
    ? found
    : {
        fingerprint,
        seededAt: new Date().toISOString(),
        masterKeys: newMasterKey('v1'),
        tenant: null,
        tokens: null,
        reads: 0,
        phase: 'reading',
      };
  const save = (changes: Partial<Memory>) => {
    memory = { ...memory, ...changes };
    fs.mkdirSync(home, { recursive: true, mode: 0o711 });
    fs.writeFileSync(`${file}.new`, JSON.stringify(memory), { mode: 0o600 });
    fs.renameSync(`${file}.new`, file);
  };
  save({});
  return {
    databaseHome,
    logFile,
    get memory() {
      return memory;
    },
    resumed,
    note: say(found, resumed, fingerprint),
    save,
  };
}

function say(found: Memory | null, resumed: boolean, fingerprint: string): string {
  if (resumed) return 'The run before this one ended while it read the CRM: going on where it stopped.';
  if (found === null) return 'Starting afresh.';
  if (found.fingerprint !== fingerprint) return 'The run before this one had another world: starting afresh.';
  return found.phase === 'ended'
    ? 'The run before this one told its story to the end: starting afresh.'
    : 'The run before this one ended while it wrote to the sandbox, which forgets with its process: starting afresh.';
}

function readMemory(file: string): Memory | null {
  try {
    return Memory.parse(JSON.parse(fs.readFileSync(file, 'utf8')));
  } catch {
    return null;
  }
}

/** Starting the server first refuses with a sentence when another demo runs on it, and waits for one that is ending. */
async function clear(databaseHome: string): Promise<void> {
  if (!fs.existsSync(databaseHome)) return;
  const server = await startPostgres({ home: databaseHome });
  await server.stop();
  fs.rmSync(databaseHome, { recursive: true, force: true });
}
