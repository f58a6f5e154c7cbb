import { type Context, Hono } from 'hono';
import { accountRoutes } from './account.ts';
import { associationRoutes } from './associations.ts';
import { batchRoutes } from './batches.ts';
import { createCallLog } from './call-log.ts';
import { type Control, createControl } from './control.ts';
import { addFallback, addRoutes } from './guard.ts';
import { createRateLimits } from './limits.ts';
import { addOAuth } from './oauth.ts';
import { createTokenStore } from './oauth-tokens.ts';
import { objectRoutes } from './objects.ts';
import {
  defaultKnobs,
  OPTIONAL_SCOPES,
  type PortalOptions,
  REQUIRED_SCOPES,
  type SandboxOptions,
} from './options.ts';
import { errorPage, recordPage } from './pages.ts';
import { modernPath } from './paths.ts';
import { pipelineAndOwnerRoutes } from './pipelines.ts';
import { propertyRoutes } from './properties.ts';
import { createRandom } from './random.ts';
import { resolveRow } from './records.ts';
import type { HubSpotSandboxState } from './sandbox-state.ts';
import { schemaRoutes } from './schemas.ts';
import { searchRoutes } from './search.ts';
import { createPortal, findTable, type Portal } from './state.ts';
import { createWebhookQueue } from './webhooks.ts';

export interface HubSpotSandbox extends HubSpotSandboxState {
  /** Serves api.hubapi.com and app.hubspot.com/oauth/authorize alike. */
  readonly app: Hono;
  readonly control: Control;
  addPortal(options: PortalOptions): Portal;
  /** The named portal, or the first. */
  portal(portalId?: number): Portal;
  flushWebhooks: HubSpotSandboxState['webhooks']['flush'];
}

/**
 * A HubSpot of one app and several portals that keeps state: what is created can be listed, what is merged
 * answers under its new id, and every change raises webhooks. All time is the clock's.
 */
export function createHubSpotSandbox(options: SandboxOptions): HubSpotSandbox {
  const random = createRandom(options.seed ?? 1);
  const defaults = defaultKnobs();
  const knobs = { ...defaults, ...options.knobs };
  const state: HubSpotSandboxState = {
    clock: options.clock,
    nowMs: () => options.clock.now().getTime(),
    random,
    knobs,
    appId: options.appId ?? 7_906_213,
    appName: options.appName ?? 'Tributary',
    clientId: options.clientId,
    clientSecret: options.clientSecret,
    redirectUrls: options.redirectUrls,
    requiredScopes: options.requiredScopes ?? REQUIRED_SCOPES,
    optionalScopes: options.optionalScopes ?? OPTIONAL_SCOPES,
    webhookOptions: options.webhooks,
    subscriptions: [...(options.webhooks?.subscriptions ?? [])],
    portals: new Map(),
    tokens: createTokenStore(random),
    limits: createRateLimits(knobs),
    log: createCallLog(() => knobs.log),
    webhooks: createWebhookQueue({
      clock: options.clock,
      random,
      knobs,
      clientSecret: options.clientSecret,
      webhooks: options.webhooks,
    }),
    planned: [],
  };
  const addPortal = (portalOptions: PortalOptions): Portal => {
    const portal = createPortal(portalOptions, state.nowMs());
    state.portals.set(portal.id, portal);
    return portal;
  };
  for (const each of options.portals ?? [{ portalId: 1_000_001 }]) addPortal(each);
  return Object.assign(state, {
    app: createApp(state),
    control: createControl(state),
    addPortal,
    portal: (portalId?: number) => portalNamed(state, portalId),
    flushWebhooks: () => state.webhooks.flush(),
  });
}

function createApp(state: HubSpotSandboxState): Hono {
  const app = new Hono({ getPath: (request) => modernPath(new URL(request.url).pathname) });
  addOAuth(app, state);
  addRoutes(app, state, [
    ...searchRoutes(),
    ...batchRoutes(),
    ...associationRoutes(),
    ...objectRoutes(),
    ...pipelineAndOwnerRoutes(),
    ...propertyRoutes(),
    ...schemaRoutes(),
    ...accountRoutes(),
  ]);
  app.get('/contacts/:portalId/record/:objectType/:objectId', (context) => showRecord(context, state));
  addFallback(app, state);
  return app;
}

/** Where deep links lead; a merged-away id opens the record that answers for it. */
function showRecord(context: Context, state: HubSpotSandboxState): Response | Promise<Response> {
  const portal = state.portals.get(Number(context.req.param('portalId')));
  const table = portal === undefined ? null : findTable(portal, context.req.param('objectType') ?? '');
  const row = table === null ? null : resolveRow(table, context.req.param('objectId') ?? '');
  if (table === null || row === null) return context.html(errorPage('There is no such record.'), 404);
  return context.html(recordPage({ title: `${table.singular} ${row.id}`, values: row.values }));
}

/** @throws Error when there is no such portal: a test's own mistake */
export function portalNamed(state: HubSpotSandboxState, portalId?: number): Portal {
  const portal = portalId === undefined ? [...state.portals.values()][0] : state.portals.get(portalId);
  if (portal === undefined) throw new Error(`the sandbox has no portal ${portalId}`);
  return portal;
}
