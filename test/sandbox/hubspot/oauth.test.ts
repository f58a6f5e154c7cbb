import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { askForToken, exchange } from './install.ts';
import { objects, openSandbox } from './testing.ts';

const REDIRECT = 'https://tributary.example/oauth/hubspot/callback';

async function authorizeQuery(change: Readonly<Record<string, string>> = {}) {
  const bench = await openSandbox();
  const query = new URLSearchParams({
    client_id: 'client-1',
    redirect_uri: REDIRECT,
    scope: bench.sandbox.requiredScopes.join(' '),
    state: 'state-1',
    ...change,
  });
  return { ...bench, query };
}
async function codeFor(change: Readonly<Record<string, string>> = {}) {
  const { sandbox, clock, query } = await authorizeQuery(change);
  query.set('decision', 'approve');
  const answer = await sandbox.app.request('/oauth/authorize', { method: 'POST', body: query });
  const target = new URL(answer.headers.get('location') ?? '');
  return { sandbox, clock, target, code: target.searchParams.get('code') ?? '' };
}

test('the consent page names the app and its scopes, and approval brings code and state back', async () => {
  const { sandbox, query } = await authorizeQuery();
  const page = await (await sandbox.app.request(`/oauth/authorize?${query}`)).text();
  expect(page).toContain('Tributary');
  expect(page).toContain('crm.objects.deals.write');
  expect(page).toContain('value="approve"');
  const { target } = await codeFor();
  expect(`${target.origin}${target.pathname}`).toBe(REDIRECT);
  expect(target.searchParams.get('state')).toBe('state-1');
});

test.each([
  ['another redirect URL', { redirect_uri: 'https://evil.example/' }, 'redirect URL'],
  ['a scope left out', { scope: 'oauth' }, 'scope mismatch'],
  ['an optional scope nobody configured', { optional_scope: 'tickets' }, 'scope mismatch'],
  ['another client', { client_id: 'x' }, 'client_id'],
])('the consent page refuses %s', async (_title, change, words) => {
  const { sandbox, query } = await authorizeQuery(change);
  const answer = await sandbox.app.request(`/oauth/authorize?${query}`);
  expect(answer.status).toBe(400);
  expect(await answer.text()).toContain(words);
});

test('a denial comes back as access_denied', async () => {
  const { sandbox, query } = await authorizeQuery();
  query.set('decision', 'deny');
  const answer = await sandbox.app.request('/oauth/authorize', { method: 'POST', body: query });
  expect(new URL(answer.headers.get('location') ?? '').searchParams.get('error')).toBe('access_denied');
});

test('a code works once, for its own redirect URL, and for a minute', async () => {
  const { sandbox, code, clock } = await codeFor();
  const fields = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT };
  const elsewhere = await askForToken(sandbox, { ...fields, redirect_uri: 'https://other.example/' });
  expect(await elsewhere.json()).toMatchObject({ status: 'BAD_REDIRECT_URI' });
  expect(await exchange(sandbox, fields)).toMatchObject({ portalId: 891_472 });
  const again = await askForToken(sandbox, fields);
  expect(again.status).toBe(400);
  expect(await again.json()).toMatchObject({ error: 'invalid_grant', status: 'BAD_AUTH_CODE' });
  const late = await codeFor();
  await late.clock.advance(61_000);
  const refused = await askForToken(late.sandbox, { ...fields, code: late.code });
  expect(await refused.json()).toMatchObject({ status: 'BAD_AUTH_CODE' });
  expect(clock.sleeping()).toBe(0);
});

test('with PKCE the code is worth nothing without its verifier', async () => {
  const verifier = 'a-verifier-of-some-length-that-nobody-else-knows';
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const { sandbox, code } = await codeFor({ code_challenge: challenge, code_challenge_method: 'S256' });
  const fields = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT };
  expect(await (await askForToken(sandbox, fields)).json()).toMatchObject({ status: 'BAD_CODE_VERIFIER' });
  expect(
    (await exchange(sandbox, { ...fields, code_verifier: verifier })).accessToken.length,
  ).toBeGreaterThan(255);
});

