import { RECORD_KINDS, type RecordKind, type RecordRef, type Snapshot } from '../../connectors/connector.ts';
import { withOrganization } from '../platform/db/client.ts';
import { Rejected } from '../platform/errors.ts';
import { type LaneHandler, outcomeOfError } from '../platform/jobs/run-lane.ts';
import type { ClaimedWork, WorkOutcome } from '../platform/jobs/work-store.ts';
import type { Connection } from './connection-store.ts';
import { isUnreadable } from './describing.ts';
import { applySnapshots } from './ingest.ts';
import { openConnector, type SyncDeps } from './open-connector.ts';
import { isBackfilled } from './position-store.ts';
import { whenConnected } from './with-connection.ts';

/** Prefix of a reference whose personal data must be erased. */
export const ERASE = 'erase/';

/** The fetch lane: hints become readings of the CRM's present truth, as few as possible. */
export function createFetchLane(deps: SyncDeps): LaneHandler {
  return {
    lane: 'fetch',
    batch: 500,
    handle: (batch) =>
      whenConnected(deps, batch, async (connection) => {
        const outcomes = new Map<ClaimedWork, WorkOutcome>();
        const readable: ClaimedWork[] = [];
        for (const item of batch.items) {
          const reference = parseReference(item.object);
          // When the kind is shown again, its full read and a search find what this hint was about.
          if (reference !== null && !isUnreadable(connection, reference.ref.kind)) readable.push(item);
          if (reference === null)
            outcomes.set(item, { status: 'set-aside', reason: `"${item.object}" is not a record reference` });
        }
        try {
          await fetchAndApply(deps, connection, readable, batch.signal);
        } catch (error) {
          if (!(error instanceof Rejected)) throw error;
          await fetchKindByKind(deps, connection, readable, batch.signal, outcomes);
        }
        return outcomes;
      }),
  };
}

/** The CRM refused something in this batch for good: only that kind of record waits for a person. */
async function fetchKindByKind(
  deps: SyncDeps,
  connection: Connection,
  items: readonly ClaimedWork[],
  signal: AbortSignal,
  outcomes: Map<ClaimedWork, WorkOutcome>,
): Promise<void> {
  for (const group of Map.groupBy(items, (item) => parseReference(item.object)?.ref.kind).values()) {
    try {
      await fetchAndApply(deps, connection, group, signal);
    } catch (error) {
      for (const item of group) outcomes.set(item, outcomeOfError(error, item, deps.clock.now(), signal));
    }
  }
}

async function fetchAndApply(
  deps: SyncDeps,
  connection: Connection,
  items: readonly ClaimedWork[],
  signal: AbortSignal,
): Promise<void> {
  const wanted = items.flatMap((item) => parseReference(item.object) ?? []);
  const toFetch = wanted.filter((w) => !w.erase).map((w) => w.ref);
  const fetched = toFetch.length === 0 ? [] : await openConnector(deps, connection).fetch(toFetch, signal);
  const now = deps.clock.now();
  const erased = wanted
    .filter((w) => w.erase)
    .map(
      ({ ref }): Snapshot => ({
        ref,
        status: 'erased',
        changedAt: now.toISOString(),
        readAt: now.toISOString(),
      }),
    );
  const causedAt = items.map((item) => item.causedAt).sort()[0];
  await withOrganization(deps.db, connection.organizationId, async (tx) =>
    applySnapshots(tx, connection, [...fetched, ...erased], {
      now,
      verified: true,
      backfilling: !(await isBackfilled(tx, connection)),
      ...(causedAt === undefined ? {} : { causedAt }),
    }),
  );
}

function parseReference(object: string): { readonly ref: RecordRef; readonly erase: boolean } | null {
  const erase = object.startsWith(ERASE);
  const text = erase ? object.slice(ERASE.length) : object;
  const colon = text.indexOf(':');
  const kind = text.slice(0, colon) as RecordKind;
  const externalId = text.slice(colon + 1);
  if (!RECORD_KINDS.includes(kind) || externalId === '') return null;
  return { ref: { kind, externalId }, erase };
}
