import { sql } from 'drizzle-orm';
import { query, rowsParameter, type Tx, toInstant, uuidArray } from '../platform/db/client.ts';
import { decodeInput } from './input-codec.ts';
import type { AttributionInput, AttributionResult, ModelName, ModelResult, RuleSet } from './types.ts';

export interface NewRun {
  readonly runId: string;
  readonly dealId: string;
  /** No result of this deal stands: there is nothing to replace. */
  readonly first: boolean;
  readonly anchorOn: string;
  readonly inputHash: string;
  readonly input: Uint8Array;
  readonly resultHash: string;
  readonly currency: string | null;
  readonly result: AttributionResult;
}

/** Hashes of the latest runs, to tell whether anything is new: A → B → A is three runs, A → A one. */
export async function findLatestHashes(
  tx: Tx,
  organizationId: string,
  dealIds: readonly string[],
): Promise<ReadonlyMap<string, { readonly inputHash: string; readonly blockedReason: string | null }>> {
  const rows = await query<{ deal_id: string; input_hash: string; blocked_reason: string | null }>(
    tx,
    sql`select deal_id, input_hash, blocked_reason from attributions
      where organization_id = ${organizationId}::uuid and deal_id = any(${uuidArray(dealIds)})`,
  );
  return new Map(rows.map((r) => [r.deal_id, { inputHash: r.input_hash, blockedReason: r.blocked_reason }]));
}

/** Appends runs and rewrites the projections of their deals, in three statements for any number of runs. */
export async function saveRuns(
  tx: Tx,
  organizationId: string,
  ruleSet: Pick<RuleSet, 'version' | 'modelOfRecord'>,
  runs: readonly NewRun[],
  now: Date,
): Promise<void> {
  if (runs.length === 0) return;
  const organization = sql`${organizationId}::uuid`;
  const at = sql`${now.toISOString()}::timestamptz`;
  const rows = rowsParameter(
    runs.map((run) => ({
      id: run.runId,
      deal_id: run.dealId,
      anchor_on: run.anchorOn,
      engine: run.result.engineVersion,
      input_hash: run.inputHash,
      result_hash: run.resultHash,
      input: Buffer.from(run.input).toString('base64'),
      state: run.result.state,
      touchpoints: run.result.touchpoints.length,
      valid_until: run.result.validUntil,
    })),
  );
  await tx.execute(sql`
    with r as materialized (
      select * from jsonb_to_recordset(${rows}) as r(id uuid, deal_id uuid, anchor_on date, engine smallint, input_hash text, result_hash text,
        input text, state text, touchpoints integer, valid_until date)),
    stored as (
      insert into attribution_runs (organization_id, id, deal_id, computed_at, rule_set_version, engine_version, anchor_on, input_hash, result_hash, input)
      select ${organization}, id, deal_id, ${at}, ${ruleSet.version}::int, engine, anchor_on, decode(input_hash, 'hex'), decode(result_hash, 'hex'), decode(input, 'base64') from r)
    insert into attributions (organization_id, deal_id, run_id, computed_at, input_hash, rule_set_version, model_of_record, state, blocked_reason, touchpoints, valid_until_on)
    select ${organization}, deal_id, id, ${at}, input_hash, ${ruleSet.version}::int, ${ruleSet.modelOfRecord}, state, null, touchpoints, valid_until from r
    on conflict (organization_id, deal_id) do update set run_id = excluded.run_id, computed_at = excluded.computed_at, input_hash = excluded.input_hash,
      rule_set_version = excluded.rule_set_version, model_of_record = excluded.model_of_record, state = excluded.state, blocked_reason = null,
      touchpoints = excluded.touchpoints, valid_until_on = excluded.valid_until_on`);
  const credits = rowsParameter(runs.flatMap(toCreditRows));
  const stood = runs.filter((run) => !run.first).map((run) => run.dealId);
  if (stood.length > 0)
    await tx.execute(
      sql`delete from credits where organization_id = ${organization} and deal_id = any(${uuidArray(stood)})`,
    );
  await tx.execute(sql`
    insert into credits (organization_id, deal_id, model, partner_id, share_bps, amount_minor, currency, role, reason)
    select ${organization}, d, m, p, s, a, c, o, e
    from jsonb_to_recordset(${credits}) as r(d uuid, m text, p uuid, s smallint, a bigint, c text, o text, e text)`);
}

