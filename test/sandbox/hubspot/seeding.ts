import { zoneOffsetMs } from './account.ts';
import { link, typesFor } from './association-store.ts';
import type { Random } from './random.ts';
import { insertRecord, type RecordEnd } from './records.ts';
import { type ObjectTable, type Portal, type Row, tableNamed } from './state.ts';

export const DAY_MS = 86_400_000;
export const iso = (ms: number): string => new Date(ms).toISOString();

/** Writes records as if they had always been there: no events, no search lag, their own timestamps. */
export interface Seeding {
  readonly portal: Portal;
  readonly random: Random;
  readonly nowMs: number;
  table(type: string): ObjectTable;
  add(
    type: string,
    values: Readonly<Record<string, string | null>>,
    createdAtMs: number,
    updatedAtMs?: number,
  ): Row;
  /** `labels` none = the plain association. */
  link(from: RecordEnd, to: RecordEnd, ...labels: readonly string[]): void;
}

export function createSeeding(portal: Portal, random: Random, nowMs: number): Seeding {
  const table = (type: string) => tableNamed(portal, type);
  const typeIds = new Map<string, readonly number[]>();
  return {
    portal,
    random,
    nowMs,
    table,
    add(type, values, createdAtMs, updatedAtMs = createdAtMs) {
      const target = table(type);
      const row = insertRecord(portal, target, {
        id: String(portal.nextId),
        values,
        createdAtMs,
        updatedAtMs,
      });
      target.index.put(row);
      return row;
    },
    link(from, to, ...labels) {
      const [a, b] = [table(from.type).typeId, table(to.type).typeId];
      const key = `${a} ${b} ${labels.join('|')}`;
      let ids = typeIds.get(key);
      if (ids === undefined) {
        ids = typesFor(portal.associations, a, b)
          .filter((type) => (type.label === null ? labels.length === 0 : labels.includes(type.label)))
          .map((type) => type.typeId);
        typeIds.set(key, ids);
      }
      link(portal.associations, { type: a, id: from.id }, { type: b, id: to.id }, ids);
    },
  };
}

/** The instant of a wall-clock time in the portal's zone. */
export function wallTime(timeZone: string, day: string, time: string): number {
  const asUtc = Date.parse(`${day}T${time}Z`);
  return asUtc - zoneOffsetMs(timeZone, new Date(asUtc));
}
