import { hash } from 'node:crypto';
import type { OAuthApp, Provider } from '../connectors/connector.ts';
import { edgeSourceFor, oauthProviderFor } from '../connectors/registry.edge.ts';
import { connectorFor } from '../connectors/registry.ts';
import { addCardRoutes } from './attribution/card-routes.ts';
import { createRecomputeLane } from './attribution/jobs.ts';
import { addAttributionRoutes } from './attribution/routes.ts';
import { addPartnerRoutes } from './partners/routes.ts';
import type { Clock } from './platform/clock.ts';
import type { Config } from './platform/config.ts';
import type { Database } from './platform/db/client.ts';
import { createHttpApp, type HttpApp } from './platform/http/app.ts';
import type { ReadinessCheck } from './platform/http/health.ts';
import type { Job } from './platform/jobs/define-job.ts';
import { defineLaneJob } from './platform/jobs/run-lane.ts';
import type { Log } from './platform/log.ts';
import type { Metrics } from './platform/metrics.ts';
import { createBackfillLane } from './sync/backfill-lane.ts';
import { createCheckUpLane } from './sync/check-up-lane.ts';
import { addConnectionRoutes } from './sync/connection-routes.ts';
import { createDailyLane } from './sync/daily-lane.ts';
import { createDisconnectLane } from './sync/disconnect-lane.ts';
import { defineFanOutJob } from './sync/fan-out.ts';
import { createFetchLane } from './sync/fetch-lane.ts';
import { redirectUrlOf } from './sync/install.ts';
import { addInstallRoutes } from './sync/install-routes.ts';
import { createIntake } from './sync/intake.ts';
import type { ProviderSettings, SyncDeps } from './sync/open-connector.ts';
import { createPollLane } from './sync/poll-lane.ts';
import { createReconcileLane } from './sync/reconcile-lane.ts';
import { createTokenSource } from './sync/token-source.ts';
import { addWebhookRoutes } from './sync/webhook-routes.ts';
import { createWriteBackLane } from './sync/write-back-lane.ts';

export interface Tributary {
  readonly app: HttpApp;
  readonly jobs: readonly Job[];
}

const DAY_MS = 86_400_000;

/** Puts the slices together; whoever starts a process, or a test, serves `app` and runs `jobs`. */
export function composeTributary(parts: {
  readonly config: Config;
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly readiness: readonly ReadinessCheck[];
}): Tributary {
  const { config, db, clock, log, metrics } = parts;
  const { publicUrl, masterKeys, hubspot } = config;
  const edge = {
    hubspot: {
      apiUrl: hubspot.apiUrl,
      appUrl: hubspot.appUrl,
      ...(hubspot.appId === null ? {} : { appId: hubspot.appId }),
      sha256Hex: (text: string) => hash('sha256', text, 'hex'),
    },
  };
  const oauth = (provider: Provider) => oauthProviderFor(provider, edge);
  const oauthApp = (provider: Provider): OAuthApp => ({
    clientId: hubspot.clientId,
    clientSecret: hubspot.clientSecret,
    redirectUrl: redirectUrlOf(publicUrl, provider),
  });
  const tokens = createTokenSource({ db, clock, log, metrics, masterKeys, oauth, app: oauthApp });
  const sync: SyncDeps = {
    db,
    clock,
    log,
    providers: { hubspot: hubspotSettings(config) },
    tokenFor: (connection, options) => tokens.tokenFor(connection, options),
    onCall: (provider, call) => metrics.crmCall({ provider, ...call }),
    intervals: {
      pollMs: config.pollIntervalMs,
      reconcileMs: config.reconcileIntervalMs,
      lookbackMs: 10 * 60_000,
      checkUpMs: DAY_MS,
    },
  };
  const lanes = [
    createFetchLane(sync),
    createRecomputeLane({ db, clock }),
    createWriteBackLane(sync),
    createBackfillLane(sync),
    createPollLane(sync),
    createReconcileLane(sync),
    createCheckUpLane(sync),
    createDisconnectLane(sync),
    createDailyLane({ db, clock, uninstalledRetentionMs: config.retention.uninstalledDays * DAY_MS }),
  ];
  const app = createHttpApp({
    log,
    clock,
    metrics,
    metricsToken: config.metricsToken,
    readiness: parts.readiness,
  });
  const inlets = { hubspot: { source: edgeSourceFor('hubspot', edge), secrets: hubspot.webhookSecrets } };
  addWebhookRoutes(app, {
    inlets,
    intake: createIntake({ doors: db.doors, clock }),
    clock,
    metrics,
    publicUrl,
  });
  addCardRoutes(app, { db, clock, inlets, publicUrl });
  addInstallRoutes(app, { db, clock, masterKeys, publicUrl, oauth, app: oauthApp });
  addConnectionRoutes(app, { db, clock });
  addPartnerRoutes(app, { db, clock });
  addAttributionRoutes(app, { db, clock, sourceOf: (provider) => edgeSourceFor(provider, edge) });
  return {
    app,
    jobs: [defineFanOutJob({ db, clock }), ...lanes.map((lane) => defineLaneJob({ db, clock, log }, lane))],
  };
}

/**
 * HubSpot's own limits less our head-room; associations have a bucket of their own. In any window a
 * bucket gives at most `burst + perSecond × seconds`, rounded down: so a search bucket of one that is refilled at less than
 * the limit never passes it.
 */
function hubspotSettings({ hubspot }: Config): ProviderSettings {
  const part = 1 - hubspot.rateHeadroom;
  const perTenSeconds = (limit: number) => {
    const allowed = limit * part;
    const burst = Math.max(1, Math.floor(allowed / 5));
    return { burst, perSecond: Math.max(allowed - burst, 0.5) / 10 };
  };
  return {
    baseUrl: hubspot.apiUrl,
    create: connectorFor('hubspot', {
      hubspot: hubspot.writeVersion === null ? {} : { writeVersion: hubspot.writeVersion },
    }),
    limits: {
      general: perTenSeconds(hubspot.ratePer10s),
      associations: perTenSeconds(hubspot.associationsPer10s),
      search: {
        burst: 1,
        perSecond: Math.min(hubspot.searchPerSecond * part, hubspot.searchPerSecond - 0.01),
      },
    },
  };
}
