import { and, eq, sql } from 'drizzle-orm';
import { ACTIVITY_KINDS } from '../../connectors/connector.ts';
import { type ConnectionKey, query, type Tx, textArray, toInstantOrNull } from '../platform/db/client.ts';
import { syncPositions } from './tables.ts';

export interface SyncPosition {
  readonly kind: string;
  readonly backfill: 'waiting' | 'running' | 'done';
  readonly cursor: string | null;
  readonly rowsRead: number;
  readonly rowsExpected: number | null;
  readonly backfillStartedAt: string | null;
  readonly watermark: string | null;
  readonly polledAt: string | null;
  readonly reconciledAt: string | null;
  readonly drift: number | null;
}

export async function listPositions(tx: Tx, key: ConnectionKey): Promise<readonly SyncPosition[]> {
  const rows = await tx
    .select()
    .from(syncPositions)
    .where(
      and(
        eq(syncPositions.organizationId, key.organizationId),
        eq(syncPositions.connectionId, key.connectionId),
      ),
    );
  return rows.map((row) => ({
    kind: row.kind,
    backfill: row.backfill,
    cursor: row.cursor,
    rowsRead: row.rowsRead,
    rowsExpected: row.rowsExpected,
    backfillStartedAt: toInstantOrNull(row.backfillStartedAt),
    watermark: toInstantOrNull(row.watermark),
    polledAt: toInstantOrNull(row.polledAt),
    reconciledAt: toInstantOrNull(row.reconciledAt),
    drift: row.drift,
  }));
}

/**
 * Starts (again) the full read of these kinds; what is stored stays, the read brings it up to date. Activities keep the
 * watermark they had: they are read around deals, by name, and what happened to known ones since then only a search shows.
 */
export async function resetPositions(
  tx: Tx,
  key: ConnectionKey,
  kinds: readonly string[],
  now: Date,
): Promise<void> {
  const at = now.toISOString();
  await tx
    .insert(syncPositions)
    .values(
      kinds.map((kind) => ({
        organizationId: key.organizationId,
        connectionId: key.connectionId,
        kind,
        watermark: at,
        backfillStartedAt: at,
      })),
    )
    .onConflictDoUpdate({
      target: [syncPositions.organizationId, syncPositions.connectionId, syncPositions.kind],
      set: {
        backfill: 'waiting',
        cursor: null,
        rowsRead: 0,
        rowsExpected: null,
        watermark: sql`case when ${syncPositions.kind} = any(${textArray(ACTIVITY_KINDS)})
          then coalesce(${syncPositions.watermark}, excluded.watermark) else excluded.watermark end`,
        backfillStartedAt: at,
        backfillEndedAt: null,
      },
    });
}

/**
 * Moves a full read on, in the transaction that stored the page. `cursor: null` = the kind is done. A read that somebody
 * started anew meanwhile stays where it is: the page belongs to the one before.
 */
export async function advanceBackfill(
  tx: Tx,
  key: ConnectionKey,
  position: Pick<SyncPosition, 'kind' | 'backfillStartedAt'>,
  step: { readonly cursor: string | null; readonly rows: number; readonly expected: number | null },
  now: Date,
): Promise<void> {
  await tx.execute(sql`
    update sync_positions set cursor = ${step.cursor}, rows_read = rows_read + ${step.rows},
      rows_expected = coalesce(${step.expected}::bigint, rows_expected),
      backfill = ${step.cursor === null ? 'done' : 'running'},
      backfill_ended_at = ${step.cursor === null ? now.toISOString() : null}::timestamptz
    where organization_id = ${key.organizationId}::uuid and connection_id = ${key.connectionId}::uuid and kind = ${position.kind}
      and backfill_started_at is not distinct from ${position.backfillStartedAt}::timestamptz`);
}

/** Raises the watermark, never lowers it; in the transaction that stored the page. */
export async function raiseWatermark(
  tx: Tx,
  key: ConnectionKey,
  kind: string,
  completeUntil: string | null,
  now: Date,
): Promise<void> {
  await tx.execute(sql`
    update sync_positions set watermark = greatest(watermark, ${completeUntil}::timestamptz), polled_at = ${now.toISOString()}::timestamptz
    where organization_id = ${key.organizationId}::uuid and connection_id = ${key.connectionId}::uuid and kind = ${kind}`);
}

/** What the last comparison of a kind of record, or of our own rows (`crm-rows`), found. */
export async function saveReconciliation(
  tx: Tx,
  key: ConnectionKey,
  kind: string,
  drift: number,
  now: Date,
): Promise<void> {
  await tx.execute(sql`
    insert into sync_positions (organization_id, connection_id, kind, backfill, reconciled_at, drift)
    values (${key.organizationId}::uuid, ${key.connectionId}::uuid, ${kind}, 'done', ${now.toISOString()}::timestamptz, ${drift})
    on conflict (organization_id, connection_id, kind) do update set reconciled_at = excluded.reconciled_at, drift = excluded.drift`);
}

/** Is the first full read over? Until then recompute holds still: half the evidence gives the wrong answer. */
export async function isBackfilled(tx: Tx, key: ConnectionKey): Promise<boolean> {
  const rows = await query<{ open: boolean }>(
    tx,
    sql`select exists (select from sync_positions where organization_id = ${key.organizationId}::uuid
      and connection_id = ${key.connectionId}::uuid and backfill <> 'done') as open`,
  );
  return rows[0]?.open === false;
}
