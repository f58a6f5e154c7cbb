import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Logger, runOnce } from 'graphile-worker';
import { Pool } from 'pg';
import { composeTributary } from '../../src/compose.ts';
import { type Database, openDatabase } from '../../src/platform/db/client.ts';
import { toTaskList } from '../../src/platform/jobs/define-job.ts';
import { SUPERVISION } from '../../src/platform/jobs/supervise.ts';
import { createLog } from '../../src/platform/log.ts';
import { createMetrics } from '../../src/platform/metrics-node.ts';
import { countCalls, countReadMinimum, countWriteMinimum } from '../oracle/call-minimum.ts';
import { linksFrom } from '../sandbox/hubspot/association-store.ts';
import { createRandom } from '../sandbox/hubspot/random.ts';
import { createHubSpotSandbox, type HubSpotSandbox } from '../sandbox/hubspot/sandbox.ts';
import { createSeeding } from '../sandbox/hubspot/seeding.ts';
import { startSandboxServer } from '../sandbox/hubspot/server.ts';
import { seedBulk } from '../sandbox/hubspot/world-bulk.ts';
import { PARTNER_LABELS } from '../sandbox/hubspot/world-ground.ts';
import { createVirtualClock, type VirtualClock } from '../sandbox/virtual-clock.ts';
import { type Figure, toFigure } from './figures.ts';
import type { Ground } from './ground.ts';
import { createPortalTenant } from './portal-line.ts';
import { APP_ID, benchConfig, CLIENT_SECRET, PORTAL, PUBLIC_URL } from './settings.ts';

const START = new Date('2026-11-20T10:00:00.000Z');
const DEAL = '0-3';
const COMPANY = '0-2';

/**
 * Calls that a whole portal costs, from install to the last row written, against the fewest that HubSpot's page and batch
 * sizes allow. In virtual time, against the sandbox's real limits; counted in the sandbox's log, repeated calls included.
 */
export async function benchCalls(ground: Ground): Promise<readonly Figure[]> {
  const line = await openLine(ground);
  try {
    const { sandbox } = line;
    seedPortal(sandbox, ground.deals);
    line.note('seeded');
    const tenant = await createPortalTenant(line);
    sandbox.log.reset();
    await tenant.install();
    await line.drain();
    line.note('read');
    const read = countCalls(sandbox.log).read;
    sandbox.log.reset();
    await tenant.acceptAllSuggestions();
    await line.drain();
    line.note('written');
    // Whatever was asked of HubSpot meanwhile belongs to the write-back; only tokens do not.
    const written = sandbox.log.count() - sandbox.log.count({ operation: 'oauth.token' });
    return [
      toFigure('hubspot-backfill-calls', 'calls', read, countReadMinimum(sandbox.portal(PORTAL))),
      toFigure('hubspot-writeback-calls', 'calls', written, countWriteMinimum(countRows(sandbox))),
    ];
  } finally {
    await line.close();
  }
}

/** Every deal names a partner, so that every deal is written back; a fifth has a meeting with the partner's people. */
function seedPortal(sandbox: HubSpotSandbox, deals: number): void {
  const fifth = Math.ceil(deals / 5);
  const partners = Math.min(200, fifth);
  seedBulk(sandbox, PORTAL, { deals, partners, customers: fifth, meetings: fifth });
  const portal = sandbox.portal(PORTAL);
  const seeding = createSeeding(portal, createRandom(2), sandbox.nowMs());
  const companies = [...seeding.table('companies').rows.values()].filter(
    (row) => row.values.type === 'PARTNER',
  );
  let at = 0;
  for (const { id } of seeding.table('deals').rows.values()) {
    const company = companies[at % companies.length];
    const label = PARTNER_LABELS[at % PARTNER_LABELS.length];
    // The seeding itself gives every third deal a partner.
    if (at % 3 !== 0 && company !== undefined && label !== undefined)
      seeding.link({ type: 'deals', id }, { type: 'companies', id: company.id }, label);
    at += 1;
  }
}

