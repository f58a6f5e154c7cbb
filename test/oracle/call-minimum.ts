import { linksFrom } from '../sandbox/hubspot/association-store.ts';
import type { CallLog } from '../sandbox/hubspot/call-log.ts';
import type { Portal } from '../sandbox/hubspot/state.ts';

/**
 * The fewest calls that HubSpot's own sizes allow: what a full read and a full write-back are measured against.
 * Tokens, the check of an account before it is used, and the making of our object are no part of either.
 */

const PAGE = 100;
const ASSOCIATION_READ = 1_000;
const UPSERT = 100;
const ASSOCIATION_WRITE = 2_000;
/** Account details, pipelines, owners, former owners, labels of deals and companies. */
const REFERENCE_LISTS = 5;
const DEAL = '0-3';
const ACTIVITIES = ['0-47', '0-48', '0-49', '0-46', '0-27'] as const;

const calls = (rows: number, size: number): number => Math.ceil(rows / size);

/**
 * Σ over kinds of ceil(rows ÷ page) + ceil(ids ÷ association batch) for every relation read + one per reference list.
 * Companies, people and deals are listed, archived ones in a list of their own; activities are read by id, around
 * live deals only.
 */
export function countReadMinimum(portal: Portal): number {
  const sizes = (typeId: string) => {
    const table = portal.tables.get(typeId);
    return { live: table?.liveIds.size ?? 0, archived: table?.archivedIds.size ?? 0 };
  };
  const listed = ['0-2', '0-1', DEAL].map(sizes);
  const lists = listed.reduce(
    (sum, { live, archived }) => sum + calls(live, PAGE) + calls(archived, PAGE),
    0,
  );
  const people = calls(sizes('0-1').live, ASSOCIATION_READ);
  const deals = (1 + ACTIVITIES.length) * calls(sizes(DEAL).live, ASSOCIATION_READ);
  const activities = ACTIVITIES.map((typeId) => countAroundDeals(portal, typeId)).reduce(
    (sum, count) => sum + calls(count, PAGE) + 3 * calls(count, ASSOCIATION_READ),
    0,
  );
  return REFERENCE_LISTS + lists + people + deals + activities;
}

/** Live activities of one type that are associated with a live deal. */
export function countAroundDeals(portal: Portal, typeId: string): number {
  const [table, deals] = [portal.tables.get(typeId), portal.tables.get(DEAL)];
  let count = 0;
  for (const { id, archivedAtMs } of table?.rows.values() ?? []) {
    if (archivedAtMs !== null) continue;
    const around = linksFrom(portal.associations, typeId, DEAL, id);
    if (around.some(({ toId }) => deals?.rows.get(toId)?.archivedAtMs === null)) count += 1;
  }
  return count;
}

/** ceil(rows ÷ 100) upserts, and the new rows' associations to their deals and to the partners' companies. */
export function countWriteMinimum(written: { readonly rows: number; readonly withCompany: number }): number {
  const { rows, withCompany } = written;
  return calls(rows, UPSERT) + calls(rows, ASSOCIATION_WRITE) + calls(withCompany, ASSOCIATION_WRITE);
}

const KINDS = ['companies', 'contacts', 'deals', 'meetings', 'calls', 'emails', 'notes', 'tasks'] as const;
const READS = ['objects.list', 'objects.batchRead', 'objects.get', 'search'] as const;
const REFERENCE_READS = ['account.details', 'pipelines.list', 'owners.list', 'labels.list'] as const;
const WRITES = [
  'objects.batchUpsert',
  'objects.batchUpdate',
  'objects.batchCreate',
  'objects.batchArchive',
  'associations.create',
] as const;

export interface CallCounts {
  readonly read: number;
  readonly write: number;
}

/**
 * Calls made so far, retries included; works in both modes of the log. The account check asks for a list of every kind
 * once, and every description of the account for a page of deals: both are taken off. Of the reference lists only
 * one description is counted: the check makes its own.
 */
export function countCalls(log: Pick<CallLog, 'count'>): CallCounts {
  const sum = (counts: readonly number[]) => counts.reduce((total, each) => total + each, 0);
  const rows = sum(KINDS.flatMap((kind) => READS.map((operation) => log.count({ operation, kind }))));
  const relations = log.count({ operation: 'associations.read' });
  // Activities are never listed, but for the check.
  const checks = log.count({ operation: 'objects.list', kind: 'meetings' });
  const descriptions = log.count({ operation: 'account.details' });
  const references = sum(REFERENCE_READS.map((operation) => log.count({ operation })));
  return {
    read: rows - checks * KINDS.length - descriptions + relations + Math.min(REFERENCE_LISTS, references),
    write: sum(WRITES.map((operation) => log.count({ operation }))),
  };
}
