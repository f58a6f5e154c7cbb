import { link, linksFrom, typesFor, unlink } from './association-store.ts';
import { emitRecord } from './events.ts';
import { type Acting, insertRecord, releaseUniques, touch, touchSearch } from './records.ts';
import type { ObjectTable, Row } from './state.ts';

/**
 * Merges `other` into `primary`: HubSpot makes a third record with a new id, which takes both records'
 * associations and answers for both old ids from then on.
 */
export function mergeRecords(acting: Acting, table: ObjectTable, primary: Row, other: Row): Row {
  const nowMs = acting.sandbox.nowMs();
  const id = String(acting.portal.nextId);
  acting.portal.nextId += 1;
  const merged: Record<string, string | null> = { ...other.values };
  for (const [name, value] of Object.entries(primary.values)) if (value !== null) merged[name] = value;
  const aliases = [primary, other].flatMap((row) => [
    row.id,
    ...(row.values.hs_merged_object_ids ?? '').split(';'),
  ]);
  merged.hs_merged_object_ids = [...new Set(aliases.filter((alias) => alias !== ''))].join(';');
  const createdAtMs = Math.min(primary.createdAtMs, other.createdAtMs);
  merged[table.createdProperty] = new Date(createdAtMs).toISOString();
  for (const row of [primary, other]) {
    releaseUniques(table, row);
    table.liveIds.remove(row.id);
    table.index.generation += 1;
    row.mergedInto = id;
    touch(row, nowMs);
  }
  const row = insertRecord(acting.portal, table, { id, values: merged, createdAtMs, updatedAtMs: nowMs });
  row.history = primary.history === null ? null : new Map(primary.history);
  for (const old of [primary, other]) moveLinks(acting, table, old.id, id);
  touchSearch(acting, table, row);
  emitRecord(acting, table, 'merge', id, {
    primaryObjectId: Number(primary.id),
    mergedObjectIds: [Number(other.id)],
    newObjectId: Number(id),
    numberOfPropertiesMoved: Object.keys(merged).length - Object.keys(primary.values).length,
  });
  return row;
}

function moveLinks(acting: Acting, table: ObjectTable, oldId: string, newId: string): void {
  const { associations } = acting.portal;
  for (const other of acting.portal.tables.keys()) {
    for (const each of [...linksFrom(associations, table.typeId, other, oldId)]) {
      const types = [...each.types];
      unlink(associations, { type: table.typeId, id: oldId }, { type: other, id: each.toId });
      if (each.toId === newId) continue;
      link(
        associations,
        { type: table.typeId, id: newId },
        { type: other, id: each.toId },
        keepPrimary(acting, table, other, newId, types),
      );
    }
  }
}

/** The record named as primary in the merge keeps its own primary company. */
function keepPrimary(
  acting: Acting,
  table: ObjectTable,
  other: string,
  id: string,
  types: readonly number[],
) {
  const known = typesFor(acting.portal.associations, table.typeId, other);
  const primaryType = known.find((type) => type.label === 'Primary')?.typeId;
  const taken = linksFrom(acting.portal.associations, table.typeId, other, id).some(
    (each) => primaryType !== undefined && each.types.includes(primaryType),
  );
  return taken ? types.filter((typeId) => typeId !== primaryType) : types;
}
