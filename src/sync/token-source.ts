import type { OAuthApp, OAuthProvider, Provider, TokenSet } from '../../connectors/connector.ts';
import { recordAudit } from '../identity/audit-store.ts';
import type { Clock } from '../platform/clock.ts';
import type { MasterKey } from '../platform/crypto.ts';
import { type Database, withOrganization } from '../platform/db/client.ts';
import { Misconfigured, ReconnectNeeded, RetryLater } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import type { Metrics } from '../platform/metrics.ts';
import { findConnection, setConnectionStatus } from './connection-store.ts';
import {
  findTokens,
  freeLease,
  holdVersion,
  leaseRefresh,
  openToken,
  type StoredTokens,
  saveRefreshed,
  type TokenKey,
} from './token-store.ts';

/** A connection as far as tokens go. */
export interface TokenOwner extends TokenKey {
  readonly accountExternalId: string;
}

export interface TokenSource {
  /**
   * A usable access token. However many callers in however many processes: one refresh at a time.
   * @param options.refused the token to which the CRM just said 401.
   * @throws ReconnectNeeded when the grant is gone, RetryLater when the CRM does not answer, Misconfigured when it
   *   refuses our app (then the connection stays as it is).
   */
  tokenFor(owner: TokenOwner, options?: { readonly refused?: string }): Promise<string>;
}

export interface TokenSourceDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics?: Pick<Metrics, 'tokenRefreshed'>;
  readonly masterKeys: readonly MasterKey[];
  readonly oauth: (provider: Provider) => OAuthProvider;
  readonly app: (provider: Provider) => OAuthApp;
}

/** Refreshed this long before its end, so that a token does not run out on its way (HubSpot documents: by TTL, not by 401). */
const AHEAD_MS = 5 * 60_000;
/** Longer than a token call may take; after it the holder counts as dead. */
const LEASE_MS = 30_000;
const LOOK_AGAIN_MS = 200;
const AFTER_OTHERS_FAILURE_MS = 5_000;

export function createTokenSource(deps: TokenSourceDeps): TokenSource {
  return { tokenFor: (owner, options = {}) => findToken(deps, owner, options.refused) };
}

async function findToken(
  deps: TokenSourceDeps,
  owner: TokenOwner,
  refused: string | undefined,
): Promise<string> {
  const holder = crypto.randomUUID();
  let waitedFor: StoredTokens | null = null;
  for (;;) {
    const stored = await readTokens(deps, owner);
    const usable = await usableToken(deps, owner, stored, refused);
    if (usable !== null) return usable;
    // Whoever we waited for gave the lease back without a new pair: asking again at once would fail just so.
    if (waitedFor?.version === stored.version && stored.leaseHolder === null)
      throw new RetryLater(
        'Another process failed to refresh this access just now.',
        AFTER_OTHERS_FAILURE_MS,
      );
    const leased = await takeLease(deps, owner, stored, holder);
    const token = leased === null ? null : await refresh(deps, owner, leased, holder);
    if (token !== null) return token;
    if (leased !== null) continue;
    waitedFor = stored;
    await deps.clock.sleep(LOOK_AGAIN_MS);
  }
}

async function readTokens({ db }: TokenSourceDeps, owner: TokenOwner): Promise<StoredTokens> {
  return withOrganization(db, owner.organizationId, async (tx) => {
    const connection = await findConnection(tx, owner);
    // Asking again and again for a grant that is gone gets an app blocked: only a new installation helps.
    if (connection?.status === 'reconnect_needed')
      throw new ReconnectNeeded(connection.statusReason ?? 'The connection was revoked; connect it again.');
    const stored = await findTokens(tx, owner);
    if (stored === null) throw new ReconnectNeeded('There is no access to this account; connect it again.');
    return stored;
  });
}

