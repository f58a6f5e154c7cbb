import { badGateway, locked, migrating, Refusal, tooMany } from './replies.ts';
import type { HubSpotSandboxState } from './sandbox-state.ts';
import type { Portal } from './state.ts';

export type FailureKind =
  | 'serverError'
  | 'badGateway'
  | 'locked'
  | 'migrating'
  | 'rateLimit'
  | 'dailyLimit'
  | 'unauthorized'
  | 'reset'
  | 'slowBody';

/** A mishap that a test has ordered for the next calls. */
export interface PlannedFailure {
  readonly kind: FailureKind;
  left: number;
  /** Only calls of this operation, e.g. `objects.batchUpsert`. */
  readonly operation?: string;
}

/** The connection is to be torn down instead of answered; servers and msw act on it. */
export class ConnectionReset extends Error {
  override readonly name = 'ConnectionReset';
}

const LOCK_MS = 2_000;
const MIGRATION_MS = 60_000;

/**
 * Lets ordered and random mishaps happen to a call, and the after-effects of earlier ones.
 * @returns whether the answer's body is to come slowly
 * @throws Refusal or ConnectionReset
 */
export function sufferMishaps(
  sandbox: HubSpotSandboxState,
  portal: Portal | null,
  operation: string,
): boolean {
  const nowMs = sandbox.nowMs();
  const planned = sandbox.planned.find(
    (each) => each.left > 0 && (each.operation === undefined || each.operation === operation),
  );
  if (planned !== undefined) {
    planned.left -= 1;
    return fail(planned.kind, portal, nowMs);
  }
  if (portal !== null && nowMs < portal.lockedUntilMs) throw locked();
  if (portal !== null && nowMs < portal.migratingUntilMs) {
    throw migrating(Math.ceil((portal.migratingUntilMs - nowMs) / 1_000));
  }
  const { chaos } = sandbox.knobs;
  const { random } = sandbox;
  if (random.chance(chaos.serverError))
    return fail(random.pick(['serverError', 'badGateway']), portal, nowMs);
  if (random.chance(chaos.locked)) return fail('locked', portal, nowMs);
  if (random.chance(chaos.migrating)) return fail('migrating', portal, nowMs);
  if (random.chance(chaos.reset)) return fail('reset', portal, nowMs);
  return random.chance(chaos.slowBody);
}

function fail(kind: FailureKind, portal: Portal | null, nowMs: number): boolean {
  switch (kind) {
    case 'serverError':
      throw new Refusal(500, { status: 'error', message: 'internal error' });
    case 'badGateway':
      throw badGateway();
    case 'locked':
      if (portal !== null) portal.lockedUntilMs = nowMs + LOCK_MS;
      throw locked();
    case 'migrating':
      if (portal !== null) portal.migratingUntilMs = nowMs + MIGRATION_MS;
      throw migrating(MIGRATION_MS / 1_000);
    case 'rateLimit':
      throw tooMany('TEN_SECONDLY_ROLLING');
    case 'dailyLimit':
      throw tooMany('DAILY');
    case 'unauthorized':
      throw new Refusal(401, {
        status: 'error',
        category: 'INVALID_AUTHENTICATION',
        message: 'Invalid token.',
      });
    case 'reset':
      throw new ConnectionReset('connection reset by peer');
    case 'slowBody':
      return true;
  }
}
