import { sql } from 'drizzle-orm';
import { ACTIVITY_KINDS, type RecordKind } from '../../connectors/connector.ts';
import { type ConnectionKey, query, rowsParameter, type Tx, textArray } from '../platform/db/client.ts';

const TABLES: Readonly<Record<string, string>> = { account: 'accounts', contact: 'contacts', deal: 'deals' };
const source = (kind: RecordKind) => {
  const isActivity = (ACTIVITY_KINDS as readonly string[]).includes(kind);
  return {
    table: sql.raw(isActivity ? 'activities' : (TABLES[kind] ?? '')),
    where: isActivity ? sql`and t.kind = ${kind}` : sql``,
    isActivity,
  };
};

/**
 * Ids that stand in the CRM and are unknown, deleted or older here. An unknown activity counts only when it was touched
 * since we watch this account: older ones without a deal were left out of the full read on purpose.
 */
export async function findDiffering(
  tx: Tx,
  key: ConnectionKey,
  kind: RecordKind,
  batch: readonly { readonly externalId: string; readonly version: string }[],
): Promise<readonly string[]> {
  const { table, where, isActivity } = source(kind);
  const rows = await query<{ id: string }>(
    tx,
    sql`
    select r.id from jsonb_to_recordset(${rowsParameter(batch.map((b) => ({ id: b.externalId, version: b.version })))}) as r(id text, version timestamptz)
    left join ${table} t on t.organization_id = ${key.organizationId}::uuid and t.connection_id = ${key.connectionId}::uuid and t.external_id = r.id ${where}
    join connections c on c.organization_id = ${key.organizationId}::uuid and c.id = ${key.connectionId}::uuid
    where (t.id is null and (${!isActivity}::boolean or r.version >= c.created_at))
      or (t.id is not null and (t.deleted_at is not null or t.changed_at is null or t.changed_at < r.version))`,
  );
  return rows.map((r) => r.id);
}

/** Those of the ids that we hold as live. */
export async function findKnown(
  tx: Tx,
  key: ConnectionKey,
  kind: RecordKind,
  batch: readonly { readonly externalId: string }[],
): Promise<ReadonlySet<string>> {
  const { table, where } = source(kind);
  const rows = await query<{ external_id: string }>(
    tx,
    sql`select t.external_id from ${table} t where t.organization_id = ${key.organizationId}::uuid and t.connection_id = ${key.connectionId}::uuid
      and t.deleted_at is null and t.external_id = any(${textArray(batch.map((b) => b.externalId))}) ${where}`,
  );
  return new Set(rows.map((r) => r.external_id));
}

/** A page of what we hold as live and read before the sweep began, by ascending id, after `after`. */
export async function listLiveIds(
  tx: Tx,
  key: ConnectionKey,
  kind: RecordKind,
  page: { readonly before: Date; readonly after: string; readonly limit: number },
): Promise<readonly string[]> {
  const { table, where } = source(kind);
  const rows = await query<{ external_id: string }>(
    tx,
    sql`select t.external_id from ${table} t where t.organization_id = ${key.organizationId}::uuid and t.connection_id = ${key.connectionId}::uuid
      and t.deleted_at is null and t.read_at < ${page.before.toISOString()}::timestamptz and t.external_id > ${page.after} ${where}
      order by t.external_id limit ${page.limit}`,
  );
  return rows.map((r) => r.external_id);
}

/** How many we hold as live and read before the sweep began. */
export async function countLive(tx: Tx, key: ConnectionKey, kind: RecordKind, before: Date): Promise<number> {
  const { table, where } = source(kind);
  const rows = await query<{ n: number }>(
    tx,
    sql`select count(*)::int as n from ${table} t where t.organization_id = ${key.organizationId}::uuid and t.connection_id = ${key.connectionId}::uuid
      and t.deleted_at is null and t.read_at < ${before.toISOString()}::timestamptz ${where}`,
  );
  return rows[0]?.n ?? 0;
}
