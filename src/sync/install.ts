import {
  type OAuthApp,
  type OAuthProvider,
  type Provider,
  RECORD_KINDS,
  type TokenSet,
} from '../../connectors/connector.ts';
import { recordAudit } from '../identity/audit-store.ts';
import { findInstallLink, type InstallLink, takeInstallLink } from '../identity/install-link-store.ts';
import { type StartedOAuth, startOAuth, takeOAuthState } from '../identity/oauth-state-store.ts';
import { findOrganization } from '../identity/store.ts';
import type { Clock } from '../platform/clock.ts';
import type { MasterKey } from '../platform/crypto.ts';
import { type Database, type Tx, withOrganization } from '../platform/db/client.ts';
import { Misconfigured, ReconnectNeeded, RetryLater } from '../platform/errors.ts';
import { markWork } from '../platform/jobs/work-store.ts';
import type { Log } from '../platform/log.ts';
import { releaseWork, saveConnection } from './connection-store.ts';
import { resetPositions } from './position-store.ts';
import { takeUpAgain } from './set-aside-store.ts';
import { saveGrant } from './token-store.ts';

export interface InstallDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly masterKeys: readonly MasterKey[];
  /** Without a slash at its end. */
  readonly publicUrl: string;
  readonly oauth: (provider: Provider) => OAuthProvider;
  /** `redirectUrl` must be `redirectUrlOf(publicUrl, provider)`. */
  readonly app: (provider: Provider) => OAuthApp;
}

/** One address per provider, so that an answer of one can never be taken for another's. */
export const redirectUrlOf = (publicUrl: string, provider: Provider): string =>
  `${publicUrl}/oauth/${provider}/callback`;

/** Uses the link up and begins the round trip. Null when the link is unknown, used or too old. */
export async function startInstall(
  deps: InstallDeps,
  token: string,
): Promise<{ readonly authorizeUrl: string; readonly browserToken: string } | null> {
  const now = deps.clock.now();
  const link = await findInstallLink(deps.db, token, now);
  if (link === null) return null;
  const started = await withOrganization(deps.db, link.organizationId, (tx) => start(deps, tx, link, now));
  if (started === null) return null;
  const { state, browserToken, codeChallenge } = started;
  const authorizeUrl = deps.oauth(link.provider).authorizeUrl(deps.app(link.provider), state, codeChallenge);
  return { authorizeUrl, browserToken };
}

async function start(deps: InstallDeps, tx: Tx, link: InstallLink, now: Date): Promise<StartedOAuth | null> {
  if (!(await takeInstallLink(tx, link, now))) return null;
  const { organizationId, provider } = link;
  return startOAuth(
    tx,
    { organizationId, provider, startedBy: `install-link:${link.id}` },
    deps.masterKeys,
    now,
  );
}

/** What came back on the callback's address, as the browser brought it. */
export interface OAuthAnswer {
  readonly provider: Provider;
  readonly state: string;
  /** From the cookie. */
  readonly browserToken: string;
  readonly code: string | null;
  /** The provider's `error=`; null when it gave none. */
  readonly error: string | null;
}

export type InstallResult =
  | {
      readonly status: 'connected';
      readonly organizationName: string;
      readonly accountExternalId: string;
      /** This account was connected before; what is known of it is kept. */
      readonly again: boolean;
    }
  /** The state is forged, used, too old, or from another browser. */
  | { readonly status: 'refused' }
  /** Somebody said no on the consent page, or the provider did. */
  | { readonly status: 'declined' }
  /** The code is used up or too old. */
  | { readonly status: 'code-spent' }
  | { readonly status: 'scopes-missing'; readonly missing: readonly string[] }
  /** The provider does not answer now. */
  | { readonly status: 'later' }
  /** The provider refuses our app: the operator must look. */
  | { readonly status: 'our-fault' };

/** Ends the round trip: everything that a connection needs is stored in one transaction, or nothing is. */
export async function finishInstall(
  deps: InstallDeps,
  answer: OAuthAnswer,
  log: Log,
): Promise<InstallResult> {
  const taken = await takeOAuthState(deps.db, answer, deps.masterKeys, deps.clock.now());
  if (taken === null) return { status: 'refused' };
  if (answer.error !== null || answer.code === null) return { status: 'declined' };
  const exchanged = await exchange(deps, answer.provider, answer.code, taken.codeVerifier, log);
  if ('status' in exchanged) return exchanged;

  const missing = missingScopes(deps.oauth(answer.provider), exchanged);
  // The grant is left alone: where a provider hands out one refresh token per account, revoking it would cut off a
  // connection of this account that works.
  if (missing.length > 0) return { status: 'scopes-missing', missing };
  return withOrganization(deps.db, taken.organizationId, async (tx) => {
    const organization = await findOrganization(tx, taken.organizationId);
    const { isNew } = await connect(deps, tx, { ...taken, provider: answer.provider, tokens: exchanged });
    return {
      status: 'connected',
      organizationName: organization?.name ?? '',
      accountExternalId: exchanged.accountExternalId,
      again: !isNew,
    };
  });
}

async function exchange(
  deps: InstallDeps,
  provider: Provider,
  code: string,
  codeVerifier: string,
  log: Log,
): Promise<TokenSet | InstallResult> {
  try {
    return await deps.oauth(provider).exchange(deps.app(provider), code, codeVerifier, deps.clock.now());
  } catch (error) {
    if (error instanceof ReconnectNeeded) return { status: 'code-spent' };
    if (error instanceof RetryLater) return { status: 'later' };
    if (!(error instanceof Misconfigured)) throw error;
    log.error('The CRM refuses our app', { provider, error });
    return { status: 'our-fault' };
  }
}

/** A provider that does not tell the scopes (an empty list: nobody is granted nothing) leaves it to the check-up. */
function missingScopes(oauth: OAuthProvider, tokens: TokenSet): readonly string[] {
  if (tokens.scopes.length === 0) return [];
  return oauth.scopes.required.filter((scope) => !tokens.scopes.includes(scope));
}

async function connect(
  deps: InstallDeps,
  tx: Tx,
  install: {
    readonly organizationId: string;
    readonly provider: Provider;
    readonly startedBy: string;
    readonly tokens: TokenSet;
  },
): Promise<{ readonly isNew: boolean }> {
  const now = deps.clock.now();
  const { organizationId, provider, tokens } = install;
  const { accountExternalId, scopes, userExternalId } = tokens;
  const { connectionId, isNew } = await saveConnection(tx, {
    organizationId,
    provider,
    accountExternalId,
    scopes,
    partnerFields: [],
  });
  const key = { organizationId, connectionId };
  await saveGrant(tx, { ...key, provider }, tokens, deps.masterKeys);
  await resetPositions(tx, key, RECORD_KINDS, now);
  if (!isNew) {
    await takeUpAgain(tx, key, now);
    await releaseWork(tx, key, now);
  }
  for (const lane of ['check-up', 'backfill'] as const)
    await markWork(tx, { organizationId, lane, scopeId: connectionId }, [''], now);
  await recordAudit(tx, {
    organizationId,
    actor: { kind: 'crm_user', id: `${provider}:${accountExternalId}:${userExternalId ?? 'unknown'}` },
    action: isNew ? 'connection.install' : 'connection.reinstall',
    subject: `connection:${connectionId}`,
    details: { provider, accountExternalId, scopes, startedBy: install.startedBy },
    now,
  });
  return { isNew };
}
