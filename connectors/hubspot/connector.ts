import type { Connector, ConnectorContext } from '../connector.ts';
import { describeAccount } from './account.ts';
import type { ClientOptions } from './client.ts';
import { createHubSpotClient } from './client.ts';
import { fetchRecords } from './fetching.ts';
import { ensureSchema } from './ladder.ts';
import { checkAccount } from './preflight.ts';
import { listIds, listRecords, searchChanges } from './reader.ts';
import { leaveAccount, leaveDealFields } from './removal.ts';
import { HUBSPOT_API_VERSION } from './version.ts';
import { readBackCredits, writeCredits } from './writer.ts';

export interface HubSpotOptions extends ClientOptions {
  /** How far HubSpot's search may be behind its records; later changes are left to the next call. */
  readonly indexLagMs?: number;
  /** API version of writing calls, for accounts whose own validation refuses the current one. */
  readonly writeVersion?: string;
}

/** HubSpot as every CRM is to us; one client for one connection. */
export function createHubSpotConnector(ctx: ConnectorContext, options: HubSpotOptions = {}): Connector {
  const { indexLagMs = 120_000, writeVersion = HUBSPOT_API_VERSION, ...clientOptions } = options;
  const call = createHubSpotClient(ctx, clientOptions);
  return {
    describeAccount: (signal) => describeAccount(call, signal),
    list: (kind, cursor, signal) => listRecords(ctx, call, kind, cursor, signal),
    changes: (kind, since, signal) => searchChanges(ctx, call, kind, since, indexLagMs, signal),
    ids: (kind, signal) => listIds(call, kind, signal),
    fetch: (refs, signal) => fetchRecords(ctx, call, refs, signal),
    ensureSchema: async (signal) => {
      const schema = await ensureSchema(call, signal);
      if (schema.rung === 'custom_object' && ctx.schema?.rung !== 'custom_object')
        await leaveDealFields(call, signal);
      return schema;
    },
    // Subscriptions belong to the app's definition and hold for every account that installs it.
    ensureSubscriptions: async () => ({ ok: true, findings: [] }),
    write: async (deals, signal) =>
      writeCredits(ctx, call, ctx.schema ?? (await ensureSchema(call, signal)), deals, writeVersion, signal),
    readBack: async (ids, signal) =>
      readBackCredits(call, ctx.schema ?? (await ensureSchema(call, signal)), ids, signal),
    preflight: (signal) => checkAccount(ctx, call, signal),
    remove: ({ traces }, signal) => leaveAccount(call, traces, signal),
  };
}
