import type { AddressInfo } from 'node:net';
import { type HttpBindings, serve } from '@hono/node-server';
import { runOnce } from 'graphile-worker';
import { Pool } from 'pg';
import postgres from 'postgres';
import { composeTributary, type Tributary } from '../../src/compose.ts';
import { parseConfig } from '../../src/platform/config.ts';
import { newMasterKey } from '../../src/platform/crypto.ts';
import { type Database, openDatabase } from '../../src/platform/db/client.ts';
import { type Job, toTaskList } from '../../src/platform/jobs/define-job.ts';
import { graphileLog } from '../../src/platform/jobs/graphile-log.ts';
import { memoryLog } from '../../src/platform/log.ts';
import { createMetrics } from '../../src/platform/metrics-node.ts';
import { RESET_HEADER } from '../sandbox/hubspot/guard.ts';
import type { Knobs, PortalOptions } from '../sandbox/hubspot/options.ts';
import { createHubSpotSandbox, type HubSpotSandbox } from '../sandbox/hubspot/sandbox.ts';
import { installSubscriptions } from '../sandbox/hubspot/subscriptions.ts';
import { createVirtualClock, type VirtualClock } from '../sandbox/virtual-clock.ts';
import { createTestDatabase } from '../setup/database.ts';
import { addTenant, type Tenant } from './tenant.ts';

export const START = new Date('2026-11-20T10:00:00.000Z');
export const PORTAL = 1_000_001;
export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
const PUBLIC_URL = 'https://tributary.example';
/** More rounds than any honest piece of work takes: past it something goes round in circles. */
const MAX_ROUNDS = 200;

/** A whole Tributary on real PostgreSQL, facing a sandbox portal over real HTTP, in virtual time, worked by hand. */
export interface Line extends Tributary {
  readonly publicUrl: string;
  readonly db: Database;
  readonly clock: VirtualClock;
  readonly sandbox: HubSpotSandbox;
  readonly log: ReturnType<typeof memoryLog>;
  /** As superuser, past row security: for looking behind the scenes, and for breaking things. */
  readonly sql: postgres.Sql;
  readonly ownerUrl: string;
  readonly appUrl: string;
  /** Works off everything that is due now, with the real queue; nothing is left ready afterwards. `jobs`: others than the app's. */
  drain(jobs?: readonly Job[], concurrency?: number): Promise<void>;
  /** Delivers the portal's webhooks that are due, then drains, until neither has anything left. */
  settle(): Promise<void>;
  /** Time goes by in `steps` equal steps, everything due worked off after each. */
  pass(ms: number, steps?: number): Promise<void>;
  /** The process dies with everything it holds open; another one is composed on the same database, or on that URL. */
  restart(databaseUrl?: string): Promise<void>;
  /** Told before the sandbox answers a call; for what must happen in the middle of things. */
  beforeCall: ((path: string) => void | Promise<void>) | null;
  addTenant(options?: { readonly portalId?: number; readonly timeZone?: string }): Promise<Tenant>;
  close(): Promise<void>;
}

