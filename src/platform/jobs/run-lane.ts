import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import { SecretUnreadable } from '../crypto.ts';
import { type Database, withOrganization } from '../db/client.ts';
import { Misconfigured, ReconnectNeeded, Rejected, RetryLater } from '../errors.ts';
import type { Log } from '../log.ts';
import { defineJob, type Job } from './define-job.ts';
import type { Lane, WorkScope } from './lanes.ts';
import {
  type ClaimedWork,
  claimWork,
  hasDueWork,
  RENEW_EVERY_MS,
  renewClaim,
  settleWork,
  type WorkOutcome,
  wake,
} from './work-store.ts';

/** What a slice says about its lane. `handle` names an outcome for every item; what it leaves out counts as done. */
export interface LaneHandler {
  readonly lane: Lane;
  /** Objects per claim. */
  readonly batch: number;
  /**
   * The lane's rows are a schedule: whatever goes wrong, they are due again this much later, and are never set aside. A
   * schedule that waits for a person would be the end of the safety net it is.
   */
  readonly everyMs?: number;
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
/** However rarely a schedule runs: after a fault it is tried again within the hour. */
const LATEST_RETRY_MS = 3_600_000;

export interface LaneDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  /** How often a claim is renewed while it is worked on; tests are less patient. */
  readonly renewEveryMs?: number;
}

/** The wake-up job of a lane: claims, works, settles, and asks for another turn while work is due. */
export function defineLaneJob(deps: LaneDeps, handler: LaneHandler): Job {
  return defineJob({
    name: handler.lane,
    schema: z.object({ organizationId: z.uuid(), scopeId: z.uuid() }),
    handle: async ({ organizationId, scopeId }, signal) => {
      const scope: WorkScope = { organizationId, lane: handler.lane, scopeId };
      for (let turn = 0; turn < BATCHES_PER_TURN && !signal.aborted; turn++) {
        if (!(await runBatch(deps, handler, scope, signal))) return;
      }
      await withOrganization(deps.db, organizationId, async (tx) => {
        if (await hasDueWork(tx, scope, deps.clock.now())) await wake(tx, scope);
      });
    },
  });
}

/** @returns whether there may be more: what comes after a batch that was not full brings its own wake-up. */
async function runBatch(
  deps: LaneDeps,
  handler: LaneHandler,
  scope: WorkScope,
  signal: AbortSignal,
): Promise<boolean> {
  const { db, clock, log } = deps;
  const claim = randomUUID();
  const items = await withOrganization(db, scope.organizationId, (tx) =>
    claimWork(tx, scope, { claim, limit: handler.batch, now: clock.now() }),
  );
  if (items.length === 0) return false;
  const keeper = keepClaim(deps, scope, claim, signal);
  let outcomes: ReadonlyMap<ClaimedWork, WorkOutcome>;
  try {
    const { organizationId, scopeId } = scope;
    outcomes = await handler.handle({ organizationId, scopeId, items, signal: keeper.signal });
  } catch (error) {
    log
      .child({ ...scope })
      [isExpected(error) ? 'warn' : 'error']('work failed', { error, objects: items.length });
    outcomes = new Map(
      items.map((item) => [
        item,
        toSchedule(handler, outcomeOfError(error, item, clock.now(), signal), clock.now()),
      ]),
    );
  } finally {
    keeper.stop();
  }
  const settled = new Map(items.map((item) => [item, outcomes.get(item) ?? ({ status: 'done' } as const)]));
  const markedAgain = await settleSurely(deps, scope, claim, settled);
  // Work that failed before comes alone, whatever else waits.
  return markedAgain || items.length === handler.batch || items.some((item) => item.attempts > 0);
}

/** Renews the claim while it is worked on. Lost, the work is somebody else's: the handler's signal aborts. */
function keepClaim(
  { db, log, renewEveryMs = RENEW_EVERY_MS }: LaneDeps,
  scope: WorkScope,
  claim: string,
  signal: AbortSignal,
): { readonly signal: AbortSignal; stop(): void } {
  const lost = new AbortController();
  const renew = async () => {
    const ours = await withOrganization(db, scope.organizationId, (tx) => renewClaim(tx, scope, claim));
    if (!ours) lost.abort(new Error('the claim was taken over'));
  };
  const timer = setInterval(() => {
    renew().catch((error: unknown) => log.warn('claim not renewed', { ...scope, error }));
  }, renewEveryMs);
  return { signal: AbortSignal.any([signal, lost.signal]), stop: () => clearInterval(timer) };
}

const SETTLE_TRIES = 5;

/** The work is done: a hiccup of the database must not leave it claimed. */
async function settleSurely(
  { db, clock }: LaneDeps,
  scope: WorkScope,
  claim: string,
  outcomes: ReadonlyMap<ClaimedWork, WorkOutcome>,
): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    try {
      return await withOrganization(db, scope.organizationId, (tx) =>
        settleWork(tx, scope, claim, outcomes, clock.now()),
      );
    } catch (error) {
      if (tries === SETTLE_TRIES || !isPassingDatabaseFault(error)) throw error;
      await clock.sleep(200 * tries);
    }
  }
}

function toSchedule(handler: LaneHandler, outcome: WorkOutcome, now: Date): WorkOutcome {
  if (handler.everyMs === undefined || outcome.status === 'done') return outcome;
  const next = now.getTime() + Math.min(handler.everyMs, LATEST_RETRY_MS);
  const at = outcome.status === 'later' ? Math.min(outcome.at.getTime(), next) : next;
  return { status: 'later', at: new Date(at), failed: false, reason: outcome.reason };
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

/** Acts on the only errors that cross the connector line, and on bugs. */
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
  // A secret that does not open: MASTER_KEYS is wrong, which the operator mends.
  if (error instanceof ReconnectNeeded || error instanceof Misconfigured || error instanceof SecretUnreadable)
    return later(WAIT_FOR_PERSON_MS, false, reason);
  if (error instanceof Rejected) return { status: 'set-aside', reason };
  if (isPassingDatabaseFault(error)) return later(DATABASE_FAULT_MS, false, reason);
  if (item.attempts + 1 >= MAX_ATTEMPTS) return { status: 'set-aside', reason: `internal error: ${reason}` };
  return later(1000 * 2 ** (2 * item.attempts), true, reason);
}
