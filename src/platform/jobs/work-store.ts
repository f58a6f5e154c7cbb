import { sql } from 'drizzle-orm';
import { query, rowsParameter, type Tx, textArray, toInstant } from '../db/client.ts';
import type { WorkScope } from './lanes.ts';

export interface ClaimedWork {
  readonly object: string;
  readonly seq: number;
  /** How often this was tried before without success. */
  readonly attempts: number;
  readonly causedAt: string;
}

/** Work of a holder that was not heard of for so long is free again. */
const LEASE_SECONDS = 30;
const LEASE_END = sql`now() + make_interval(secs => ${LEASE_SECONDS})`;
/** How often a living holder says so. */
export const RENEW_EVERY_MS = 10_000;

/** What became of one claimed object. */
export type WorkOutcome =
  | { readonly status: 'done' }
  /** Not now: a passing fault, or a schedule. `failed` counts towards setting the work aside. */
  | { readonly status: 'later'; readonly at: Date; readonly failed: boolean; readonly reason: string }
  /** Will not be retried by itself; a person sees it with this reason. */
  | { readonly status: 'set-aside'; readonly reason: string };

/**
 * Marks objects as work in the causing transaction and wakes the lane, once. Marking work that is set aside takes it
 * up again: something changed. Any number of marks of one object before it is done are one piece of work.
 * @param options.runAt not before this instant (default: at once); the earlier of two marks wins.
 * @param options.silently wakes nobody: more of the same is being marked right now, and whoever marks the last of it
 * wakes; should that fail, the sweep does.
 */
export async function markWork(
  tx: Tx,
  scope: WorkScope,
  objects: readonly string[],
  now: Date,
  options: { readonly runAt?: Date; readonly causedAt?: string; readonly silently?: boolean } = {},
): Promise<void> {
  if (objects.length === 0) return;
  const runAt = options.runAt ?? now;
  const distinct = [...new Set(objects)].sort().map((object) => ({ object }));
  await tx.execute(sql`
    insert into work as w (organization_id, lane, scope_id, object, run_at, caused_at)
    select ${scope.organizationId}::uuid, ${scope.lane}, ${scope.scopeId}::uuid, r.object,
      ${runAt.toISOString()}::timestamptz, ${options.causedAt ?? now.toISOString()}::timestamptz
    from jsonb_to_recordset(${rowsParameter(distinct)}) as r(object text)
    on conflict (organization_id, lane, scope_id, object) do update
      set seq = w.seq + 1, run_at = least(w.run_at, excluded.run_at), caused_at = least(w.caused_at, excluded.caused_at),
          attempts = 0, set_aside_at = null, reason = null`);
  if (runAt <= now && options.silently !== true) await wake(tx, scope);
}

/** Says "there is work" to whoever listens; copies of the same wake-up collapse into one. */
export async function wake(tx: Tx, scope: WorkScope): Promise<void> {
  await tx.execute(
    sql`select ops.wake(${scope.lane}, ${scope.organizationId}::uuid, ${scope.scopeId}::uuid)`,
  );
}

/**
 * Takes up to `limit` due objects of the lane for `leaseMs`. Objects are looked up as an array: a join would be planned by
 * statistics, and those of a table that fills and empties all day are wrong. Work that failed before comes alone, so that one bad object
 * cannot fail its neighbours twice.
 */
export async function claimWork(
  tx: Tx,
  scope: WorkScope,
  options: { readonly claim: string; readonly limit: number; readonly now: Date },
): Promise<readonly ClaimedWork[]> {
  const at = options.now.toISOString();
  const due = sql`organization_id = ${scope.organizationId}::uuid and lane = ${scope.lane} and scope_id = ${scope.scopeId}::uuid
    and lease_until is null and set_aside_at is null and run_at <= ${at}::timestamptz`;
  const rows = await query<{ object: string; seq: string; attempts: number; caused_at: string }>(
    tx,
    sql`
    with failed as (
      select object from work where ${due} and attempts > 0 order by run_at, object limit 1 for update skip locked),
    fresh as (
      select object from work where ${due} and attempts = 0 and not exists (select from failed)
      order by run_at, object limit ${options.limit} for update skip locked)
    update work w set lease_until = ${LEASE_END}, claim = ${options.claim}::uuid
    where w.organization_id = ${scope.organizationId}::uuid and w.lane = ${scope.lane} and w.scope_id = ${scope.scopeId}::uuid
      and w.object = any(array(select object from fresh union all select object from failed))
    returning w.object, w.seq, w.attempts, w.caused_at`,
  );
  return rows
    .map((r) => ({
      object: r.object,
      seq: Number(r.seq),
      attempts: r.attempts,
      causedAt: toInstant(r.caused_at),
    }))
    .sort((a, b) => (a.object < b.object ? -1 : 1));
}

