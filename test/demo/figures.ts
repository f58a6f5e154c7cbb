import { countAroundDeals, countCalls, countReadMinimum, countWriteMinimum } from '../oracle/call-minimum.ts';
import { findWrittenTable } from '../oracle/portal-drift.ts';
import { liveRows } from '../oracle/portal-facts.ts';
import { type DemoPortal, PORTAL_ID } from './portal.ts';

const ACTIVITY_TYPES = ['0-47', '0-48', '0-49', '0-46', '0-27'] as const;

/** What a full read must bring: people, companies and deals, archived ones too, and activities around deals. */
export function countRecords({ sandbox }: DemoPortal): number {
  const { tables } = sandbox.portal(PORTAL_ID);
  const listed = ['0-1', '0-2', '0-3'].map((id) => tables.get(id));
  const rows = listed.reduce(
    (sum, table) => sum + (table?.liveIds.size ?? 0) + (table?.archivedIds.size ?? 0),
    0,
  );
  return rows + countActivitiesAround(sandbox.portal(PORTAL_ID));
}

const countActivitiesAround = (portal: Parameters<typeof countAroundDeals>[0]) =>
  ACTIVITY_TYPES.reduce((sum, typeId) => sum + countAroundDeals(portal, typeId), 0);

export interface BulkCalls {
  readonly read: number;
  readonly readMinimum: number;
  readonly write: number;
  readonly writeMinimum: number;
}

/** Calls of the full read and the first write-back, beside the fewest that HubSpot's sizes allow. */
export function countBulkCalls({ sandbox, reads }: DemoPortal): BulkCalls {
  const portal = sandbox.portal(PORTAL_ID);
  const { write } = countCalls(sandbox.log);
  const table = findWrittenTable(portal);
  const rows = table === null ? [] : liveRows(table);
  const companies = table === null ? undefined : portal.associations.links.get(`${table.typeId}>0-2`);
  const withCompany = rows.filter(({ id }) => companies?.has(id) === true).length;
  return {
    read: reads(),
    readMinimum: countReadMinimum(portal),
    write,
    writeMinimum: countWriteMinimum({ rows: rows.length, withCompany }),
  };
}

/** Rows of ours that stand in the portal. */
export function countStanding({ sandbox }: DemoPortal): number {
  const table = findWrittenTable(sandbox.portal(PORTAL_ID));
  return table === null ? 0 : liveRows(table).length;
}
