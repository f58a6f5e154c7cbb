import { CardViewSchema, type ReadyCardView } from '../../src/attribution/card-view.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { type Database, openDatabase } from '../../src/platform/db/client.ts';
import { createLog } from '../../src/platform/log.ts';
import { startTributary } from '../../src/start.ts';
import type { LoggedCall } from '../sandbox/hubspot/call-log.ts';
import { cardFetch } from '../sandbox/hubspot/card-proxy.ts';
import { createHubSpotSandbox, type HubSpotSandbox } from '../sandbox/hubspot/sandbox.ts';
import { startSandboxServer } from '../sandbox/hubspot/server.ts';
import { installSubscriptions } from '../sandbox/hubspot/subscriptions.ts';
import { seedCompany } from '../sandbox/hubspot/world.ts';
import { type Figure, median, percentile, toFigure } from './figures.ts';
import type { Ground } from './ground.ts';
import { createPortalTenant, type Send } from './portal-line.ts';
import { APP_ID, benchConfig, CLIENT_SECRET, PORTAL, PUBLIC_URL } from './settings.ts';

const RUNS = 5;
const CHANGES_PER_RUN = 12;
const LATENCY_MS = 20;
/** Between two changes the call budgets fill up again: a change meets an idle system. */
const REST_MS = 1_200;
const GIVE_UP_MS = 30_000;
/** Looking costs the same two processors that are looked at. */
const LOOK_EVERY_MS = 15;

/**
 * From our receipt of a webhook to the moment the card shows the new amounts as written to the CRM; HubSpot answers after
 * 20 ms. The floor: the calls that had to wait for one another, at 20 ms each.
 */
export async function benchWebhookToCard(ground: Ground): Promise<readonly Figure[]> {
  const line = await openLine(ground);
  try {
    const dealIds = await line.findWrittenDeals(RUNS * CHANGES_PER_RUN);
    ground.note(`webhook-to-card: ${dealIds.length} deals to change`);
    const samples: { readonly run: number; readonly ms: number; readonly floorMs: number }[] = [];
    for (const [at, dealId] of dealIds.entries()) {
      await systemClock.sleep(REST_MS);
      samples.push({ run: at % RUNS, ...(await line.change(dealId, 200_000 + at)) });
    }
    const floor = median(samples.map((sample) => sample.floorMs));
    const runs = [...Map.groupBy(samples, (sample) => sample.run).values()];
    const over = (rank: number) =>
      median(
        runs.map((run) =>
          percentile(
            run.map((one) => one.ms),
            rank,
          ),
        ),
      );
    return [
      toFigure('webhook-to-card', 'ms', over(95), floor),
      toFigure('webhook-to-card-p50', 'ms', over(50), floor),
    ];
  } finally {
    await line.close();
  }
}

/** A process of ours with its supervised worker, and a portal of a believable company, installed, read and written back. */
async function openLine(ground: Ground) {
  const database = await ground.createDatabase();
  const received = { at: 0 };
  let port = 0;
  const send: Send = (request) => {
    const { pathname, search } = new URL(request.url);
    const target = new Request(`http://127.0.0.1:${port}${pathname}${search}`, request);
    return fetch(target, { redirect: 'manual' });
  };
  const sandbox = createHubSpotSandbox({
    clock: systemClock,
    clientId: 'client-id',
    clientSecret: CLIENT_SECRET,
    appId: APP_ID,
    redirectUrls: [`${PUBLIC_URL}/oauth/hubspot/callback`],
    webhooks: {
      targetUrl: `${PUBLIC_URL}/webhooks/hubspot`,
      subscriptions: installSubscriptions(),
      fetch: (request) => {
        received.at = performance.now();
        return send(request);
      },
    },
    portals: [{ portalId: PORTAL, edition: 'enterprise' }],
  });
  seedCompany(sandbox, PORTAL, { deals: 300, partners: 20, activities: 1_200 });
  const server = await startSandboxServer({ port: 0, sandbox });
  const config = benchConfig({
    DATABASE_URL: database.appUrl,
    DATABASE_OWNER_URL: database.ownerUrl,
    HUBSPOT_API_URL: server.url,
    HUBSPOT_APP_URL: server.url,
  });
  const log = createLog('warn', (_level, message, fields) =>
    ground.note(`${message} ${JSON.stringify(fields)}`),
  );
  const tributary = await startTributary({ config: { ...config, port: 0 }, clock: systemClock, log });
  port = tributary.port;
  const db = openDatabase(database.appUrl, 2);
  const close = async () => {
    await tributary.stop();
    await server.close();
    await db.close();
  };
  try {
    const tenant = await createPortalTenant({ db, clock: systemClock, sandbox, send });
    await tenant.install();
    await waitUntilIdle(db);
    await tenant.acceptAllSuggestions();
    await waitUntilIdle(db);
  } catch (error) {
    await close();
    throw error;
  }
  sandbox.knobs.latencyMs = LATENCY_MS;
  return {
    close,
    findWrittenDeals: (count: number) => findWrittenDeals(sandbox, send, count),
    change: (dealId: string, amount: number) => change(sandbox, send, received, dealId, amount),
  };
}

