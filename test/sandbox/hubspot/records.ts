import { link, linksFrom, unlink } from './association-store.ts';
import { dealConsequences } from './deal-consequences.ts';
import { emitAssociation, emitChange, emitRecord, type Source } from './events.ts';
import type { HubSpotSandboxState } from './sandbox-state.ts';
import type { ObjectTable, Portal, Row, Values } from './state.ts';

/** Who does something in which portal: our integration through the API, or a person on a record page. */
export interface Acting {
  readonly sandbox: HubSpotSandboxState;
  readonly portal: Portal;
  readonly source: Source;
}
export interface RecordEnd {
  readonly type: string;
  readonly id: string;
}

/** Follows merges to the record that answers for `id` now; null when there never was one. */
export function resolveRow(table: ObjectTable, id: string): Row | null {
  let row = table.rows.get(id);
  while (row?.mergedInto != null) row = table.rows.get(row.mergedInto);
  return row ?? null;
}

/** Makes a record out of checked values, and says so to search and webhooks. */
export function createRecord(acting: Acting, table: ObjectTable, values: Values): Row {
  const nowMs = acting.sandbox.nowMs();
  const id = String(acting.portal.nextId);
  acting.portal.nextId += 1 + acting.sandbox.random.between(0, 2);
  const row = insertRecord(acting.portal, table, { id, values, createdAtMs: nowMs, updatedAtMs: nowMs });
  row.values = { ...row.values, ...dealConsequences(acting.portal, table, row, {}, nowMs) };
  touchSearch(acting, table, row);
  emitRecord(acting, table, 'creation', row.id);
  for (const [name, value] of Object.entries(values)) {
    if (value !== null) emitChange(acting, table, row.id, name, value);
  }
  return row;
}

/** Puts a record in as it stands: no events and no search lag (the caller indexes it). For seeding. */
export function insertRecord(
  portal: Portal,
  table: ObjectTable,
  spec: {
    readonly id: string;
    readonly values: Values;
    readonly createdAtMs: number;
    readonly updatedAtMs: number;
  },
): Row {
  const row: Row = {
    id: spec.id,
    modifiedProperty: table.modifiedProperty,
    values: {
      ...spec.values,
      hs_object_id: spec.id,
      [table.createdProperty]: spec.values[table.createdProperty] ?? new Date(spec.createdAtMs).toISOString(),
      [table.modifiedProperty]: new Date(spec.updatedAtMs).toISOString(),
    },
    createdAtMs: spec.createdAtMs,
    updatedAtMs: spec.updatedAtMs,
    archivedAtMs: null,
    mergedInto: null,
    history: null,
    version: 1,
  };
  table.rows.set(row.id, row);
  table.liveIds.add(row.id);
  claimUniques(table, row.id, {}, row.values);
  portal.nextId = Math.max(portal.nextId, Number(spec.id) + 1);
  return row;
}

/** Writes checked values; only what differs counts as a change. Returns whether anything did. */
export function updateRecord(acting: Acting, table: ObjectTable, row: Row, values: Values): boolean {
  const nowMs = acting.sandbox.nowMs();
  const changed = Object.entries(values).filter(([name, value]) => (row.values[name] ?? null) !== value);
  if (changed.length === 0) return false;
  const before = row.values;
  for (const [name, value] of changed) remember(row, name, value, nowMs, acting.source);
  row.values = { ...before, ...Object.fromEntries(changed) };
  const consequences = dealConsequences(acting.portal, table, row, before, nowMs);
  for (const [name, value] of Object.entries(consequences)) {
    if ((before[name] ?? null) !== value) remember(row, name, value, nowMs, acting.source);
  }
  row.values = { ...row.values, ...consequences };
  claimUniques(table, row.id, before, row.values);
  touch(row, nowMs);
  touchSearch(acting, table, row);
  for (const [name, value] of changed) emitChange(acting, table, row.id, name, value ?? '');
  return true;
}

/** To the bin: gone from lists and search, still there with `archived=true`. */
export function archiveRecord(acting: Acting, table: ObjectTable, row: Row): void {
  if (row.archivedAtMs !== null || row.mergedInto !== null) return;
  const nowMs = acting.sandbox.nowMs();
  row.archivedAtMs = nowMs;
  row.updatedAtMs = nowMs;
  table.liveIds.remove(row.id);
  table.archivedIds.add(row.id);
  table.index.generation += 1;
  releaseUniques(table, row);
  emitRecord(acting, table, 'deletion', row.id);
}

