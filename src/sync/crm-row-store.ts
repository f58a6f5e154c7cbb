import { sql } from 'drizzle-orm';
import type { RowOutcome, SchemaState } from '../../connectors/connector.ts';
import {
  type ConnectionKey,
  query,
  rowsParameter,
  type Tx,
  textArray,
  uuidArray,
} from '../platform/db/client.ts';

/** Where rows stand: another object or another rung is another place, and what was written before stands there no more. */
export function placeOf({ rung, handle }: SchemaState): string {
  return `${rung} ${JSON.stringify(Object.entries(handle).sort())}`;
}

/**
 * Before the CRM is told: from now on nobody knows what stands under these keys, until the outcome is saved. A process that
 * dies in between leaves rows that the next write-back writes again or retires, and no orphans.
 */
export async function beginWrite(
  tx: Tx,
  key: ConnectionKey,
  rows: readonly { readonly dealId: string; readonly key: string; readonly dealExternalId: string }[],
  place: string,
  now: Date,
): Promise<void> {
  if (rows.length === 0) return;
  const input = rowsParameter(rows.map((r) => ({ d: r.dealId, k: r.key, x: r.dealExternalId })));
  await tx.execute(sql`
    insert into crm_rows as c (organization_id, connection_id, deal_id, key, deal_external_id, written_hash, place, status, attempted_at)
    select ${key.organizationId}::uuid, ${key.connectionId}::uuid, r.d, r.k, r.x, 'unknown', ${place}::text, 'written', ${now.toISOString()}::timestamptz
    from jsonb_to_recordset(${input}) as r(d uuid, k text, x text) order by r.d, r.k
    on conflict (organization_id, connection_id, deal_id, key) do update set written_hash = 'unknown', place = excluded.place, retired = false`);
}

export interface AttemptedRow {
  readonly dealId: string;
  readonly outcome: RowOutcome;
  /** Hash of the row we wanted; null when it was to be retired. */
  readonly hash: string | null;
  /** The company we wanted it associated with. */
  readonly accountExternalId: string | null;
}

/**
 * Records what the CRM said of each row, in the words a person will read. Whether a refused row stands, in part or as it was
 * before, is not known; one that is for later stays as `beginWrite` left it.
 */
export async function saveOutcomes(
  tx: Tx,
  key: ConnectionKey,
  attempted: readonly AttemptedRow[],
  schema: { readonly version: string; readonly place: string },
  now: Date,
): Promise<void> {
  const rows = attempted.flatMap(({ dealId, outcome, hash, accountExternalId }) => {
    const { result } = outcome;
    if (result.status === 'later') return [];
    const rejected = result.status === 'rejected';
    return [
      {
        deal_id: dealId,
        key: outcome.key,
        deal_external_id: outcome.dealExternalId,
        crm_row_id: rejected ? null : result.crmRowId,
        account: result.status === 'written' ? accountExternalId : null,
        rejected,
        retired: result.status === 'retired',
        hash,
        reason: rejected ? result.message : null,
      },
    ];
  });
  if (rows.length === 0) return;
  const at = sql`${now.toISOString()}::timestamptz`;
  await tx.execute(sql`
    insert into crm_rows as c (organization_id, connection_id, deal_id, key, deal_external_id, crm_row_id, account_external_id, place,
      written_hash, rejected_hash, rejected_schema, rejected_reason, status, attempted_at, written_at, retired)
    select ${key.organizationId}::uuid, ${key.connectionId}::uuid, r.deal_id, r.key, r.deal_external_id, r.crm_row_id, r.account, ${schema.place}::text,
      case when not r.rejected and not r.retired then r.hash end, case when r.rejected then coalesce(r.hash, 'retire') end,
      case when r.rejected then ${schema.version}::text end, r.reason, case when r.rejected then 'rejected' else 'written' end, ${at},
      case when not r.rejected then ${at} end, r.retired
    from jsonb_to_recordset(${rowsParameter(rows)}) as r(deal_id uuid, key text, deal_external_id text, crm_row_id text, account text,
      rejected boolean, retired boolean, hash text, reason text)
    order by r.deal_id, r.key
    on conflict (organization_id, connection_id, deal_id, key) do update set
      deal_external_id = excluded.deal_external_id, crm_row_id = coalesce(excluded.crm_row_id, c.crm_row_id), place = excluded.place,
      account_external_id = case when excluded.status = 'rejected' then c.account_external_id else excluded.account_external_id end,
      written_hash = case when excluded.status = 'rejected' then c.written_hash else excluded.written_hash end,
      rejected_hash = excluded.rejected_hash, rejected_schema = excluded.rejected_schema, rejected_reason = excluded.rejected_reason,
      status = excluded.status, attempted_at = excluded.attempted_at, written_at = coalesce(excluded.written_at, c.written_at),
      retired = excluded.retired`);
}

