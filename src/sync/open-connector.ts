import type { Connector, ConnectorContext, Provider } from '../../connectors/connector.ts';
import { type Clock, systemClock } from '../platform/clock.ts';
import type { Database } from '../platform/db/client.ts';
import type { Log } from '../platform/log.ts';
import type { Connection } from './connection-store.ts';

/** At most `burst` calls at once, refilled evenly. */
export interface CallLimit {
  readonly burst: number;
  readonly perSecond: number;
}

export interface ProviderSettings {
  readonly baseUrl: string;
  /** By the connector's bucket names; a bucket that is not named here is not limited. */
  readonly limits: Readonly<Record<string, CallLimit>>;
  readonly create: (context: ConnectorContext) => Connector;
}

/** What every step of the sync line is given. */
export interface SyncDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly providers: Readonly<Partial<Record<Provider, ProviderSettings>>>;
  /** A usable access token for a connection; `refused` = the CRM said 401 to that one. */
  tokenFor(connection: Connection, options?: { readonly refused?: string }): Promise<string>;
  readonly onCall: (provider: Provider, call: Parameters<ConnectorContext['onCall']>[0]) => void;
  readonly intervals: {
    readonly pollMs: number;
    readonly reconcileMs: number;
    /** How far below its watermark a poll starts again. */
    readonly lookbackMs: number;
    readonly checkUpMs: number;
  };
}

/** A connector for one connection, with our token, our budget and our clock. */
export function openConnector(deps: SyncDeps, connection: Connection): Connector {
  const settings = deps.providers[connection.provider];
  if (settings === undefined) throw new Error(`no settings for provider ${connection.provider}`);
  return settings.create({
    token: (options) => deps.tokenFor(connection, options),
    budget: (bucket, cost, signal) => takeCalls(deps, settings, connection, bucket, cost, signal),
    clock: deps.clock,
    baseUrl: settings.baseUrl,
    onCall: (call) => deps.onCall(connection.provider, call),
    facts: connection.facts,
    partnerFields: connection.partnerFields,
    schema: connection.schemaState,
  });
}

/**
 * Waits until `cost` calls may be made. The bucket is a row per CRM account, so that processes and organizations that
 * share the account share its limit. Real time is the database's, so that processes need not agree on it.
 */
async function takeCalls(
  { db, clock }: SyncDeps,
  settings: ProviderSettings,
  connection: Connection,
  bucket: string,
  cost: number,
  signal: AbortSignal,
): Promise<void> {
  const limit = settings.limits[bucket];
  if (limit === undefined) return;
  let missing = cost;
  while (missing > 0) {
    signal.throwIfAborted();
    const [lease] = await db.doors<{ granted: number; wait_ms: number }[]>`
      select granted, wait_ms from ops.lease_calls(${connection.provider}, ${connection.accountExternalId}, ${bucket},
        ${limit.perSecond}::text::numeric, ${limit.burst}, ${missing}, ${clock === systemClock ? null : clock.now().toISOString()}::timestamptz)`;
    missing -= lease?.granted ?? 0;
    if (missing > 0) await clock.sleep(Math.max(lease?.wait_ms ?? 0, 1), signal);
  }
}