export async function openLine(
  options: {
    readonly knobs?: Partial<Knobs>;
    readonly portals?: readonly PortalOptions[];
    readonly env?: Record<string, string>;
  } = {},
): Promise<Line> {
  const clock = createVirtualClock(START, { autoAdvance: true });
  const database = await createTestDatabase();
  const sandbox = createHubSpotSandbox({
    clock,
    clientId: 'client-id',
    clientSecret: 'client-secret',
    redirectUrls: [`${PUBLIC_URL}/oauth/hubspot/callback`],
    webhooks: {
      targetUrl: `${PUBLIC_URL}/webhooks/hubspot`,
      subscriptions: installSubscriptions(),
      fetch: (request) => clock.track(Promise.resolve(line.app.fetch(request))),
    },
    portals: options.portals ?? [{ portalId: PORTAL, edition: 'enterprise' }],
    ...(options.knobs === undefined ? {} : { knobs: options.knobs }),
  });
  const server = await serveSandbox(sandbox, (path) => line.beforeCall?.(path));
  const config = parseConfig({
    PUBLIC_URL,
    MASTER_KEYS: newMasterKey('v1'),
    HUBSPOT_CLIENT_ID: 'client-id',
    HUBSPOT_CLIENT_SECRET: 'client-secret',
    HUBSPOT_APP_ID: String(sandbox.appId),
    HUBSPOT_API_URL: server.url,
    HUBSPOT_APP_URL: server.url,
    ...options.env,
  });
  const log = memoryLog();
  const compose = (databaseUrl = database.appUrl) => {
    const db = openDatabase(databaseUrl, 6);
    return {
      db,
      ...composeTributary({ config, db, clock, log, metrics: createMetrics(), readiness: [] }),
    };
  };
  let process = compose();
  const workers = new Pool({ connectionString: database.ownerUrl, max: 3 });
  workers.on('error', () => {});
  workers.on('connect', (client) => client.on('error', () => {}));
  const sql = postgres(database.superuserUrl, { max: 2, onnotice: () => {} });
  const line: Line = {
    publicUrl: PUBLIC_URL,
    get db() {
      return process.db;
    },
    get app() {
      return process.app;
    },
    get jobs() {
      return process.jobs;
    },
    clock,
    sandbox,
    log,
    sql,
    ownerUrl: database.ownerUrl,
    appUrl: database.appUrl,
    beforeCall: null,
    drain: (jobs, concurrency) => drain(line, workers, jobs, concurrency),
    settle: async () => {
      do {
        await sandbox.flushWebhooks();
        await drain(line, workers);
      } while ((await sandbox.flushWebhooks()).length > 0);
      await drain(line, workers);
    },
    pass: async (ms, steps = 1) => {
      for (let step = 0; step < steps; step++) {
        await clock.advance(ms / steps);
        await line.settle();
      }
    },
    restart: async (databaseUrl) => {
      await process.db.close().catch(() => undefined);
      // Half a minute of the database's own time passes: nobody renews what the dead process held.
      await sql`update work set lease_until = now() - interval '1 second' where lease_until is not null`;
      process = compose(databaseUrl);
    },
    addTenant: (tenant = {}) => addTenant(line, { portalId: PORTAL, ...tenant }),
    close: async () => {
      await server.close();
      await workers.end();
      await sql.end();
      await process.db.close();
      await database.drop();
    },
  };
  return line;
}

async function drain(line: Line, pgPool: Pool, jobs?: readonly Job[], concurrency = 2): Promise<void> {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    await runOnce({
      pgPool,
      concurrency,
      noHandleSignals: true,
      taskList: toTaskList(jobs ?? line.jobs),
      logger: graphileLog(line.log),
    });
    const [row] = await line.sql<
      { woken: number }[]
    >`select ops.wake_due_work(${line.clock.now().toISOString()}::timestamptz) as woken`;
    if ((row?.woken ?? 0) === 0) return;
  }
  const left =
    await line.sql`select lane, object, attempts, reason from work where run_at <= ${line.clock.now()} limit 5`;
  throw new Error(`work does not come to rest: ${JSON.stringify(left)}`);
}

/** Behind a real port, without deliveries by themselves: a test says when HubSpot's webhooks arrive. */
async function serveSandbox(
  sandbox: HubSpotSandbox,
  beforeCall: (path: string) => void | Promise<void> | undefined,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const fetch = async (request: Request, env: HttpBindings): Promise<Response> => {
    await beforeCall(new URL(request.url).pathname);
    const response = await sandbox.app.fetch(request);
    if (response.headers.has(RESET_HEADER)) env.incoming.socket.destroy();
    return response;
  };
  const server = serve({ fetch: fetch as never, port: 0, hostname: '127.0.0.1' });
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', reject);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        if ('closeAllConnections' in server) server.closeAllConnections();
      }),
  };
}
