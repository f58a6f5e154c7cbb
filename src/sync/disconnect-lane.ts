import { recordAudit } from '../identity/audit-store.ts';
import { withOrganization } from '../platform/db/client.ts';
import { ReconnectNeeded, Rejected, RetryLater } from '../platform/errors.ts';
import type { LaneHandler } from '../platform/jobs/run-lane.ts';
import { type Connection, findConnection, setConnectionStatus } from './connection-store.ts';
import { distrustAllRows, forgetRows, listDealsToCompare } from './crm-row-store.ts';
import { openConnector, type SyncDeps } from './open-connector.ts';
import { isDisconnectAsked } from './set-aside-store.ts';
import { loadWriteBack } from './write-back-store.ts';

const DEALS_PER_WRITE = 200;

/** Object of the disconnect lane: are our rows and fields to be taken out of the CRM? */
export const DISCONNECT = { keepTraces: 'keep-traces', removeTraces: 'remove-traces' } as const;

/**
 * The disconnect lane: takes our traces out of the CRM when asked, gives the grant back, and stops the sync. What was
 * read stays for its retention time. A grant that is dead already is no reason to stay connected.
 */
export function createDisconnectLane(deps: SyncDeps): LaneHandler {
  return {
    lane: 'disconnect',
    batch: 1,
    handle: async (batch) => {
      const key = { organizationId: batch.organizationId, connectionId: batch.scopeId };
      const connection = await withOrganization(deps.db, key.organizationId, (tx) => findConnection(tx, key));
      if (connection === null || connection.status === 'uninstalled') return new Map();
      const traces = batch.items.some((item) => item.object === DISCONNECT.removeTraces);
      let left: string | null = null;
      try {
        if (await isShared(deps, connection)) {
          if (traces) await retireOwnRows(deps, connection, batch.signal);
        } else await openConnector(deps, connection).remove({ traces }, batch.signal);
      } catch (error) {
        if (!(error instanceof ReconnectNeeded || error instanceof Rejected)) throw error;
        left = error.message;
      }
      const now = deps.clock.now();
      await withOrganization(deps.db, key.organizationId, async (tx) => {
        // Connected again meanwhile: the new grant stays, and so does the connection.
        if (!(await isDisconnectAsked(tx, key))) return;
        if (traces) await (left === null ? forgetRows(tx, key, null) : distrustAllRows(tx, key));
        const reason = left === null ? null : `Something of ours may be left in the CRM: ${left}`;
        await setConnectionStatus(tx, key, 'uninstalled', reason, now);
        await recordAudit(tx, {
          organizationId: key.organizationId,
          actor: { kind: 'system', id: 'disconnect' },
          action: 'connection.uninstalled',
          subject: key.connectionId,
          details: { traces, left },
          now,
        });
      });
      return new Map();
    },
  };
}

/** Another organization works in the same CRM account: the app's grant and the object are its own, too. */
async function isShared({ db }: SyncDeps, connection: Connection): Promise<boolean> {
  const linked = await db.doors<{ connection_id: string }[]>`
    select connection_id from ops.organizations_for_account(${connection.provider}, ${connection.accountExternalId})`;
  return linked.some((other) => other.connection_id !== connection.connectionId);
}

async function retireOwnRows(deps: SyncDeps, connection: Connection, signal: AbortSignal): Promise<void> {
  if (connection.schemaState === null || connection.schemaState.rung === 'none') return;
  const connector = openConnector(deps, connection);
  for (let after: string | null = null; ; ) {
    const dealIds: readonly string[] = await withOrganization(deps.db, connection.organizationId, (tx) =>
      listDealsToCompare(tx, connection, after, DEALS_PER_WRITE),
    );
    after = dealIds.at(-1) ?? null;
    if (after === null) return;
    const deals = await withOrganization(deps.db, connection.organizationId, (tx) =>
      loadWriteBack(tx, connection, dealIds),
    );
    const outcomes = await connector.write(
      deals.map(({ dealExternalId, known }) => ({
        dealExternalId,
        rows: [],
        retire: known.map(({ key, crmRowId }) => ({ key, crmRowId })),
      })),
      signal,
    );
    for (const { result } of outcomes) {
      if (result.status === 'later') throw new RetryLater(result.message, result.afterMs);
      if (result.status === 'rejected') throw new Rejected(result.reason, result.message);
    }
  }
}
