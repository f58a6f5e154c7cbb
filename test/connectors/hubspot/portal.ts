import { createHash } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import type { Connector, ConnectorContext, TokenSet } from '../../../connectors/connector.ts';
import type { HubSpotOptions } from '../../../connectors/hubspot/connector.ts';
import { createHubSpotConnector } from '../../../connectors/hubspot/connector.ts';
import { createHubSpotOAuth } from '../../../connectors/hubspot/oauth.ts';
import type { Knobs, PortalOptions, WebhookOptions } from '../../sandbox/hubspot/options.ts';
import type { HubSpotSandbox } from '../../sandbox/hubspot/sandbox.ts';
import { createHubSpotSandbox } from '../../sandbox/hubspot/sandbox.ts';
import type { Recorded } from './context.ts';
import { newContext } from './context.ts';

export const PORTAL_ID = 1_000_001;
export const APP = { clientId: 'client', clientSecret: 'secret', redirectUrl: 'http://localhost/callback' };

export interface TestPortal {
  readonly sandbox: HubSpotSandbox;
  readonly ctx: ConnectorContext;
  readonly recorded: Recorded;
  /** A connector that knows the account's facts and schema, as the worker would make it now. */
  connect(over?: Partial<ConnectorContext>, options?: HubSpotOptions): Promise<Connector>;
  close(): Promise<void>;
}

/** A sandbox portal behind a real port, installed through the real OAuth flow. Time is virtual and shared. */
export async function startPortal(
  options: {
    readonly portal?: Partial<PortalOptions>;
    readonly knobs?: Partial<Knobs>;
    readonly webhooks?: WebhookOptions;
    /** Time that jumps over every sleep, unless a clock is given. */
    readonly clock?: ConnectorContext['clock'];
  } = {},
): Promise<TestPortal> {
  const { ctx: made, recorded } = newContext();
  const base = { ...made, clock: options.clock ?? made.clock };
  const sandbox = createHubSpotSandbox({
    clock: base.clock,
    clientId: APP.clientId,
    clientSecret: APP.clientSecret,
    redirectUrls: [APP.redirectUrl],
    ...(options.webhooks ? { webhooks: options.webhooks } : {}),
    portals: [
      {
        portalId: PORTAL_ID,
        edition: 'enterprise',
        homeCurrency: 'EUR',
        additionalCurrencies: ['USD', 'JPY'],
        timeZone: 'Europe/Berlin',
        ...options.portal,
      },
    ],
    knobs: { indexLagMs: { min: 0, max: 0 }, ...options.knobs },
  });
  const server = serve({ fetch: sandbox.app.fetch, port: 0 });
  await new Promise<void>((resolve) => server.once('listening', resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  let tokens = await install(baseUrl, base.clock.now());
  const oauth = createHubSpotOAuth({ apiUrl: baseUrl, appUrl: baseUrl });
  const ctx: ConnectorContext = {
    ...base,
    baseUrl,
    token: async ({ refused } = {}) => {
      if (refused === tokens.accessToken)
        tokens = await oauth.refresh(APP, tokens.refreshToken, base.clock.now());
      return tokens.accessToken;
    },
  };
  const signal = new AbortController().signal;
  return {
    sandbox,
    ctx,
    recorded,
    connect: async (over = {}, connectorOptions = {}) => {
      const bare = createHubSpotConnector(ctx, connectorOptions);
      const facts = over.facts ?? (await bare.describeAccount(signal));
      return createHubSpotConnector({ ...ctx, ...over, facts }, { indexLagMs: 0, ...connectorOptions });
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** Through the consent page, as a browser would. */
async function install(baseUrl: string, now: Date): Promise<TokenSet> {
  const oauth = createHubSpotOAuth({ apiUrl: baseUrl, appUrl: baseUrl });
  const verifier = 'v'.repeat(43);
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const consent = new URL(oauth.authorizeUrl(APP, 'state', challenge));
  const shown = await fetch(consent);
  if (!shown.ok) throw new Error(`The consent page answers ${shown.status}: ${await shown.text()}`);
  const form = new URLSearchParams([...consent.searchParams, ['decision', 'approve']]);
  const decided = await fetch(`${baseUrl}/oauth/authorize`, {
    method: 'POST',
    body: form,
    redirect: 'manual',
  });
  const code = new URL(decided.headers.get('location') ?? '').searchParams.get('code') ?? '';
  return await oauth.exchange(APP, code, verifier, now);
}

export async function collect<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const page of pages) all.push(page);
  return all;
}
