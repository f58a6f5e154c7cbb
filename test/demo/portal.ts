import type { Clock } from '../../src/platform/clock.ts';
import { countCalls } from '../oracle/call-minimum.ts';
import { createHubSpotSandbox, type HubSpotSandbox } from '../sandbox/hubspot/sandbox.ts';
import { type SandboxServer, startSandboxServer } from '../sandbox/hubspot/server.ts';
import { installSubscriptions } from '../sandbox/hubspot/subscriptions.ts';
import { type SeededWorld, seedCompany } from '../sandbox/hubspot/world.ts';
import type { DemoFolder } from './folder.ts';
import type { DemoOptions } from './options.ts';

export const PORTAL_ID = 1_000_001;
export const CLIENT_ID = 'demo-client';

export interface DemoPortal extends SandboxServer {
  readonly world: SeededWorld;
  /** Calls that reading took, those of a run that was taken up included. */
  reads(): number;
  /** Keeps what a real HubSpot would still know if this process were killed. */
  remember(): void;
}

/** Serves a portal filled with a believable company; a run that is taken up finds the same one, and its grants. */
export async function openPortal(spec: {
  readonly clock: Clock;
  readonly options: DemoOptions;
  readonly folder: DemoFolder;
  /** 0 = any free one. */
  readonly port: number;
  /** Tributary's own address. */
  readonly publicUrl: string;
  readonly clientSecret: string;
}): Promise<DemoPortal> {
  const { options, folder, publicUrl } = spec;
  const sandbox = createHubSpotSandbox({
    clock: spec.clock,
    // Grants of two runs must differ: only the world is the same each time.
    seed: Date.now() % 2 ** 32,
    clientId: CLIENT_ID,
    clientSecret: spec.clientSecret,
    redirectUrls: [`${publicUrl}/oauth/hubspot/callback`],
    portals: [{ portalId: PORTAL_ID, name: 'Seller Inc.', timeZone: 'US/Eastern', edition: 'enterprise' }],
    webhooks: { targetUrl: `${publicUrl}/webhooks/hubspot`, subscriptions: installSubscriptions() },
  });
  const { seed, deals, partners, activities } = options;
  const now = new Date(folder.memory.seededAt);
  const world = seedCompany(sandbox, PORTAL_ID, { seed, deals, partners, activities, months: 18, now });
  // What happened before the app was installed is no news to it.
  sandbox.webhooks.clear();
  restoreGrants(sandbox, folder);
  const server = await startSandboxServer({ port: spec.port, sandbox });
  const readBefore = folder.memory.reads;
  const reads = () => readBefore + countCalls(sandbox.log).read;
  const { accessTokens, refreshTokens } = sandbox.tokens;
  const plain = <T extends { readonly scopes: readonly string[] }>(tokens: Iterable<T>) =>
    [...tokens].map((each) => ({ ...each, scopes: [...each.scopes] }));
  return {
    ...server,
    world,
    reads,
    remember: () =>
      folder.save({
        tokens: { access: plain(accessTokens.values()), refresh: plain(refreshTokens.values()) },
        reads: reads(),
      }),
  };
}

function restoreGrants({ tokens, portals }: HubSpotSandbox, { memory }: DemoFolder): void {
  for (const each of memory.tokens?.access ?? []) tokens.accessTokens.set(each.token, each);
  for (const each of memory.tokens?.refresh ?? []) tokens.refreshTokens.set(each.token, each);
  const portal = portals.get(PORTAL_ID);
  if (portal !== undefined && memory.tokens !== null) portal.installed = true;
}
