import type { DesiredDeal, RowOutcome } from '../../connectors/connector.ts';
import { withOrganization } from '../platform/db/client.ts';
import type { LaneHandler } from '../platform/jobs/run-lane.ts';
import { type ClaimedWork, markWork, type WorkOutcome } from '../platform/jobs/work-store.ts';
import type { Connection } from './connection-store.ts';
import { openConnector, type SyncDeps } from './open-connector.ts';
import { forAll, inAWhile, whenConnected } from './with-connection.ts';
import { type AttemptedRow, loadWriteBack, saveOutcomes, type WriteBackDeal } from './write-back-store.ts';

/** Two hundred deals are a few hundred rows: full batches for the CRM, short turns for the others. */
const DEALS_PER_BATCH = 1_000;
const WAIT_FOR_SCHEMA_MS = 60_000;

/** The write-back lane: brings the CRM to the desired state by writing the differences, and nothing else. */
export function createWriteBackLane(deps: SyncDeps): LaneHandler {
  return {
    lane: 'write-back',
    batch: DEALS_PER_BATCH,
    handle: (batch) =>
      whenConnected(deps, batch, async (connection) => {
        const schema = connection.schemaState;
        if (schema === null) return waitForCheckUp(deps, connection, batch.items);
        if (schema.rung === 'none')
          return forAll(batch.items, {
            status: 'set-aside',
            reason:
              schema.findings[0]?.message ??
              'The CRM account allows neither custom objects nor deal properties.',
          });
        const loaded = await withOrganization(deps.db, connection.organizationId, (tx) =>
          loadWriteBack(
            tx,
            connection,
            batch.items.map((item) => item.object),
          ),
        );
        const wholeDeals = schema.rung === 'deal_fields';
        const plans = loaded.map((deal) => planDeal(deal, schema.version, wholeDeals));
        const wanted = plans.filter((plan) => plan.deal !== null);
        const outcomes =
          wanted.length === 0
            ? []
            : await openConnector(deps, connection).write(
                wanted.flatMap((plan) => plan.deal ?? []),
                batch.signal,
              );
        const attempted = toAttempts(wanted, outcomes);
        const now = deps.clock.now();
        await withOrganization(deps.db, connection.organizationId, (tx) =>
          saveOutcomes(tx, connection, attempted, schema.version, now),
        );
        return settle(batch.items, plans, attempted, now);
      }),
  };
}

interface Plan {
  readonly dealId: string;
  /** What to tell the CRM; null = nothing differs. */
  readonly deal: DesiredDeal | null;
  readonly hashes: ReadonlyMap<string, string>;
  /** A row that the CRM refused as it still is: waits for a person or for tomorrow. */
  readonly stillRejected: boolean;
}

/** The difference between desired and known. A row refused before is left alone while neither it nor the schema changed. */
function planDeal(deal: WriteBackDeal, schemaVersion: string, wholeDeals: boolean): Plan {
  const known = new Map(deal.known.map((row) => [row.key, row]));
  const refused = (key: string, hash: string) => {
    const row = known.get(key);
    return row?.rejectedHash === hash && row.rejectedSchema === schemaVersion;
  };
  const differing = deal.desired.filter((row) => known.get(row.key)?.writtenHash !== row.hash);
  const rows = differing.filter((row) => !refused(row.key, row.hash));
  const desiredKeys = new Set(deal.desired.map((row) => row.key));
  const stale = deal.known.filter((row) => !desiredKeys.has(row.key) && row.writtenHash !== null);
  const retire = stale.filter((row) => !refused(row.key, 'retire'));
  const somethingDiffers = rows.length > 0 || retire.length > 0;
  return {
    dealId: deal.dealId,
    deal: somethingDiffers
      ? {
          dealExternalId: deal.dealExternalId,
          rows: wholeDeals ? deal.desired : rows,
          retire: retire.map(({ key, crmRowId }) => ({ key, crmRowId })),
        }
      : null,
    hashes: new Map(deal.desired.map((row) => [row.key, row.hash])),
    stillRejected: rows.length < differing.length || retire.length < stale.length,
  };
}

function toAttempts(plans: readonly Plan[], outcomes: readonly RowOutcome[]): readonly AttemptedRow[] {
  const planOf = new Map(
    plans.flatMap((plan) => (plan.deal ? [[plan.deal.dealExternalId, plan] as const] : [])),
  );
  return outcomes.flatMap((outcome) => {
    const plan = planOf.get(outcome.dealExternalId);
    return plan ? [{ dealId: plan.dealId, outcome, hash: plan.hashes.get(outcome.key) ?? null }] : [];
  });
}

function settle(
  items: readonly ClaimedWork[],
  plans: readonly Plan[],
  attempted: readonly AttemptedRow[],
  now: Date,
): ReadonlyMap<ClaimedWork, WorkOutcome> {
  const resultsOf = Map.groupBy(attempted, (a) => a.dealId);
  const planOf = new Map(plans.map((plan) => [plan.dealId, plan]));
  return new Map(
    items.map((item): [ClaimedWork, WorkOutcome] => {
      const results = (resultsOf.get(item.object) ?? []).map((a) => a.outcome.result);
      const later = results.find((r) => r.status === 'later');
      if (later) {
        const at = new Date(now.getTime() + later.afterMs);
        return [item, { status: 'later', at, failed: false, reason: later.message }];
      }
      const rejected = results.find((r) => r.status === 'rejected');
      if (rejected) return [item, { status: 'set-aside', reason: rejected.message }];
      if (planOf.get(item.object)?.stillRejected)
        return [item, { status: 'set-aside', reason: 'The CRM refused this row as it is.' }];
      return [item, { status: 'done' }];
    }),
  );
}

/** Nobody has looked yet whether, and how, this account can be written to. */
async function waitForCheckUp(
  deps: SyncDeps,
  connection: Connection,
  items: readonly ClaimedWork[],
): Promise<ReadonlyMap<ClaimedWork, WorkOutcome>> {
  const now = deps.clock.now();
  await withOrganization(deps.db, connection.organizationId, (tx) =>
    markWork(
      tx,
      { organizationId: connection.organizationId, scopeId: connection.connectionId, lane: 'check-up' },
      [''],
      now,
    ),
  );
  return forAll(items, inAWhile(now, WAIT_FOR_SCHEMA_MS));
}
