import { type SQL, sql } from 'drizzle-orm';

/**
 * Who is newer, decided in SQL for every record table: the later CRM modification wins, the later reading breaks ties.
 * Whether a record is there at all is another matter, since CRMs do not bump the modification instant on restore or
 * archive: a reading by id (`verified`) that began later wins over what we thought, a list or search result does not.
 *
 * @param table the table's name as used in the statement
 * @param verified `true` when the snapshot comes from a read by id
 */
export function isNewer(table: string, verified: boolean): SQL {
  const t = sql.raw(table);
  const asOfPresence = verified
    ? sql`or (excluded.read_at > ${t}.read_at and (${t}.deleted_at is null) <> (excluded.deleted_at is null))`
    : sql``;
  return sql`(${t}.changed_at is null or excluded.changed_at > ${t}.changed_at
    or (excluded.changed_at = ${t}.changed_at and excluded.read_at >= ${t}.read_at) ${asOfPresence})`;
}

/**
 * A merge is told by the survivor and never undone: it also counts against a row that seems to have changed later, unless
 * that row was read after the word was. Without the reading's age a stale page would point a record back at a former
 * survivor.
 */
export function isMergeWord(table: string): SQL {
  const t = sql.raw(table);
  return sql`(excluded.merged_into_external_id is not null and excluded.read_at >= ${t}.read_at)`;
}