/**
 * Lets refused rows of these deals be tried again. What was refused, and in which words, is kept: rows that were refused
 * alike are tried by one of them first.
 */
export async function forgetRejections(
  tx: Tx,
  key: ConnectionKey,
  dealIds: readonly string[],
): Promise<void> {
  await tx.execute(sql`update crm_rows set rejected_schema = null where organization_id = ${key.organizationId}::uuid
    and connection_id = ${key.connectionId}::uuid and status = 'rejected' and deal_id = any(${uuidArray(dealIds)})`);
}

/** Deals with something of ours in the CRM, or that should have it, after `afterDealId`, in a stable order. */
export async function listDealsToCompare(
  tx: Tx,
  key: ConnectionKey,
  afterDealId: string | null,
  limit: number | null,
): Promise<readonly string[]> {
  const rows = await query<{ id: string }>(
    tx,
    sql`select d.id from deals d where d.organization_id = ${key.organizationId}::uuid and d.connection_id = ${key.connectionId}::uuid
      and (${afterDealId}::uuid is null or d.id > ${afterDealId}::uuid) and (
        exists (select from credits c where c.organization_id = ${key.organizationId}::uuid and c.deal_id = d.id)
        or exists (select from crm_rows r where r.organization_id = ${key.organizationId}::uuid
          and r.connection_id = ${key.connectionId}::uuid and r.deal_id = d.id and not r.retired))
      order by d.id limit ${limit}::bigint`,
  );
  return rows.map((r) => r.id);
}

/** Those of the row keys that name a partner of ours: another organization may keep its own rows in the same CRM account. */
export async function findOwnKeys(
  tx: Tx,
  organizationId: string,
  keys: readonly string[],
): Promise<ReadonlySet<string>> {
  const partnerOf = (key: string) => key.slice(key.lastIndexOf(':') + 1);
  const rows = await query<{ id: string }>(
    tx,
    sql`select id from partners where organization_id = ${organizationId}::uuid
      and id::text = any(${textArray([...new Set(keys.map(partnerOf))])})`,
  );
  const ours = new Set(rows.map((row) => row.id));
  return new Set(keys.filter((key) => ours.has(partnerOf(key))));
}

/** The CRM does not hold what we thought: forget it, so that the next write-back brings it right. */
export async function distrustRows(
  tx: Tx,
  key: ConnectionKey,
  rows: readonly {
    readonly dealId: string;
    readonly key: string;
    readonly dealExternalId: string;
    readonly crmRowId: string | null;
    readonly stands: boolean;
  }[],
  place: string,
  now: Date,
): Promise<void> {
  if (rows.length === 0) return;
  const input = rowsParameter(
    rows.map((r) => ({ d: r.dealId, k: r.key, x: r.dealExternalId, c: r.crmRowId, s: r.stands })),
  );
  await tx.execute(sql`
    insert into crm_rows as c (organization_id, connection_id, deal_id, key, deal_external_id, crm_row_id, written_hash, place, status, attempted_at)
    select ${key.organizationId}::uuid, ${key.connectionId}::uuid, r.d, r.k, r.x, r.c, case when r.s then 'unknown' end, ${place}::text,
      'written', ${now.toISOString()}::timestamptz
    from jsonb_to_recordset(${input}) as r(d uuid, k text, x text, c text, s boolean)
    on conflict (organization_id, connection_id, deal_id, key) do update set written_hash = excluded.written_hash, place = excluded.place,
      crm_row_id = coalesce(excluded.crm_row_id, c.crm_row_id), retired = false`);
}

/**
 * Nothing of ours stands any more where it was written: everywhere, or but in `except`.
 * @returns deals whose rows are to be written anew, where they are still wanted.
 */
export async function forgetRows(
  tx: Tx,
  key: ConnectionKey,
  except: string | null,
): Promise<readonly string[]> {
  const rows = await query<{ deal_id: string }>(
    tx,
    sql`update crm_rows set retired = true, status = 'written', written_hash = null, crm_row_id = null, account_external_id = null,
        rejected_hash = null, rejected_schema = null, rejected_reason = null
      where organization_id = ${key.organizationId}::uuid and connection_id = ${key.connectionId}::uuid and not retired
        and (${except}::text is null or place is distinct from ${except}::text) returning deal_id`,
  );
  return rows.map((r) => r.deal_id);
}

/** Some of our rows were taken out, and nobody knows which. */
export async function distrustAllRows(tx: Tx, key: ConnectionKey): Promise<void> {
  await tx.execute(sql`update crm_rows set written_hash = 'unknown' where organization_id = ${key.organizationId}::uuid
    and connection_id = ${key.connectionId}::uuid and not retired and written_hash is not null`);
}
