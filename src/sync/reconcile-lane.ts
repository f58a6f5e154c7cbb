import { sql } from 'drizzle-orm';
import { ACTIVITY_KINDS, type RecordKind } from '../../connectors/connector.ts';
import {
  type ConnectionKey,
  query,
  rowsParameter,
  type Tx,
  withOrganization,
} from '../platform/db/client.ts';
import type { LaneHandler } from '../platform/jobs/run-lane.ts';
import { markWork } from '../platform/jobs/work-store.ts';
import { type Connection, saveReconciliation } from './connection-store.ts';
import { markFetch } from './ingest.ts';
import { openConnector, type SyncDeps } from './open-connector.ts';
import { forAll, inAWhile, whenConnected } from './with-connection.ts';
import { distrustRows, listWrittenDeals, loadWriteBack } from './write-back-store.ts';

const TABLES: Readonly<Record<string, string>> = { account: 'accounts', contact: 'contacts', deal: 'deals' };
const DEALS_PER_READ = 200;

/**
 * The reconcile lane, once a day for each kind of record and for our own rows: compares both ends and sends every
 * difference down the same line again. A record that the sweep did not see is not deleted here: it is read by id, and
 * only the CRM's own word on that id counts.
 */
export function createReconcileLane(deps: SyncDeps): LaneHandler {
  return {
    lane: 'reconcile',
    batch: 1,
    leaseMs: 60 * 60_000,
    handle: (batch) =>
      whenConnected(deps, batch, async (connection) => {
        for (const item of batch.items) {
          if (item.object === 'crm-rows') await reconcileRows(deps, connection, batch.signal);
          else await reconcileRecords(deps, connection, item.object as RecordKind, batch.signal);
        }
        return forAll(batch.items, inAWhile(deps.clock.now(), deps.intervals.reconcileMs));
      }),
  };
}

async function reconcileRecords(
  deps: SyncDeps,
  connection: Connection,
  kind: RecordKind,
  signal: AbortSignal,
): Promise<void> {
  const startedAt = deps.clock.now();
  const seen = new Set<string>();
  let drift = 0;
  const look = async (tx: Tx, ids: readonly string[]) => {
    drift += ids.length;
    await markFetch(
      tx,
      connection,
      ids.map((id) => `${kind}:${id}`),
      { now: deps.clock.now() },
    );
  };
  for await (const batch of openConnector(deps, connection).ids(kind, signal)) {
    for (const { externalId } of batch) seen.add(externalId);
    await withOrganization(deps.db, connection.organizationId, async (tx) =>
      look(tx, await findDiffering(tx, connection, kind, batch)),
    );
  }
  await withOrganization(deps.db, connection.organizationId, async (tx) => {
    const ours = await listLiveIds(tx, connection, kind, startedAt);
    await look(
      tx,
      ours.filter((id) => !seen.has(id)),
    );
    await saveReconciliation(tx, connection, kind, drift, deps.clock.now());
  });
  if (drift > 0)
    deps.log.warn('reconciliation found differences', { kind, drift, connectionId: connection.connectionId });
}

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
 * since we watch this kind: older ones without a deal were left out of the full read on purpose.
 */
async function findDiffering(
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
    left join sync_positions s on s.organization_id = ${key.organizationId}::uuid and s.connection_id = ${key.connectionId}::uuid and s.kind = ${kind}
    where (t.id is null and (${!isActivity}::boolean or r.version >= s.backfill_started_at))
      or (t.id is not null and (t.deleted_at is not null or t.changed_at is null or t.changed_at < r.version))`,
  );
  return rows.map((r) => r.id);
}

/** What we hold as live and read before the sweep began. */
async function listLiveIds(
  tx: Tx,
  key: ConnectionKey,
  kind: RecordKind,
  before: Date,
): Promise<readonly string[]> {
  const { table, where } = source(kind);
  const rows = await query<{ external_id: string }>(
    tx,
    sql`select t.external_id from ${table} t where t.organization_id = ${key.organizationId}::uuid and t.connection_id = ${key.connectionId}::uuid
      and t.deleted_at is null and t.read_at < ${before.toISOString()}::timestamptz ${where}`,
  );
  return rows.map((r) => r.external_id);
}

/** Reads our own rows back: whatever a person changed, or a lost answer left unclear, is written again. */
async function reconcileRows(deps: SyncDeps, connection: Connection, signal: AbortSignal): Promise<void> {
  const schema = connection.schemaState;
  if (schema === null || schema.rung === 'none') return;
  const connector = openConnector(deps, connection);
  let after: string | null = null;
  let drift = 0;
  for (;;) {
    const dealIds = await withOrganization(deps.db, connection.organizationId, (tx) =>
      listWrittenDeals(tx, connection, after, DEALS_PER_READ),
    );
    if (dealIds.length === 0) break;
    after = dealIds.at(-1) ?? null;
    const deals = await withOrganization(deps.db, connection.organizationId, (tx) =>
      loadWriteBack(tx, connection, dealIds),
    );
    const written = await connector.readBack(
      deals.map((deal) => deal.dealExternalId),
      signal,
    );
    const writtenOf = Map.groupBy(written, (w) => w.dealExternalId);
    const wrong = deals.flatMap((deal) => {
      const standing = new Map((writtenOf.get(deal.dealExternalId) ?? []).map((w) => [w.key, w]));
      const known = new Map(deal.known.map((k) => [k.key, k]));
      const missingOrChanged = deal.desired.filter((row) => {
        const stands = standing.get(row.key);
        if (known.get(row.key)?.writtenHash !== row.hash) return false;
        return (
          stands === undefined ||
          stands.sharePercent === null ||
          Number(stands.sharePercent) !== Number(row.sharePercent) ||
          ((stands.amount ?? null) !== (row.amount ?? null) &&
            Number(stands.amount) !== Number(row.amount)) ||
          stands.model !== row.model
        );
      });
      const foreign = [...standing.values()].filter(
        (w) => !deal.desired.some((row) => row.key === w.key) && known.get(w.key)?.writtenHash == null,
      );
      const base = { dealId: deal.dealId, dealExternalId: deal.dealExternalId };
      return [
        ...missingOrChanged.map((row) => ({
          ...base,
          key: row.key,
          crmRowId: standing.get(row.key)?.crmRowId ?? null,
          stands: false,
        })),
        ...foreign.map((w) => ({ ...base, key: w.key, crmRowId: w.crmRowId, stands: true })),
      ];
    });
    drift += wrong.length;
    await withOrganization(deps.db, connection.organizationId, async (tx) => {
      const now = deps.clock.now();
      await distrustRows(tx, connection, wrong, now);
      const scope = {
        organizationId: connection.organizationId,
        scopeId: connection.connectionId,
        lane: 'write-back',
      } as const;
      await markWork(
        tx,
        scope,
        wrong.map((w) => w.dealId),
        now,
      );
    });
  }
  if (drift > 0)
    deps.log.warn('reconciliation found changed rows', { drift, connectionId: connection.connectionId });
}
