import type { Connector, RowOutcome } from '../../connectors/connector.ts';
import { withOrganization } from '../platform/db/client.ts';
import { Rejected } from '../platform/errors.ts';
import type { LaneHandler } from '../platform/jobs/run-lane.ts';
import { type ClaimedWork, markWork, type WorkOutcome } from '../platform/jobs/work-store.ts';
import type { Connection } from './connection-store.ts';
import { type AttemptedRow, beginWrite, placeOf, saveOutcomes } from './crm-row-store.ts';
import { openConnector, type SyncDeps } from './open-connector.ts';
import { forAll, inAWhile, whenConnected } from './with-connection.ts';
import { type Plan, planDeal, refuseAll, splitAlike, toAttempts } from './write-back-plan.ts';
import { loadWriteBack } from './write-back-store.ts';

/** Two thousand deals are some thousands of rows: full batches for the CRM, and still a short turn. */
const DEALS_PER_BATCH = 2_000;
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
        const connector = openConnector(deps, connection);
        const place = { version: schema.version, place: placeOf(schema) };
        const writing = { connection, schema: place, connector, signal: batch.signal };
        const attempted = await writeAll(deps, writing, wanted);
        return settle(batch.items, plans, attempted, deps.clock.now());
      }),
  };
}

interface Writing {
  readonly connection: Connection;
  readonly schema: { readonly version: string; readonly place: string };
  readonly connector: Connector;
  readonly signal: AbortSignal;
}

/** Of deals that were refused alike one goes first; the others follow when it is taken. */
async function writeAll(
  deps: SyncDeps,
  writing: Writing,
  plans: readonly Plan[],
): Promise<readonly AttemptedRow[]> {
  const { first, held } = splitAlike(plans);
  const attempted = await writePlans(deps, writing, first);
  const taken: Plan[] = [];
  const refused: AttemptedRow[] = [];
  for (const [probe, others] of held) {
    const results = attempted.filter((row) => row.dealId === probe.dealId).map((row) => row.outcome.result);
    const again = results.find((result) => result.status === 'rejected');
    if (again === undefined) taken.push(...others);
    else refused.push(...toAttempts(others, refuseAll(others, again.reason, again.message)));
  }
  await saveAttempts(deps, writing, refused);
  return [...attempted, ...refused, ...(await writePlans(deps, writing, taken))];
}

async function writePlans(
  deps: SyncDeps,
  writing: Writing,
  plans: readonly Plan[],
): Promise<readonly AttemptedRow[]> {
  if (plans.length === 0) return [];
  const { connection, schema } = writing;
  const begun = plans.flatMap(({ dealId, deal }) =>
    [...(deal?.rows ?? []), ...(deal?.retire ?? [])].map(({ key }) => ({
      dealId,
      key,
      dealExternalId: deal?.dealExternalId ?? '',
    })),
  );
  await withOrganization(deps.db, connection.organizationId, (tx) =>
    beginWrite(tx, connection, begun, schema.place, deps.clock.now()),
  );
  const attempted = toAttempts(plans, await tell(writing, plans));
  await saveAttempts(deps, writing, attempted);
  return attempted;
}

/** A refusal of us as a whole is every row's: it is kept with them, shown, and tried again as theirs are. */
async function tell({ connector, signal }: Writing, plans: readonly Plan[]): Promise<readonly RowOutcome[]> {
  try {
    return await connector.write(
      plans.flatMap((plan) => plan.deal ?? []),
      signal,
    );
  } catch (error) {
    if (!(error instanceof Rejected)) throw error;
    return refuseAll(plans, error.reason, error.message);
  }
}

async function saveAttempts(
  deps: SyncDeps,
  { connection, schema }: Writing,
  attempted: readonly AttemptedRow[],
): Promise<void> {
  if (attempted.length === 0) return;
  await withOrganization(deps.db, connection.organizationId, (tx) =>
    saveOutcomes(tx, connection, attempted, schema, deps.clock.now()),
  );
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