function toCreditRows(run: NewRun): object[] {
  const models = Object.entries(run.result.models) as [ModelName, ModelResult][];
  return models.flatMap(([model, { credits }]) =>
    credits.map((credit) => ({
      d: run.dealId,
      m: model,
      p: credit.partnerId,
      s: credit.shareBps,
      a: credit.amountMinor,
      c: credit.amountMinor === null ? null : run.currency,
      o: credit.role,
      e: credit.reason,
    })),
  );
}

/** A blocked deal keeps its last result, marked; an unblocked one whose inputs did not change loses the mark. */
export async function saveBlocked(
  tx: Tx,
  organizationId: string,
  blocked: readonly { readonly dealId: string; readonly reason: string | null }[],
): Promise<void> {
  if (blocked.length === 0) return;
  await tx.execute(sql`
    update attributions a set blocked_reason = r.reason
    from jsonb_to_recordset(${rowsParameter(blocked.map((b) => ({ deal_id: b.dealId, reason: b.reason })))}) as r(deal_id uuid, reason text)
    where a.organization_id = ${organizationId}::uuid and a.deal_id = r.deal_id`);
}

/** The projections of deals that earn nobody anything any more; their runs stay. */
export async function dropResults(tx: Tx, organizationId: string, dealIds: readonly string[]): Promise<void> {
  if (dealIds.length === 0) return;
  const these = sql`organization_id = ${organizationId}::uuid and deal_id = any(${uuidArray(dealIds)})`;
  await tx.execute(sql`delete from credits where ${these}`);
  await tx.execute(sql`delete from attributions where ${these}`);
}

export interface StoredRun {
  readonly runId: string;
  readonly dealId: string;
  readonly computedAt: string;
  readonly ruleSetVersion: number;
  readonly resultHash: string;
  readonly input: AttributionInput;
}

/** A run with its own inputs, ready to be replayed; null when there is none of this id. */
export async function findRun(
  tx: Tx,
  organizationId: string,
  runId: string,
  ruleSetOf: (version: number) => Promise<RuleSet>,
): Promise<StoredRun | null> {
  const [row] = await query<{
    id: string;
    deal_id: string;
    computed_at: string;
    rule_set_version: number;
    result_hash: string;
    input: string;
  }>(
    tx,
    sql`select id, deal_id, computed_at, rule_set_version, encode(result_hash, 'hex') as result_hash, encode(input, 'base64') as input
      from attribution_runs where organization_id = ${organizationId}::uuid and id = ${runId}::uuid`,
  );
  if (row === undefined) return null;
  const ruleSet = await ruleSetOf(row.rule_set_version);
  return {
    runId: row.id,
    dealId: row.deal_id,
    computedAt: toInstant(row.computed_at),
    ruleSetVersion: row.rule_set_version,
    resultHash: row.result_hash,
    input: decodeInput(Buffer.from(row.input, 'base64'), ruleSet),
  };
}

/** Today as the organization's calendar has it. */
export async function findToday(tx: Tx, organizationId: string, now: Date): Promise<string> {
  const [row] = await query<{ today: string }>(
    tx,
    sql`select (${now.toISOString()}::timestamptz at time zone time_zone)::date::text as today from organizations where organization_id = ${organizationId}::uuid`,
  );
  if (row === undefined) throw new Error(`organization ${organizationId} is not there`);
  return row.today;
}

/** Those of the deals that have, or had, something of ours to show in a CRM. */
export async function findDealsInCrm(
  tx: Tx,
  organizationId: string,
  dealIds: readonly string[],
): Promise<ReadonlySet<string>> {
  const ids = uuidArray(dealIds);
  const rows = await query<{ deal_id: string }>(
    tx,
    sql`select deal_id from credits where organization_id = ${organizationId}::uuid and deal_id = any(${ids})
      union select deal_id from crm_rows where organization_id = ${organizationId}::uuid and deal_id = any(${ids})`,
  );
  return new Set(rows.map((r) => r.deal_id));
}
