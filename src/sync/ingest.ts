import type {
  AccountRecord,
  ActivityRecord,
  ContactRecord,
  RecordRef,
  Snapshot,
} from '../../connectors/connector.ts';
import { eraseContacts, saveAccounts, saveContacts } from '../accounts/store.ts';
import { findDealsOfContacts, noteActivityReferences, saveActivities } from '../activities/store.ts';
import { markRecompute } from '../attribution/dirty-store.ts';
import { toDealRow } from '../deals/deal-row.ts';
import { findDealIds, saveDeals, saveGoneDeals } from '../deals/store.ts';
import type { Tx } from '../platform/db/client.ts';
import { markWork } from '../platform/jobs/work-store.ts';
import type { Connection } from './connection-store.ts';

export interface IngestOptions {
  readonly now: Date;
  /** `true` when the snapshots were read by id: only such a reading may say that a record is there again. */
  readonly verified: boolean;
  /** During a full read: results wait until all evidence is in, and references are followed by the read itself. */
  readonly backfilling: boolean;
  /** When the change happened that made us read; for the age of the work it causes. */
  readonly causedAt?: string;
}

/**
 * The one door for records: backfill, poll, fetch, replay and repair all come in here. Stores what is newer and marks, in
 * the same transaction, every deal whose result may change and every activity worth a look.
 * @returns of how many deals, by what we knew before, something changed.
 */
export async function applySnapshots(
  tx: Tx,
  connection: Connection,
  snapshots: readonly Snapshot[],
  options: IngestOptions,
): Promise<number> {
  const of = (kind: string) => snapshots.filter((s) => s.ref.kind === kind);
  const dirty = new Set<string>();
  const add = (ids: readonly string[]) => {
    for (const id of ids) dirty.add(id);
  };

  const changedAccounts = await saveAccounts(
    tx,
    connection,
    of('account').map(toAccountRow),
    options.verified,
  );
  await applyContacts(tx, connection, of('contact'), options, add);
  await applyDeals(tx, connection, of('deal'), options, add);
  await applyActivities(
    tx,
    connection,
    snapshots.filter((s) => !['account', 'contact', 'deal'].includes(s.ref.kind)),
    options,
    add,
  );
  await markRecompute(tx, connection.organizationId, { dealIds: [...dirty] }, options);
  await markRecompute(
    tx,
    connection.organizationId,
    { connectionId: connection.connectionId, accountExternalIds: changedAccounts },
    options,
  );
  return dirty.size;
}

type AddDeals = (ids: readonly string[]) => void;

async function applyContacts(
  tx: Tx,
  connection: Connection,
  snapshots: readonly Snapshot[],
  options: IngestOptions,
  add: AddDeals,
): Promise<void> {
  const erased = snapshots.filter((s) => s.status === 'erased').map((s) => s.ref.externalId);
  if (erased.length > 0) await eraseContacts(tx, connection, erased, options.now);
  const rows = snapshots.filter((s) => s.status !== 'erased').map(toContactRow);
  const moved = await saveContacts(tx, connection, rows, options.verified);
  add(await findDealIds(tx, connection, await findDealsOfContacts(tx, connection, moved)));
}

async function applyDeals(
  tx: Tx,
  connection: Connection,
  snapshots: readonly Snapshot[],
  options: IngestOptions,
  add: AddDeals,
): Promise<void> {
  const present = snapshots.flatMap((s) =>
    s.status === 'present' && s.record.kind === 'deal' ? [{ snapshot: s, record: s.record }] : [],
  );
  add(
    await saveDeals(
      tx,
      connection,
      present.map(({ snapshot, record }) => toDealRow(snapshot, record, connection.facts?.currencies ?? {})),
      options.verified,
    ),
  );
  const merged = snapshots.flatMap((s) =>
    (s.mergedExternalIds ?? []).map((id) => ({
      ...toGone(s),
      externalId: id,
      survivorExternalId: s.ref.externalId,
    })),
  );
  const gone = snapshots.filter((s) => s.status === 'missing' || s.status === 'merged').map(toGone);
  const wentAway = await saveGoneDeals(tx, connection, onePerDeal([...gone, ...merged]), options.verified);
  add(wentAway);
  if (wentAway.length > 0) {
    const survivors = [...gone, ...merged].flatMap((g) => g.survivorExternalId ?? []);
    add(await findDealIds(tx, connection, survivors));
  }
  const references = await noteActivityReferences(
    tx,
    connection,
    present.map(({ snapshot, record }) => ({
      externalId: snapshot.ref.externalId,
      activities: record.activities,
    })),
  );
  // A full read follows the references itself, a thousand at a time.
  if (!options.backfilling) await markFetch(tx, connection, references, options);
}