/** Nothing due, nothing in hand, in any lane. */
async function waitUntilIdle(db: Database): Promise<void> {
  for (let triesLeft = 1_200; triesLeft > 0; triesLeft -= 1) {
    const at = systemClock.now().toISOString();
    const lanes = await db.doors<{ ready: string }[]>`select ready from ops.work_figures(${at}::timestamptz)`;
    if (lanes.every((lane) => Number(lane.ready) === 0)) return;
    await systemClock.sleep(100);
  }
  throw new Error('the line was still busy after two minutes');
}

/** The deal's card as HubSpot's proxy gives it. */
async function readCard(sandbox: HubSpotSandbox, send: Send, dealId: string): Promise<ReadyCardView | null> {
  const rep = { portalId: PORTAL, userId: 1, userEmail: 'rep@example.com' };
  const response = await cardFetch(sandbox, rep, { url: `${PUBLIC_URL}/cards/deal?dealId=${dealId}` }, send);
  const card = CardViewSchema.safeParse(await response.json());
  return card.data?.status === 'ready' ? card.data : null;
}

/** Deals with an amount and with credits that stand in the portal. */
async function findWrittenDeals(
  sandbox: HubSpotSandbox,
  send: Send,
  count: number,
): Promise<readonly string[]> {
  const found: string[] = [];
  const deals = sandbox.portal(PORTAL).tables.get('0-3');
  for (const { id: dealId, archivedAtMs } of deals?.rows.values() ?? []) {
    if (archivedAtMs !== null) continue;
    const card = await readCard(sandbox, send, dealId);
    const record = card?.models.find((model) => model.name === card.modelOfRecord);
    const paid = record?.credits.some((credit) => credit.money !== null && credit.money.amountMinor !== '0');
    if (card?.writeBack.status === 'written' && paid) found.push(dealId);
    if (found.length === count) return found;
  }
  throw new Error(`only ${found.length} deals of the portal are written back`);
}

/** Edits the amount as a rep does, and watches the card. */
async function change(
  sandbox: HubSpotSandbox,
  send: Send,
  received: { readonly at: number },
  dealId: string,
  amount: number,
): Promise<{ readonly ms: number; readonly floorMs: number }> {
  const before = sandbox.log.calls.length;
  const startedAt = performance.now();
  sandbox.control.updateDeal(PORTAL, dealId, { amount: String(amount) });
  for (;;) {
    await systemClock.sleep(LOOK_EVERY_MS);
    const card = await readCard(sandbox, send, dealId);
    const seenAt = performance.now();
    if (seenAt - startedAt > GIVE_UP_MS) throw new Error(`deal ${dealId}: no new card within 30 s`);
    if (card?.writeBack.status !== 'written' || !shows(card, amount)) continue;
    const floorMs = LATENCY_MS * countSequential(sandbox.log.calls.slice(before));
    return { ms: seenAt - received.at, floorMs };
  }
}

function shows({ deal: { money } }: ReadyCardView, amount: number): boolean {
  return money !== null && money.amountMinor === `${amount}${'0'.repeat(money.exponent)}`;
}

/** Calls of the longest chain in which each began after the one before had ended. The log has the ends. */
function countSequential(calls: readonly LoggedCall[]): number {
  let count = 0;
  let freeAtMs = Number.NEGATIVE_INFINITY;
  for (const endMs of calls.map((call) => Date.parse(call.at)).sort((a, b) => a - b)) {
    if (endMs - LATENCY_MS < freeAtMs) continue;
    count += 1;
    freeAtMs = endMs;
  }
  return count;
}