export function restoreRecord(acting: Acting, table: ObjectTable, row: Row): void {
  if (row.archivedAtMs === null) return;
  row.archivedAtMs = null;
  table.archivedIds.remove(row.id);
  table.liveIds.add(row.id);
  claimUniques(table, row.id, {}, row.values);
  touch(row, acting.sandbox.nowMs());
  touchSearch(acting, table, row);
  emitRecord(acting, table, 'restore', row.id);
}

/** Privacy deletion: the record is gone for good, archived reads included. */
export function eraseRecord(acting: Acting, table: ObjectTable, row: Row): void {
  const email = row.values.email ?? null;
  if (email !== null) acting.portal.blocklist.add(email.toLowerCase());
  releaseUniques(table, row);
  table.liveIds.remove(row.id);
  table.archivedIds.remove(row.id);
  table.rows.delete(row.id);
  table.index.generation += 1;
  dropLinks(acting, table, row.id);
  emitRecord(acting, table, 'privacyDeletion', row.id);
}

/** Links two records and tells both sides. Association changes never move the modification time. */
export function associateRecords(
  acting: Acting,
  from: RecordEnd,
  to: RecordEnd,
  typeIds: readonly number[],
): void {
  const { portal } = acting;
  const { added, displaced } = link(portal.associations, from, to, typeIds);
  for (const each of displaced) {
    emitAssociation(acting, from, { type: to.type, id: each.toId }, each.typeId, true);
  }
  for (const typeId of added) emitAssociation(acting, from, to, typeId, false);
  mirrorParent(portal, from, to);
}

export function disassociateRecords(
  acting: Acting,
  from: RecordEnd,
  to: RecordEnd,
  typeIds?: readonly number[],
): void {
  const gone = unlink(acting.portal.associations, from, to, typeIds);
  for (const typeId of gone) emitAssociation(acting, from, to, typeId, true);
  if (gone.length > 0) mirrorParent(acting.portal, from, to);
}

/** `hs_parent_company_id` shows the parent association; it is computed, so no event and no new timestamp. */
function mirrorParent(portal: Portal, from: RecordEnd, to: RecordEnd): void {
  if (from.type !== '0-2' || to.type !== '0-2') return;
  const companies = portal.tables.get('0-2');
  for (const end of [from, to]) {
    const row = companies?.rows.get(end.id);
    if (row === undefined) continue;
    const parent = linksFrom(portal.associations, '0-2', '0-2', end.id).find((each) =>
      each.types.includes(14),
    );
    row.values = { ...row.values, hs_parent_company_id: parent?.toId ?? null };
  }
}

function dropLinks(acting: Acting, table: ObjectTable, id: string): void {
  for (const other of acting.portal.tables.keys()) {
    for (const each of [...linksFrom(acting.portal.associations, table.typeId, other, id)]) {
      unlink(acting.portal.associations, { type: table.typeId, id }, { type: other, id: each.toId });
    }
  }
}

export function touch(row: Row, nowMs: number): void {
  row.updatedAtMs = nowMs;
  row.version += 1;
  row.values = { ...row.values, [row.modifiedProperty]: new Date(nowMs).toISOString() };
}

export function touchSearch(acting: Acting, table: ObjectTable, row: Row): void {
  const { min, max } = acting.sandbox.knobs.indexLagMs;
  const lagMs = acting.sandbox.random.between(min, max);
  if (lagMs <= 0) table.index.put(row);
  else table.index.putLater(row, acting.sandbox.nowMs() + lagMs);
}

function remember(row: Row, name: string, value: string | null, nowMs: number, source: Source): void {
  row.history ??= new Map();
  let entries = row.history.get(name);
  if (entries === undefined) {
    const first = row.values[name];
    entries =
      first == null
        ? []
        : [
            {
              value: first,
              timestamp: new Date(row.createdAtMs).toISOString(),
              sourceType: 'CRM_UI',
              sourceId: '',
            },
          ];
    row.history.set(name, entries);
  }
  entries.unshift({
    value: value ?? '',
    timestamp: new Date(nowMs).toISOString(),
    sourceType: source.changeSource,
    sourceId: source.sourceId,
  });
}

function claimUniques(table: ObjectTable, id: string, before: Values, after: Values): void {
  for (const [name, owners] of table.unique) {
    if (before[name] === after[name]) continue;
    const old = before[name];
    if (old != null && owners.get(old.toLowerCase()) === id) owners.delete(old.toLowerCase());
    const value = after[name];
    if (value != null) owners.set(value.toLowerCase(), id);
  }
}

export function releaseUniques(table: ObjectTable, row: Row): void {
  claimUniques(table, row.id, row.values, {});
}
