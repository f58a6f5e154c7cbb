import { runOnce } from 'graphile-worker';
import { Pool } from 'pg';
import { composeTributary, type Tributary } from '../../src/compose.ts';
import { createApiKey } from '../../src/identity/api-key-store.ts';
import { createInstallLink } from '../../src/identity/install-link-store.ts';
import { createOrganization } from '../../src/identity/store.ts';
import type { Clock } from '../../src/platform/clock.ts';
import { parseConfig } from '../../src/platform/config.ts';
import { newMasterKey } from '../../src/platform/crypto.ts';
import { type Database, openDatabase, withOrganization } from '../../src/platform/db/client.ts';
import { toTaskList } from '../../src/platform/jobs/define-job.ts';
import { memoryLog } from '../../src/platform/log.ts';
import { createMetrics } from '../../src/platform/metrics-node.ts';
import { cardFetch } from '../sandbox/hubspot/card-proxy.ts';
import type { Knobs, PortalOptions } from '../sandbox/hubspot/options.ts';
import { createHubSpotSandbox, type HubSpotSandbox } from '../sandbox/hubspot/sandbox.ts';
import { startSandboxServer } from '../sandbox/hubspot/server.ts';
import { installSubscriptions } from '../sandbox/hubspot/subscriptions.ts';
import { createVirtualClock, type VirtualClock } from '../sandbox/virtual-clock.ts';
import { createTestDatabase } from '../setup/database.ts';

export const START = new Date('2026-11-20T10:00:00.000Z');
export const PORTAL = 1_000_001;
const PUBLIC_URL = 'https://tributary.example';
const OPERATOR = { kind: 'operator', id: 'test' } as const;

/** A whole Tributary on real PostgreSQL, facing a sandbox portal over real HTTP, in virtual time, worked by hand. */
export interface Line extends Tributary {
  readonly db: Database;
  readonly clock: VirtualClock;
  readonly sandbox: HubSpotSandbox;
  readonly log: ReturnType<typeof memoryLog>;
  readonly ownerUrl: string;
  readonly appUrl: string;
  readonly superuserUrl: string;
  /** Works off everything that is due now, with the real queue; nothing is left ready afterwards. */
  drain(): Promise<void>;
  /** Delivers the portal's webhooks that are due, then drains. */
  settle(): Promise<void>;
  addTenant(options?: { readonly portalId?: number; readonly timeZone?: string }): Promise<Tenant>;
  close(): Promise<void>;
}
export interface Tenant {
  readonly organizationId: string;
  readonly apiKey: string;
  /** Through the real OAuth round trip, as a browser would. */
  install(): Promise<Response>;
  connectionId(): Promise<string>;
  /** `/v1` with this tenant's key; parses JSON. */
  api<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ readonly status: number; readonly body: T }>;
  /** Turns every suggested company into a partner. */
  acceptAllSuggestions(type?: string): Promise<number>;
  /** The card as HubSpot's proxy gives it. */
  card(dealId: string): Promise<Record<string, unknown>>;
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
  let app: Tributary['app'] | undefined;
  const sandbox = createHubSpotSandbox({
    clock,
    clientId: 'client-id',
    clientSecret: 'client-secret',
    redirectUrls: [`${PUBLIC_URL}/oauth/hubspot/callback`],
    webhooks: {
      targetUrl: `${PUBLIC_URL}/webhooks/hubspot`,
      subscriptions: installSubscriptions(),
      fetch: async (request) => (await app?.fetch(request)) ?? new Response(null, { status: 503 }),
    },
    portals: options.portals ?? [{ portalId: PORTAL, edition: 'enterprise' }],
    ...(options.knobs === undefined ? {} : { knobs: options.knobs }),
  });
  const server = await startSandboxServer({ port: 0, sandbox });
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
  const db = openDatabase(database.appUrl, 6);
  const log = memoryLog();
  const tributary = composeTributary({ config, db, clock, log, metrics: createMetrics(), readiness: [] });
  app = tributary.app;
  const pool = new Pool({ connectionString: database.ownerUrl, max: 3 });
  const line: Omit<Line, 'addTenant'> = {
    ...tributary,
    db,
    clock,
    sandbox,
    log,
    ownerUrl: database.ownerUrl,
    appUrl: database.appUrl,
    superuserUrl: database.superuserUrl,
    drain: () => drain(tributary, pool, db, clock),
    settle: async () => {
      await sandbox.flushWebhooks();
      await drain(tributary, pool, db, clock);
    },
    close: async () => {
      await server.close();
      await pool.end();
      await db.close();
      await database.drop();
    },
  };
  return { ...line, addTenant: (tenant = {}) => addTenant(line, tenant) };
}