async function applyActivities(
  tx: Tx,
  connection: Connection,
  snapshots: readonly Snapshot[],
  options: IngestOptions,
  add: AddDeals,
): Promise<void> {
  const touched = await saveActivities(tx, connection, snapshots.map(toActivityRow), options.verified);
  add(await findDealIds(tx, connection, touched));
}

/** Marks records to be looked at again, and wakes the connection's fetch lane. */
export async function markFetch(
  tx: Tx,
  connection: { readonly organizationId: string; readonly connectionId: string },
  references: readonly string[],
  options: { readonly now: Date; readonly causedAt?: string },
): Promise<void> {
  await markWork(
    tx,
    { organizationId: connection.organizationId, lane: 'fetch', scopeId: connection.connectionId },
    references,
    options.now,
    options.causedAt === undefined ? {} : { causedAt: options.causedAt },
  );
}

export const toReference = (ref: RecordRef): string => `${ref.kind}:${ref.externalId}`;

// ── snapshot → row: pure ────────────────────────────────────────────────────────────────────────────────────

const stamp = (s: Snapshot) => ({ externalId: s.ref.externalId, changedAt: s.changedAt, readAt: s.readAt });
const survivor = (s: Snapshot) => (s.status === 'merged' ? s.survivorExternalId : null);

function toAccountRow(s: Snapshot) {
  const record = s.status === 'present' ? (s.record as AccountRecord) : null;
  return {
    ...stamp(s),
    name: record?.name ?? null,
    domain: record?.domain ?? null,
    type: record?.type ?? null,
    parentExternalId: record?.parentExternalId ?? null,
    deleted: record === null,
    mergedIntoExternalId: survivor(s),
  };
}

function toContactRow(s: Snapshot) {
  const record = s.status === 'present' ? (s.record as ContactRecord) : null;
  return {
    ...stamp(s),
    email: record?.email ?? null,
    accountExternalIds: record?.accountExternalIds ?? [],
    deleted: record === null,
    mergedIntoExternalId: survivor(s),
  };
}

function toActivityRow(s: Snapshot) {
  const record = s.status === 'present' ? (s.record as ActivityRecord) : null;
  return {
    ...stamp(s),
    kind: s.ref.kind,
    occurredAt: record?.occurredAt ?? null,
    loggedAt: record?.loggedAt ?? null,
    outcome: record?.outcome ?? null,
    label: record?.label ?? null,
    direction: record?.direction ?? null,
    deleted: record === null,
    dealExternalIds: record?.dealExternalIds ?? [],
    parties: [
      ...(record?.contactExternalIds ?? []).map((externalId) => ({ kind: 'contact' as const, externalId })),
      ...(record?.accountExternalIds ?? []).map((externalId) => ({ kind: 'account' as const, externalId })),
    ],
  };
}

const toGone = (s: Snapshot) => ({ ...stamp(s), survivorExternalId: survivor(s) });

/** One statement must not name a row twice: the word of a merge weighs more than that of a deletion. */
function onePerDeal(gone: readonly ReturnType<typeof toGone>[]): readonly ReturnType<typeof toGone>[] {
  const byId = new Map<string, ReturnType<typeof toGone>>();
  for (const g of gone)
    if (!byId.has(g.externalId) || g.survivorExternalId !== null) byId.set(g.externalId, g);
  return [...byId.values()];
}
