import fs from 'node:fs';
import os from 'node:os';
import { Hono } from 'hono';
import postgres from 'postgres';
import { composeTributary } from '../../src/compose.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { openDatabase } from '../../src/platform/db/client.ts';
import { serveHttp } from '../../src/platform/http/node.ts';
import { createNodeLog } from '../../src/platform/log-node.ts';
import { createMetrics } from '../../src/platform/metrics-node.ts';
import { alternate, type Figure, percentile, toFigure } from './figures.ts';
import type { BenchDatabase, Ground } from './ground.ts';
import { type LoadResult, sendLoad } from './load.ts';
import { benchConfig, CLIENT_SECRET, PORTAL, PUBLIC_URL } from './settings.ts';

const EVENTS_PER_REQUEST = 100;
const RUNS = 7;
/** As many requests at once as HubSpot sends unless the app's settings say otherwise. */
const HUBSPOT_CONCURRENCY = 10;

/** p99 from request to answer, durable before the answer, against a handler that does no more than parse and insert. */
export async function benchWebhookAck(ground: Ground): Promise<readonly Figure[]> {
  const p99 = (result: LoadResult) => percentile(result.latenciesMs, 99);
  return compare(ground, 'webhook-ack', 'ms', { requests: 400, concurrency: HUBSPOT_CONCURRENCY }, p99);
}

/** Requests a second at 32 at once, against the same handler. */
export async function benchWebhookAckRate(ground: Ground): Promise<readonly Figure[]> {
  const rate = (result: LoadResult) => result.perSecond;
  return compare(ground, 'webhook-ack-rate', 'req/s', { requests: 600, concurrency: 32 }, rate);
}

async function compare(
  ground: Ground,
  name: string,
  unit: string,
  size: { readonly requests: number; readonly concurrency: number },
  read: (result: LoadResult) => number,
): Promise<readonly Figure[]> {
  const database = await ground.createDatabase();
  const ours = await serveOurs(database);
  const bare = await serveBare(database);
  let firstEvent = 1;
  const send = async (port: number, path: string, requests: number): Promise<number> => {
    const spec = { ...size, requests, port, path, firstEvent, eventsPerRequest: EVENTS_PER_REQUEST };
    firstEvent += requests * EVENTS_PER_REQUEST;
    const result = await sendLoad({
      ...spec,
      portalId: PORTAL,
      timestampMs: Date.now(),
      signedUrl: `${PUBLIC_URL}/webhooks/hubspot`,
      clientSecret: CLIENT_SECRET,
    });
    return read(result);
  };
  try {
    const sendOurs = (requests: number) => send(ours.port, '/webhooks/hubspot', requests);
    const sendBare = (requests: number) => send(bare.port, '/bare', requests);
    await sendOurs(150);
    await sendBare(150);
    const { value, floor } = await alternate(
      RUNS,
      () => sendOurs(size.requests),
      () => sendBare(size.requests),
    );
    return [toFigure(name, unit, value, floor)];
  } finally {
    await ours.close();
    await bare.close();
  }
}

/** The whole app with its log as in production, the log's lines going nowhere. */
async function serveOurs({ appUrl }: BenchDatabase) {
  const db = openDatabase(appUrl);
  const nowhere = fs.createWriteStream(os.devNull);
  const log = createNodeLog({ level: 'info', destination: nowhere });
  const { app } = composeTributary({
    config: benchConfig(),
    db,
    clock: systemClock,
    log,
    metrics: createMetrics(),
    readiness: [],
  });
  const server = await serveHttp(app, { port: 0, host: '127.0.0.1' });
  return {
    port: server.port,
    close: async () => {
      await server.close();
      await db.close();
      nowhere.end();
    },
  };
}

interface BareEvent {
  readonly portalId: number;
  readonly eventId: number;
  readonly subscriptionType: string;
  readonly objectId: number;
  readonly occurredAt: number;
}

/** What is left when nobody verifies, deduplicates, wakes a worker or batches: parse, one INSERT of all rows, answer. */
async function serveBare({ appUrl, ownerUrl }: BenchDatabase) {
  const owner = postgres(ownerUrl, { max: 1 });
  await owner`create table bare_events (id bigint generated always as identity primary key, portal_id bigint not null,
    event_id bigint not null, subscription_type text not null, object_id bigint not null, occurred_at timestamptz not null)`;
  await owner`grant insert on bare_events to tributary_app`;
  await owner.end();
  const sql = postgres(appUrl, { max: 10 });
  const app = new Hono();
  app.post('/bare', async (context) => {
    const events = JSON.parse(await context.req.text()) as readonly BareEvent[];
    const rows = events.map((event) => ({
      portal_id: event.portalId,
      event_id: event.eventId,
      subscription_type: event.subscriptionType,
      object_id: event.objectId,
      occurred_at: new Date(event.occurredAt),
    }));
    await sql`insert into bare_events ${sql(rows)}`;
    return context.body(null, 204);
  });
  const server = await serveHttp(app, { port: 0, host: '127.0.0.1' });
  return {
    port: server.port,
    close: async () => {
      await server.close();
      await sql.end();
    },
  };
}