async function usableToken(
  { clock, masterKeys }: TokenSourceDeps,
  owner: TokenOwner,
  stored: StoredTokens,
  refused: string | undefined,
): Promise<string | null> {
  if (stored.expiresAt.getTime() - AHEAD_MS <= clock.now().getTime()) return null;
  const access = await openToken(masterKeys, owner, stored, 'access');
  return access === refused ? null : access;
}

function takeLease(
  { db, clock }: TokenSourceDeps,
  owner: TokenOwner,
  { version }: StoredTokens,
  holder: string,
): Promise<StoredTokens | null> {
  const now = clock.now();
  const until = new Date(now.getTime() + LEASE_MS);
  return withOrganization(db, owner.organizationId, (tx) =>
    leaseRefresh(tx, owner, { holder, version, now, until }),
  );
}

/** Null: somebody else stored another pair meanwhile, look again. */
async function refresh(
  deps: TokenSourceDeps,
  owner: TokenOwner,
  leased: StoredTokens,
  holder: string,
): Promise<string | null> {
  let tokens: TokenSet;
  try {
    tokens = await askProvider(deps, owner, leased);
  } catch (error) {
    if (error instanceof ReconnectNeeded) return giveUp(deps, owner, leased, holder, error);
    await withOrganization(deps.db, owner.organizationId, (tx) => freeLease(tx, owner, holder));
    reportFailure(deps, owner, error);
    throw error;
  }
  // In a transaction of its own and before anybody uses it: a provider that rotates has forgotten the old pair.
  const saved = await withOrganization(deps.db, owner.organizationId, (tx) =>
    saveRefreshed(tx, owner, { version: leased.version, tokens }, deps.masterKeys),
  );
  deps.metrics?.tokenRefreshed('ok');
  return saved ? tokens.accessToken : null;
}

async function askProvider(
  deps: TokenSourceDeps,
  owner: TokenOwner,
  leased: StoredTokens,
): Promise<TokenSet> {
  const refreshToken = await openToken(deps.masterKeys, owner, leased, 'refresh');
  const tokens = await deps
    .oauth(owner.provider)
    .refresh(deps.app(owner.provider), refreshToken, deps.clock.now());
  if (tokens.accountExternalId !== owner.accountExternalId)
    throw new Error(`A refresh for account ${owner.accountExternalId} gave tokens of another account.`);
  return tokens;
}

/** The grant is gone, unless somebody stored another one meanwhile: the one look that decides holds the row. */
async function giveUp(
  deps: TokenSourceDeps,
  owner: TokenOwner,
  leased: StoredTokens,
  holder: string,
  error: ReconnectNeeded,
): Promise<null> {
  const now = deps.clock.now();
  const isGone = await withOrganization(deps.db, owner.organizationId, async (tx) => {
    if (!(await holdVersion(tx, owner, leased.version))) return false;
    await freeLease(tx, owner, holder);
    if (await setConnectionStatus(tx, owner, 'reconnect_needed', error.message, now))
      await recordAudit(tx, {
        organizationId: owner.organizationId,
        actor: { kind: 'system', id: 'token-refresh' },
        action: 'connection.reconnect-needed',
        subject: `connection:${owner.connectionId}`,
        details: { reason: error.message },
        now,
      });
    return true;
  });
  if (!isGone) return null;
  deps.metrics?.tokenRefreshed('reconnect_needed');
  throw error;
}

/** A wrong setting of our app is ours to mend: it is said aloud, and no connection is touched. */
function reportFailure({ log, metrics }: TokenSourceDeps, owner: TokenOwner, error: unknown): void {
  if (error instanceof RetryLater) {
    metrics?.tokenRefreshed('later');
    return;
  }
  metrics?.tokenRefreshed('misconfigured');
  const why = error instanceof Misconfigured ? 'our app is refused' : 'an unexpected error';
  log.error('Token refresh failed', {
    why,
    error,
    connectionId: owner.connectionId,
    provider: owner.provider,
  });
}
