import { createHash } from 'node:crypto';
import type { RefreshToken } from './oauth-tokens.ts';
import type { HubSpotSandboxState } from './sandbox-state.ts';

/** Fields of a form, by name. */
export type Form = Readonly<Record<string, string>>;
const ACCESS_MS = 1_800_000;

interface OAuthError {
  readonly error: string;
  readonly status: string;
  readonly message: string;
}
const badCode = { error: 'invalid_grant', status: 'BAD_AUTH_CODE', message: 'missing or unknown auth code' };
const badRefresh = {
  error: 'invalid_grant',
  status: 'BAD_REFRESH_TOKEN',
  message: 'missing or invalid refresh token',
  error_description: 'refresh token is invalid, expired or revoked',
};
const badHub = { error: 'access_denied', status: 'BAD_HUB', message: 'missing or unknown hub id' };

interface Granted {
  readonly token_type: 'bearer';
  readonly token_use: 'access_token';
  readonly access_token: string;
  readonly refresh_token: string;
  readonly expires_in: number;
  readonly hub_id: number;
  readonly user_id: number;
  readonly scopes: readonly string[];
}

/** What the token endpoint answers to a form: a grant, or why there is none. */
export function exchange(sandbox: HubSpotSandboxState, form: Form): Granted | OAuthError {
  if (form.client_id !== sandbox.clientId) {
    return { error: 'invalid_client', status: 'BAD_CLIENT_ID', message: 'missing or unknown client id' };
  }
  if (form.client_secret !== sandbox.clientSecret) {
    return {
      error: 'invalid_client',
      status: 'BAD_CLIENT_SECRET',
      message: 'missing or invalid client secret',
    };
  }
  if (form.grant_type === 'authorization_code') return exchangeCode(sandbox, form);
  if (form.grant_type === 'refresh_token') return exchangeRefreshToken(sandbox, form);
  return {
    error: 'unsupported_grant_type',
    status: 'BAD_GRANT_TYPE',
    message: 'missing or unknown grant_type',
  };
}

function exchangeCode(sandbox: HubSpotSandboxState, form: Form): Granted | OAuthError {
  const code = sandbox.tokens.codes.get(form.code ?? '');
  if (code === undefined || code.used || code.expiresAtMs <= sandbox.nowMs()) return badCode;
  if (code.redirectUri !== form.redirect_uri) {
    return { error: 'invalid_request', status: 'BAD_REDIRECT_URI', message: 'redirect_uri does not match' };
  }
  if (code.challenge !== null && challengeOf(form.code_verifier ?? '') !== code.challenge) {
    return { error: 'invalid_grant', status: 'BAD_CODE_VERIFIER', message: 'code_verifier does not match' };
  }
  const portal = sandbox.portals.get(code.portalId);
  if (portal === undefined || portal.deleted) return badHub;
  code.used = true;
  portal.installed = true;
  const { portalId, userId, scopes } = code;
  return grant(sandbox, sandbox.tokens.newRefreshToken({ portalId, userId, scopes }));
}

const challengeOf = (verifier: string): string => createHash('sha256').update(verifier).digest('base64url');

function exchangeRefreshToken(sandbox: HubSpotSandboxState, form: Form): Granted | OAuthError {
  const refresh = sandbox.tokens.refreshTokens.get(form.refresh_token ?? '');
  if (refresh === undefined || refresh.revoked) return badRefresh;
  const portal = sandbox.portals.get(refresh.portalId);
  if (portal === undefined || portal.deleted) return badHub;
  if (!portal.installed) return badRefresh;
  if (!sandbox.knobs.rotateRefreshTokens) return grant(sandbox, refresh);
  refresh.revoked = true;
  const { portalId, userId, scopes } = refresh;
  return grant(sandbox, sandbox.tokens.newRefreshToken({ portalId, userId, scopes }));
}

function grant(sandbox: HubSpotSandboxState, refresh: RefreshToken): Granted {
  const { portalId, userId, scopes } = refresh;
  const access = sandbox.tokens.newAccessToken({
    portalId,
    userId,
    scopes,
    expiresAtMs: sandbox.nowMs() + ACCESS_MS,
  });
  return {
    token_type: 'bearer',
    token_use: 'access_token',
    access_token: access.token,
    refresh_token: refresh.token,
    expires_in: ACCESS_MS / 1_000,
    hub_id: portalId,
    user_id: userId,
    scopes,
  };
}