test('access tokens expire after 1,800 s and a refresh gives a new one', async () => {
  const { sandbox, call, clock, refreshToken } = await openSandbox();
  await clock.advance(1_799_000);
  expect((await call('GET', objects('deals'))).status).toBe(200);
  await clock.advance(1_000);
  const expired = await call('GET', objects('deals'));
  expect(expired).toMatchObject({ status: 401, body: { category: 'EXPIRED_AUTHENTICATION' } });
  const fresh = await exchange(sandbox, { grant_type: 'refresh_token', refresh_token: refreshToken });
  expect(fresh.refreshToken).toBe(refreshToken);
  expect((await call('GET', objects('deals'), undefined, fresh.accessToken)).status).toBe(200);
});

test('where refresh tokens rotate, the old one is dead', async () => {
  const { sandbox, refreshToken } = await openSandbox({ knobs: { rotateRefreshTokens: true } });
  const fields = { grant_type: 'refresh_token', refresh_token: refreshToken };
  expect((await exchange(sandbox, fields)).refreshToken).not.toBe(refreshToken);
  const again = await askForToken(sandbox, fields);
  expect(again.status).toBe(400);
  expect(await again.json()).toMatchObject({ error: 'invalid_grant', status: 'BAD_REFRESH_TOKEN' });
});

test('a revoked grant cannot be refreshed, though the access token lives on', async () => {
  const { sandbox, call, refreshToken, portalId } = await openSandbox();
  sandbox.control.revokeTokens(portalId);
  expect((await call('GET', objects('deals'))).status).toBe(200);
  const refused = await askForToken(sandbox, { grant_type: 'refresh_token', refresh_token: refreshToken });
  expect(await refused.json()).toMatchObject({ status: 'BAD_REFRESH_TOKEN' });
});

test('an account that is gone answers BAD_HUB, a wrong secret invalid_client', async () => {
  const { sandbox, refreshToken, portalId } = await openSandbox();
  const fields = { grant_type: 'refresh_token', refresh_token: refreshToken };
  const secret = await askForToken(sandbox, { ...fields, client_secret: 'x' });
  expect(await secret.json()).toMatchObject({ error: 'invalid_client', status: 'BAD_CLIENT_SECRET' });
  sandbox.control.deletePortal(portalId);
  expect(await (await askForToken(sandbox, fields)).json()).toMatchObject({
    error: 'access_denied',
    status: 'BAD_HUB',
  });
});

test('credentials in the query string of the token endpoint are not read', async () => {
  const { sandbox, refreshToken } = await openSandbox();
  const query = new URLSearchParams({
    grant_type: 'refresh_token',
    refresh_token: refreshToken,
    client_id: 'client-1',
    client_secret: 'secret-1',
  });
  expect((await sandbox.app.request(`/oauth/2026-09/token?${query}`, { method: 'POST' })).status).toBe(400);
});

test('uninstalling answers 204, then the grant is dead', async () => {
  const { sandbox, call, refreshToken } = await openSandbox();
  expect((await call('DELETE', '/appinstalls/2026-09/external-install')).status).toBe(204);
  expect((await call('GET', objects('deals'))).status).toBe(401);
  const refused = await askForToken(sandbox, { grant_type: 'refresh_token', refresh_token: refreshToken });
  expect(refused.status).toBe(400);
});

test('introspection and revocation know the tokens', async () => {
  const { sandbox, accessToken, refreshToken, portalId } = await openSandbox();
  const post = (path: string, token: string) =>
    sandbox.app.request(`/oauth/2026-09/token/${path}`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: 'client-1', client_secret: 'secret-1', token }),
    });
  expect(await (await post('introspect', accessToken)).json()).toMatchObject({
    active: true,
    hub_id: portalId,
  });
  expect((await post('revoke', refreshToken)).status).toBe(204);
  expect(await (await post('introspect', refreshToken)).json()).toEqual({ active: false });
});

test('a scope that was not granted is 403 and names the scope', async () => {
  const { call } = await openSandbox({ portal: { grantedScopes: ['oauth', 'crm.objects.deals.read'] } });
  const answer = await call('POST', objects('deals'), { properties: { dealname: 'A' } });
  expect(answer.status).toBe(403);
  expect(answer.body.category).toBe('MISSING_SCOPES');
  expect(answer.body.errors[0]?.context).toEqual({ requiredGranularScopes: ['crm.objects.deals.write'] });
});

test('account details say zone and currencies', async () => {
  const { call, portalId } = await openSandbox();
  expect((await call('GET', '/account-info/2026-09/details')).body).toMatchObject({
    portalId,
    timeZone: 'US/Eastern',
    utcOffset: '-05:00',
    companyCurrency: 'USD',
  });
});