/** Our rows as they stand in the portal. */
function countRows(sandbox: HubSpotSandbox): { readonly rows: number; readonly withCompany: number } {
  const portal = sandbox.portal(PORTAL);
  const ours = [...portal.tables.values()].find((table) => table.custom !== null);
  if (ours === undefined) throw new Error('nothing was written to the portal');
  const ends = (typeId: string) =>
    [...ours.rows.keys()].filter((id) => linksFrom(portal.associations, ours.typeId, typeId, id).length > 0);
  const rows = ends(DEAL).length;
  if (rows !== ours.rows.size) throw new Error(`${ours.rows.size - rows} rows stand on no deal`);
  return { rows, withCompany: ends(COMPANY).length };
}

/** The composed app on a database of its own, worked by the real queue until nothing is due, facing the sandbox over HTTP. */
async function openLine(ground: Ground) {
  const clock = createVirtualClock(START, { autoAdvance: true });
  const database = await ground.createDatabase();
  const sandbox = createHubSpotSandbox({
    clock,
    clientId: 'client-id',
    clientSecret: CLIENT_SECRET,
    appId: APP_ID,
    redirectUrls: [`${PUBLIC_URL}/oauth/hubspot/callback`],
    portals: [{ portalId: PORTAL, edition: 'enterprise' }],
    knobs: { log: 'count' },
  });
  const server = await startSandboxServer({ port: 0, sandbox });
  const db = openDatabase(database.appUrl);
  const pool = new Pool({ connectionString: database.ownerUrl, max: 6 });
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  const log = createLog('warn', (_level, message, fields) =>
    ground.note(`${message} ${JSON.stringify(fields)}`),
  );
  const config = benchConfig({ HUBSPOT_API_URL: server.url, HUBSPOT_APP_URL: server.url });
  const { app, jobs } = composeTributary({ config, db, clock, log, metrics: createMetrics(), readiness: [] });
  // The watch that a supervised worker keeps; by wall time, as there.
  const watch = [
    setInterval(() => {
      db.doors`select ops.refresh_statistics()`.catch(() => {});
    }, SUPERVISION.statisticsMs),
    setInterval(() => {
      db.doors`select ops.wake_due_work(${clock.now().toISOString()}::timestamptz)`.catch(() => {});
    }, SUPERVISION.sweepMs),
  ];
  return {
    db,
    clock,
    sandbox,
    send: async (request: Request) => app.fetch(request),
    note: remark(ground, clock),
    drain: () => drain(pool, db, clock, toTaskList(jobs)),
    close: async () => {
      for (const timer of watch) clearInterval(timer);
      await server.close();
      await pool.end();
      await db.close();
    },
  };
}

async function drain(
  pool: Pool,
  db: Database,
  clock: VirtualClock,
  taskList: ReturnType<typeof toTaskList>,
): Promise<void> {
  const logger = new Logger(() => () => {});
  for (;;) {
    await runOnce({ pgPool: pool, concurrency: 4, noHandleSignals: true, taskList, logger });
    const [row] = await db.doors<{ woken: number }[]>`
      select ops.wake_due_work(${clock.now().toISOString()}::timestamptz) as woken`;
    if ((row?.woken ?? 0) === 0) return;
  }
}

/** Says where the run is: wall and virtual time since the last remark, and the memory that is still held. */
function remark(ground: Ground, clock: VirtualClock): (step: string) => void {
  setFlagsFromString('--expose_gc');
  const collect = runInNewContext('gc') as () => void;
  let wallMs = performance.now();
  let virtualMs = clock.nowMs();
  return (step) => {
    const seconds = (since: number, now: number) => `${((now - since) / 1000).toFixed(1)} s`;
    const [wall, virtual] = [seconds(wallMs, performance.now()), seconds(virtualMs, clock.nowMs())];
    collect();
    const { heapUsed, rss } = process.memoryUsage();
    const megabytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MB`;
    ground.note(
      `hubspot-calls: ${step} in ${wall} (virtual ${virtual}); heap ${megabytes(heapUsed)}, resident ${megabytes(rss)}`,
    );
    wallMs = performance.now();
    virtualMs = clock.nowMs();
  };
}
