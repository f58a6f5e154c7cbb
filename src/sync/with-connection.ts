import { withOrganization } from '../platform/db/client.ts';
import { ReconnectNeeded } from '../platform/errors.ts';
import type { WorkBatch } from '../platform/jobs/run-lane.ts';
import type { ClaimedWork, WorkOutcome } from '../platform/jobs/work-store.ts';
import { type Connection, findConnection } from './connection-store.ts';
import type { SyncDeps } from './open-connector.ts';

type Outcomes = ReadonlyMap<ClaimedWork, WorkOutcome>;

/**
 * Runs a connection's work when the connection can work. An uninstalled one has nothing to do any more; one that needs a
 * person fails as such, so that its work waits, visible and complete, until somebody has connected it again.
 */
export async function whenConnected(
  deps: SyncDeps,
  batch: WorkBatch,
  work: (connection: Connection) => Promise<Outcomes>,
): Promise<Outcomes> {
  const connection = await withOrganization(deps.db, batch.organizationId, (tx) =>
    findConnection(tx, { organizationId: batch.organizationId, connectionId: batch.scopeId }),
  );
  if (connection === null || connection.status === 'uninstalled') return new Map();
  if (connection.status === 'reconnect_needed')
    throw new ReconnectNeeded(connection.statusReason ?? 'The connection must be made again.');
  return work(connection);
}

/** The same outcome for everything claimed. */
export const forAll = (items: readonly ClaimedWork[], outcome: WorkOutcome): Outcomes =>
  new Map(items.map((item) => [item, outcome]));

/** Due again at once: a long job gives others their turn between two slices. */
export const again = (now: Date): WorkOutcome => ({
  status: 'later',
  at: now,
  failed: false,
  reason: 'goes on',
});

/** Due again after an interval: the row is the schedule. */
export const inAWhile = (now: Date, ms: number): WorkOutcome => ({
  status: 'later',
  at: new Date(now.getTime() + ms),
  failed: false,
  reason: 'next turn',
});