/** Keeps claimed work. @returns whether any of it is still ours: a holder that was taken for dead must stop. */
export async function renewClaim(tx: Tx, scope: WorkScope, claim: string): Promise<boolean> {
  const rows = await query(
    tx,
    sql`update work set lease_until = ${LEASE_END} where organization_id = ${scope.organizationId}::uuid
      and lane = ${scope.lane} and scope_id = ${scope.scopeId}::uuid and claim = ${claim}::uuid returning 1`,
  );
  return rows.length > 0;
}

/**
 * Gives claimed work back. Done work is deleted unless it was marked again meanwhile (its `seq` moved): then it runs
 * again. A claim that was taken over by somebody else changes nothing.
 * @returns whether any of it was marked again meanwhile, and so is due.
 */
export async function settleWork(
  tx: Tx,
  scope: WorkScope,
  claim: string,
  outcomes: ReadonlyMap<ClaimedWork, WorkOutcome>,
  now: Date,
): Promise<boolean> {
  if (outcomes.size === 0) return false;
  const entries = [...outcomes];
  const claimed = sql`w.organization_id = ${scope.organizationId}::uuid and w.lane = ${scope.lane} and w.scope_id = ${scope.scopeId}::uuid
    and w.object = any(${textArray(entries.map(([work]) => work.object))}) and w.claim = ${claim}::uuid`;
  const done = entries
    .filter(([, outcome]) => outcome.status === 'done')
    .map(([work]) => [work.object, work.seq]);
  if (done.length > 0)
    await tx.execute(sql`
      delete from work w where ${claimed}
        and w.seq = ((select ${JSON.stringify(Object.fromEntries(done))}::text::jsonb) ->> w.object)::bigint`);
  const rows = rowsParameter(
    entries.map(([work, outcome]) => ({
      object: work.object,
      seq: work.seq,
      status: outcome.status,
      run_at: outcome.status === 'later' ? outcome.at.toISOString() : null,
      failed: outcome.status === 'later' && outcome.failed ? 1 : 0,
      reason: outcome.status === 'done' ? null : outcome.reason,
    })),
  );
  const moved = await query<{ again: boolean }>(
    tx,
    sql`
    update work w set lease_until = null, claim = null,
      run_at = case when w.seq <> r.seq then least(w.run_at, ${now.toISOString()}::timestamptz) else coalesce(r.run_at, w.run_at) end,
      attempts = case when w.seq <> r.seq then 0 else w.attempts + r.failed end,
      set_aside_at = case when w.seq = r.seq and r.status = 'set-aside' then ${now.toISOString()}::timestamptz end,
      reason = case when w.seq = r.seq then r.reason end
    from jsonb_to_recordset(${rows}) as r(object text, seq bigint, status text, run_at timestamptz, failed integer, reason text)
    where ${claimed} and w.object = r.object returning w.seq <> r.seq as again`,
  );
  return moved.some((row) => row.again);
}

/** Is anything of this lane due now? */
export async function hasDueWork(tx: Tx, scope: WorkScope, now: Date): Promise<boolean> {
  const rows = await query(
    tx,
    sql`select 1 from work where organization_id = ${scope.organizationId}::uuid and lane = ${scope.lane} and scope_id = ${scope.scopeId}::uuid
      and lease_until is null and set_aside_at is null and run_at <= ${now.toISOString()}::timestamptz limit 1`,
  );
  return rows.length > 0;
}

export interface SetAsideWork {
  readonly lane: string;
  readonly scopeId: string;
  readonly object: string;
  readonly reason: string;
  readonly setAsideAt: string;
}

/** What waits for a person, newest first. */
export async function listSetAside(
  tx: Tx,
  organizationId: string,
  limit = 200,
): Promise<readonly SetAsideWork[]> {
  const rows = await query<{
    lane: string;
    scope_id: string;
    object: string;
    reason: string;
    set_aside_at: string;
  }>(
    tx,
    sql`select lane, scope_id, object, coalesce(reason, '') as reason, set_aside_at from work
      where organization_id = ${organizationId}::uuid and set_aside_at is not null
      order by set_aside_at desc, object limit ${limit}`,
  );
  return rows.map((r) => ({
    lane: r.lane,
    scopeId: r.scope_id,
    object: r.object,
    reason: r.reason,
    setAsideAt: toInstant(r.set_aside_at),
  }));
}
