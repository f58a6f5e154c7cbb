import type {
  AccountRecord,
  ActivityRecord,
  ContactRecord,
  RecordRef,
  Snapshot,
} from '../../connectors/connector.ts';
import { inheritMemberships, type Merge, repointMerged } from '../accounts/merge-store.ts';
import { eraseContacts, lockChangingAccounts, saveAccounts, saveContacts } from '../accounts/store.ts';
import {
  findDealsOfContacts,
  forgetFacts,
  noteActivityReferences,
  saveActivities,
} from '../activities/store.ts';
import { findDirtyDeals, markRecompute } from '../attribution/dirty-store.ts';
import { toDealRow } from '../deals/deal-row.ts';
import { findDealIds, saveDeals, saveGoneDeals } from '../deals/store.ts';
import type { Tx } from '../platform/db/client.ts';
import { markWork } from '../platform/jobs/work-store.ts';
import type { Connection } from './connection-store.ts';

export interface IngestOptions {
  readonly now: Date;
  /** `true` when the snapshots were read by id: only such a reading may say that a record is there again. */
  readonly verified: boolean;
  /** During a full read, which itself goes through the activities that are known by reference only. */
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

  const changedAccounts = await applyAccounts(tx, connection, of('account'), options, add);
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

/** @returns external ids of companies whose deals, as things stand now, may have another result. */
async function applyAccounts(
  tx: Tx,
  connection: Connection,
  snapshots: readonly Snapshot[],
  options: IngestOptions,
  add: AddDeals,
): Promise<readonly string[]> {
  const gone = toMerged(snapshots).map(toAccountRow);
  const rows = onePerRecord([...snapshots.map(toAccountRow), ...gone]);
  // A company that leaves a partner's tree, or a name that a field gave, is no longer found once the rows are saved.
  const changing = await lockChangingAccounts(tx, connection, rows);
  const { connectionId, organizationId } = connection;
  add(await findDirtyDeals(tx, organizationId, { connectionId, accountExternalIds: changing }));
  const changed = await saveAccounts(tx, connection, rows, options.verified);
  await repointMerged(tx, connection, 'accounts', toMerges(rows));
  return [...new Set([...changing, ...changed])];
}

async function applyContacts(
  tx: Tx,
  connection: Connection,
  snapshots: readonly Snapshot[],
  options: IngestOptions,
  add: AddDeals,
): Promise<void> {
  const erased = snapshots.filter((s) => s.status === 'erased').map((s) => s.ref.externalId);
  if (erased.length > 0) await eraseContacts(tx, connection, erased, options.now);
  const living = snapshots.filter((s) => s.status !== 'erased');
  const rows = onePerRecord([...living, ...toMerged(living)].map(toContactRow));
  const merges = toMerges(rows);
  const heirs = await inheritMemberships(tx, connection, merges);
  const moved = await saveContacts(tx, connection, rows, options.verified, heirs);
  await repointMerged(tx, connection, 'contacts', merges);
  add(await findDealIds(tx, connection, await findDealsOfContacts(tx, connection, [...moved, ...heirs])));
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
  const left = snapshots.filter((s) => s.status === 'missing' || s.status === 'merged');
  const gone = onePerRecord([...left, ...toMerged(snapshots)].map(toGone));
  const wentAway = await saveGoneDeals(
    tx,
    connection,
    gone.map((g) => ({ ...g, survivorExternalId: g.mergedIntoExternalId })),
    options.verified,
  );
  add(wentAway);
  if (wentAway.length > 0) {
    const survivors = toMerges(gone).map((merge) => merge.survivorExternalId);
    add(await findDealIds(tx, connection, survivors));
  }
  const references = await noteActivityReferences(
    tx,
    connection,
    present.map(({ snapshot, record }) => ({
      externalId: snapshot.ref.externalId,
      activities: record.activities,
      unknownKinds: record.unknownActivityKinds ?? [],
    })),
  );
  const known = references.filter(({ stub }) => !stub).map(({ reference }) => reference);
  // The list of deals comes before the activities: whatever it shows in another light is read with the rest of its kind.
  if (options.backfilling && !options.verified) await forgetFacts(tx, connection, known);
  // A full read goes through the stubs itself, a thousand at a time.
  else if (options.backfilling) await markFetch(tx, connection, known, options);
  else
    await markFetch(
      tx,
      connection,
      references.map(({ reference }) => reference),
      options,
    );
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

const toGone = (s: Snapshot) => ({ ...stamp(s), mergedIntoExternalId: survivor(s) });

/** What a survivor says of the records that were merged into it: often the only word on them that we ever get. */
function toMerged(snapshots: readonly Snapshot[]): readonly Snapshot[] {
  return snapshots.flatMap(({ ref, changedAt, readAt, mergedExternalIds }) =>
    (mergedExternalIds ?? []).map((externalId) => ({
      ref: { kind: ref.kind, externalId },
      status: 'merged' as const,
      survivorExternalId: ref.externalId,
      changedAt,
      readAt,
    })),
  );
}

interface Gone {
  readonly externalId: string;
  readonly changedAt: string;
  readonly mergedIntoExternalId: string | null;
}

/**
 * One statement must not name a row twice: the word of a merge weighs more than that of a deletion or of a row read just
 * before it, and the later merge more than an earlier one.
 */
function onePerRecord<T extends Gone>(rows: readonly T[]): readonly T[] {
  const byId = new Map<string, T>();
  for (const row of rows) {
    const other = byId.get(row.externalId);
    const isMerge = row.mergedIntoExternalId !== null;
    const wasMerge = other !== undefined && other.mergedIntoExternalId !== null;
    if (other === undefined || (isMerge && (!wasMerge || other.changedAt < row.changedAt)))
      byId.set(row.externalId, row);
  }
  return [...byId.values()];
}

const toMerges = (rows: readonly Gone[]): readonly Merge[] =>
  rows.flatMap(({ externalId, mergedIntoExternalId }) =>
    mergedIntoExternalId === null ? [] : [{ externalId, survivorExternalId: mergedIntoExternalId }],
  );
