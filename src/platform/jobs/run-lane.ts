import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import { type Database, withOrganization } from '../db/client.ts';
import { Misconfigured, ReconnectNeeded, Rejected, RetryLater } from '../errors.ts';
import type { Log } from '../log.ts';
import { defineJob, type Job } from './define-job.ts';
import type { Lane, WorkScope } from './lanes.ts';
import { type ClaimedWork, claimWork, hasDueWork, settleWork, type WorkOutcome, wake } from './work-store.ts';

/** What a slice says about its lane. `handle` names an outcome for every item; what it leaves out counts as done. */
export interface LaneHandler {
  readonly lane: Lane;
  /** Objects per claim. */
  readonly batch: number;
  /** Longer than any `handle` takes; work of a dead process is free again after it. */
  readonly leaseMs: number;
  handle(batch: WorkBatch): Promise<ReadonlyMap<ClaimedWork, WorkOutcome>>;
}
export interface WorkBatch {
  readonly organizationId: string;
  readonly scopeId: string;
  readonly items: readonly ClaimedWork[];
  readonly signal: AbortSignal;
}

/** After so many batches a lane goes to the back of the queue: a busy organization waits for the quiet ones. */
const BATCHES_PER_TURN = 2;
/** A fault that is nobody's word but ours (a bug) is tried this often, then set aside. */
const MAX_ATTEMPTS = 6;
const WAIT_FOR_PERSON_MS = 15 * 60_000;
const DATABASE_FAULT_MS = 1_000;

/** The wake-up job of a lane: claims, works, settles, and asks for another turn while work is due. */
export function defineLaneJob(
  deps: { readonly db: Database; readonly clock: Clock; readonly log: Log },
  handler: LaneHandler,
): Job {
  return defineJob({
    name: handler.lane,
    schema: z.object({ organizationId: z.uuid(), scopeId: z.uuid() }),
    handle: async ({ organizationId, scopeId }, signal) => {
      const scope: WorkScope = { organizationId, lane: handler.lane, scopeId };
      for (let turn = 0; turn < BATCHES_PER_TURN && !signal.aborted; turn++) {
        if ((await runBatch(deps, handler, scope, signal)) === 0) return;
      }
      await withOrganization(deps.db, organizationId, async (tx) => {
        if (await hasDueWork(tx, scope, deps.clock.now())) await wake(tx, scope);
      });
    },
  });
}

async function runBatch(
  { db, clock, log }: { readonly db: Database; readonly clock: Clock; readonly log: Log },
  handler: LaneHandler,
  scope: WorkScope,
  signal: AbortSignal,
): Promise<number> {
  const claim = randomUUID();
  const items = await withOrganization(db, scope.organizationId, (tx) =>
    claimWork(tx, scope, { claim, limit: handler.batch, leaseMs: handler.leaseMs, now: clock.now() }),
  );
  if (items.length === 0) return 0;
  let outcomes: ReadonlyMap<ClaimedWork, WorkOutcome>;
  try {
    outcomes = await handler.handle({
      organizationId: scope.organizationId,
      scopeId: scope.scopeId,
      items,
      signal,
    });
  } catch (error) {
    const log1 = log.child({
      lane: scope.lane,
      organizationId: scope.organizationId,
      scopeId: scope.scopeId,
    });
    log1[isExpected(error) ? 'warn' : 'error']('work failed', { error, objects: items.length });
    outcomes = new Map(items.map((item) => [item, outcomeOfError(error, item, clock.now(), signal)]));
  }
  const settled = new Map(items.map((item) => [item, outcomes.get(item) ?? ({ status: 'done' } as const)]));
  await withOrganization(db, scope.organizationId, (tx) =>
    settleWork(tx, scope, claim, settled, clock.now()),
  );
  return items.length;
}

const isExpected = (error: unknown): boolean =>
  error instanceof RetryLater ||
  error instanceof ReconnectNeeded ||
  error instanceof Rejected ||
  error instanceof Misconfigured;

/** Two transactions in each other's way, or the connection lost: nobody's bug, and nothing of the work was stored. */
function isPassingDatabaseFault(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    const code = String((at as { readonly code?: unknown }).code ?? '');
    if (/^(40001|40P01|55P03|53300|57P0[1-3]|08\w{3}|ECONN(REFUSED|RESET)|CONNECTION_\w+)$/.test(code))
      return true;
  }
  return false;
}

/** Acts on the only errors that cross the connector line, and on bugs (DESIGN "The two interfaces"). */
export function outcomeOfError(
  error: unknown,
  item: { readonly attempts: number },
  now: Date,
  signal: AbortSignal,
): WorkOutcome {
  const later = (ms: number, failed: boolean, reason: string): WorkOutcome => ({
    status: 'later',
    at: new Date(now.getTime() + ms),
    failed,
    reason,
  });
  if (signal.aborted) return later(0, false, 'stopped');
  const reason = error instanceof Error ? error.message : String(error);
  if (error instanceof RetryLater) return later(error.afterMs, false, reason);
  if (error instanceof ReconnectNeeded || error instanceof Misconfigured)
    return later(WAIT_FOR_PERSON_MS, false, reason);
  if (error instanceof Rejected) return { status: 'set-aside', reason };
  if (isPassingDatabaseFault(error)) return later(DATABASE_FAULT_MS, false, reason);
  if (item.attempts + 1 >= MAX_ATTEMPTS) return { status: 'set-aside', reason: `internal error: ${reason}` };
  return later(1000 * 2 ** (2 * item.attempts), true, reason);
}