async function drain(tributary: Tributary, pool: Pool, db: Database, clock: Clock): Promise<void> {
  for (;;) {
    await runOnce({
      pgPool: pool,
      concurrency: 2,
      noHandleSignals: true,
      taskList: toTaskList(tributary.jobs),
    });
    const [row] = await db.doors<
      { woken: number }[]
    >`select ops.wake_due_work(${clock.now().toISOString()}::timestamptz) as woken`;
    if ((row?.woken ?? 0) === 0) return;
  }
}

async function addTenant(
  { db, app, clock, sandbox }: Omit<Line, 'addTenant'>,
  options: { readonly portalId?: number; readonly timeZone?: string },
): Promise<Tenant> {
  const portalId = options.portalId ?? PORTAL;
  const by = { actor: OPERATOR, now: clock.now() };
  const organization = await createOrganization(
    db,
    { name: `Tenant of ${portalId}`, timeZone: options.timeZone ?? 'America/New_York' },
    by,
  );
  const { organizationId } = organization;
  const key = await withOrganization(db, organizationId, (tx) =>
    createApiKey(tx, { organizationId, name: 'test', scopes: ['admin'], expiresAt: null }, by),
  );
  const api: Tenant['api'] = async (method, path, body) => {
    const response = await app.request(`${PUBLIC_URL}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key.text}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as never };
  };
  const connectionId = async () => {
    const { body } = await api<{ connections: { id: string }[] }>('GET', '/v1/connections');
    const [first] = body.connections;
    if (first === undefined) throw new Error('not connected');
    return first.id;
  };
  return {
    organizationId,
    apiKey: key.text,
    api,
    connectionId,
    install: async () => {
      const link = await withOrganization(db, organizationId, (tx) =>
        createInstallLink(tx, { organizationId, provider: 'hubspot' }, { actor: OPERATOR, now: clock.now() }),
      );
      return walkThroughInstall(app, sandbox, link.token, portalId);
    },
    acceptAllSuggestions: async (type = 'referral') => {
      const id = await connectionId();
      const { body } = await api<{ suggestions: { accountExternalId: string }[] }>(
        'GET',
        '/v1/partner-suggestions?limit=200',
      );
      const accepted = body.suggestions.map(({ accountExternalId }) => ({
        connectionId: id,
        accountExternalId,
        type,
      }));
      await api('POST', '/v1/partner-suggestions/accept', accepted);
      return accepted.length;
    },
    card: async (dealId) => {
      const response = await cardFetch(
        sandbox,
        { portalId, userId: 1, userEmail: 'rep@example.com' },
        { url: `${PUBLIC_URL}/cards/deal?dealId=${dealId}` },
        async (request) => app.fetch(request),
      );
      return (await response.json()) as Record<string, unknown>;
    },
  };
}

/** What a person and their browser do: open the link, press the button, consent, come back. */
async function walkThroughInstall(
  app: Tributary['app'],
  sandbox: HubSpotSandbox,
  token: string,
  portalId: number,
): Promise<Response> {
  const pressed = await app.request(`${PUBLIC_URL}/install/${token}`, { method: 'POST' });
  const cookie = pressed.headers.get('set-cookie')?.split(';')[0] ?? '';
  const consent = new URL(pressed.headers.get('location') ?? '');
  const form = new URLSearchParams(consent.searchParams);
  form.set('portalId', String(portalId));
  form.set('decision', 'approve');
  const approved = await sandbox.app.request(`${consent.origin}${consent.pathname}`, {
    method: 'POST',
    body: form,
  });
  return app.request(approved.headers.get('location') ?? '', { headers: { cookie } });
}
