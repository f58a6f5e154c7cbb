import type { Context, Hono } from 'hono';
import { logCall } from './guard.ts';
import { exchange, type Form } from './oauth-exchange.ts';
import { consentPage, errorPage } from './pages.ts';
import { VERSION } from './paths.ts';
import type { HubSpotSandboxState } from './sandbox-state.ts';
import { splitScopes } from './scopes.ts';

const CODE_MS = 60_000;

/** The consent page, the token endpoint and what ends a grant. */
export function addOAuth(app: Hono, sandbox: HubSpotSandboxState): void {
  app.get('/oauth/authorize', (context) => showConsent(context, sandbox));
  app.post('/oauth/authorize', (context) => decide(context, sandbox));
  app.post(`/oauth/${VERSION_OR_V1}/token`, (context) => token(context, sandbox));
  app.post(`/oauth/${VERSION}/token/introspect`, (context) => introspect(context, sandbox));
  app.post(`/oauth/${VERSION}/token/revoke`, (context) => revoke(context, sandbox));
}
const VERSION_OR_V1 = ':version{2026-0[39]|v[13]}';

/** What is wrong with an install URL, as HubSpot's own page would say it; null = nothing. */
function installProblem(sandbox: HubSpotSandboxState, query: Form): string | null {
  if (query.client_id !== sandbox.clientId) return 'The client_id does not belong to any app.';
  if (!sandbox.redirectUrls.includes(query.redirect_uri ?? '')) {
    return 'The redirect URL does not match any redirect URL of the app.';
  }
  const asked = splitScopes(query.scope);
  const differs =
    asked.length !== sandbox.requiredScopes.length ||
    !sandbox.requiredScopes.every((scope) => asked.includes(scope));
  if (differs)
    return 'Authorization failed because there is a scope mismatch: scope must name the required scopes exactly.';
  if (!splitScopes(query.optional_scope).every((scope) => sandbox.optionalScopes.includes(scope))) {
    return 'Authorization failed because there is a scope mismatch: an optional scope is not configured.';
  }
  return null;
}

function showConsent(context: Context, sandbox: HubSpotSandboxState): Response {
  const query = context.req.query();
  const problem = installProblem(sandbox, query);
  const status = problem === null ? 200 : 400;
  logCall(sandbox, context, { operation: 'oauth.authorize', status, portalId: null, kind: '', rows: 0 });
  if (problem !== null) return html(400, errorPage(problem));
  return html(
    200,
    consentPage({
      appName: sandbox.appName,
      required: splitScopes(query.scope),
      optional: splitScopes(query.optional_scope),
      portals: [...sandbox.portals.values()].filter((portal) => !portal.deleted),
      hidden: query,
    }),
  );
}

const html = (status: number, text: string) =>
  new Response(text, { status, headers: { 'Content-Type': 'text/html; charset=utf-8' } });

async function decide(context: Context, sandbox: HubSpotSandboxState): Promise<Response> {
  const form = await readForm(context);
  const problem = installProblem(sandbox, form);
  if (problem !== null) return html(400, errorPage(problem));
  const target = new URL(form.redirect_uri ?? '');
  if (form.state !== undefined) target.searchParams.set('state', form.state);
  if (form.decision !== 'approve') {
    target.searchParams.set('error', 'access_denied');
    target.searchParams.set('error_description', 'The user declined to install the app.');
    return redirect(target);
  }
  const portal = sandbox.portals.get(Number(form.portalId)) ?? [...sandbox.portals.values()][0];
  if (portal === undefined || portal.deleted)
    return html(400, errorPage('There is no account to install into.'));
  const custom = (scope: string) => scope.includes('.custom.');
  const optional = splitScopes(form.optional_scope).filter(
    (scope) => portal.edition === 'enterprise' || !custom(scope),
  );
  const code = sandbox.tokens.newCode({
    portalId: portal.id,
    userId: 222_222,
    redirectUri: form.redirect_uri ?? '',
    scopes: portal.grantedScopes ?? [...splitScopes(form.scope), ...optional],
    challenge: form.code_challenge ?? null,
    expiresAtMs: sandbox.nowMs() + CODE_MS,
  });
  target.searchParams.set('code', code.code);
  return redirect(target);
}

const redirect = (target: URL) =>
  new Response(null, { status: 302, headers: { Location: target.toString() } });

async function readForm(context: Context): Promise<Form> {
  return Object.fromEntries(new URLSearchParams(await context.req.text()));
}

async function token(context: Context, sandbox: HubSpotSandboxState): Promise<Response> {
  if (sandbox.knobs.latencyMs > 0) await sandbox.clock.sleep(sandbox.knobs.latencyMs);
  // Parameters in the query string are not read: they would end up in logs.
  const form = await readForm(context);
  const answer = exchange(sandbox, form);
  const failed = 'error' in answer;
  const portalId = failed ? null : answer.hub_id;
  const kind = form.grant_type ?? '';
  logCall(sandbox, context, {
    operation: 'oauth.token',
    status: failed ? 400 : 200,
    portalId,
    kind,
    rows: 1,
  });
  return context.json(answer, failed ? 400 : 200);
}

async function introspect(context: Context, sandbox: HubSpotSandboxState): Promise<Response> {
  const form = await readForm(context);
  const isOurs = form.client_id === sandbox.clientId && form.client_secret === sandbox.clientSecret;
  const status = isOurs ? 200 : 400;
  logCall(sandbox, context, { operation: 'oauth.introspect', status, portalId: null, kind: '', rows: 1 });
  if (!isOurs)
    return context.json({ error: 'invalid_client', status: 'BAD_CLIENT_ID', message: 'unknown client' }, 400);
  const text = form.token ?? '';
  const access = sandbox.tokens.accessTokens.get(text);
  const refresh = sandbox.tokens.refreshTokens.get(text);
  const found = access ?? refresh;
  if (
    found === undefined ||
    found.revoked ||
    (access !== undefined && access.expiresAtMs <= sandbox.nowMs())
  ) {
    return context.json({ active: false });
  }
  return context.json({
    active: true,
    token_use: access === undefined ? 'refresh_token' : 'access_token',
    token: text,
    hub_id: found.portalId,
    user_id: found.userId,
    app_id: sandbox.appId,
    client_id: sandbox.clientId,
    scopes: found.scopes,
    ...(access === undefined
      ? {}
      : { expires_in: Math.floor((access.expiresAtMs - sandbox.nowMs()) / 1_000) }),
  });
}

/** Revoking a refresh token leaves the access tokens it gave out to their own end. */
async function revoke(context: Context, sandbox: HubSpotSandboxState): Promise<Response> {
  const form = await readForm(context);
  const isOurs = form.client_id === sandbox.clientId && form.client_secret === sandbox.clientSecret;
  const status = isOurs ? 204 : 400;
  logCall(sandbox, context, { operation: 'oauth.revoke', status, portalId: null, kind: '', rows: 1 });
  if (!isOurs)
    return context.json({ error: 'invalid_client', status: 'BAD_CLIENT_ID', message: 'unknown client' }, 400);
  const text = form.token ?? '';
  const found = sandbox.tokens.accessTokens.get(text) ?? sandbox.tokens.refreshTokens.get(text);
  if (found !== undefined) found.revoked = true;
  return new Response(null, { status: 204 });
}
