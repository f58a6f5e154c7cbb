import { HttpResponse, http } from 'msw';
import { setupServer } from 'msw/node';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createHubSpotOAuth } from '../../../connectors/hubspot/oauth.ts';

const server = setupServer();
beforeAll(() => server.listen({ onUnhandledFrame: 'error' }));
afterEach(() => server.resetHandlers());
afterAll(() => server.close());

const oauth = createHubSpotOAuth({ apiUrl: 'https://api.hubspot.test', appUrl: 'https://app.hubspot.test' });
const app = { clientId: 'id', clientSecret: 'shh', redirectUrl: 'https://us.test/callback' };
const now = new Date('2026-11-20T10:00:00Z');
const TOKENS = {
  token_type: 'bearer',
  access_token: 'at',
  refresh_token: 'na1-rt',
  expires_in: 1800,
  hub_id: 1234567,
  user_id: 222222,
  scopes: ['oauth'],
};

function answer(path: string, status: number, body: unknown) {
  const seen: { url: string; form: URLSearchParams }[] = [];
  server.use(
    http.post(`https://api.hubspot.test/oauth/2026-09/${path}`, async ({ request }) => {
      seen.push({ url: request.url, form: new URLSearchParams(await request.text()) });
      return body === undefined ? HttpResponse.error() : HttpResponse.json(body as object, { status });
    }),
  );
  return seen;
}

test('the consent page gets exactly our scopes, state and PKCE', () => {
  const url = oauth.authorizeUrl(app, 's t&te', 'challenge');
  expect(url).toMatch(/^https:\/\/app\.hubspot\.test\/oauth\/authorize\?/);
  expect(url).toContain('scope=oauth%20crm.objects.deals.read%20');
  const query = new URL(url).searchParams;
  expect(query.get('scope')?.split(' ')).toEqual(oauth.scopes.required);
  expect(query.get('optional_scope')?.split(' ')).toEqual(oauth.scopes.optional);
  expect(query.get('state')).toBe('s t&te');
  expect([query.get('code_challenge'), query.get('code_challenge_method')]).toEqual(['challenge', 'S256']);
  expect(query.get('redirect_uri')).toBe(app.redirectUrl);
});

test('a code becomes tokens; the secret travels in the body', async () => {
  const seen = answer('token', 200, TOKENS);
  expect(await oauth.exchange(app, 'code', 'verifier', now)).toEqual({
    accessToken: 'at',
    refreshToken: 'na1-rt',
    expiresAt: '2026-11-20T10:30:00.000Z',
    accountExternalId: '1234567',
    userExternalId: '222222',
    scopes: ['oauth'],
  });
  expect(seen[0]?.url).not.toContain('shh');
  expect(Object.fromEntries(seen[0]?.form ?? [])).toEqual({
    grant_type: 'authorization_code',
    code: 'code',
    code_verifier: 'verifier',
    redirect_uri: app.redirectUrl,
    client_id: 'id',
    client_secret: 'shh',
  });
});

test('a refresh keeps whatever refresh token HubSpot gave last', async () => {
  const seen = answer('token', 200, { ...TOKENS, refresh_token: 'na1-new' });
  expect((await oauth.refresh(app, 'na1-rt', now)).refreshToken).toBe('na1-new');
  expect(seen[0]?.form.get('refresh_token')).toBe('na1-rt');
});

test.each([
  ['a revoked grant', 400, { status: 'BAD_REFRESH_TOKEN', error: 'invalid_grant' }, 'ReconnectNeeded'],
  [
    'the same with the error that was seen live',
    400,
    { status: 'BAD_REFRESH_TOKEN', error: 'invalid_request' },
    'ReconnectNeeded',
  ],
  ['an account that is gone', 400, { status: 'BAD_HUB', error: 'access_denied' }, 'ReconnectNeeded'],
  ['an account that is gone, by status alone', 400, { status: 'BAD_HUB' }, 'ReconnectNeeded'],
  ['a plain invalid_grant', 400, { error: 'invalid_grant' }, 'ReconnectNeeded'],
  ['a used code', 400, { status: 'BAD_AUTH_CODE' }, 'ReconnectNeeded'],
  ['a wrong verifier', 400, { status: 'BAD_CODE_VERIFIER', error: 'invalid_request' }, 'ReconnectNeeded'],
  ['our wrong secret', 401, { error: 'invalid_client' }, 'Misconfigured'],
  [
    'our wrong secret, whatever the error says',
    400,
    { status: 'BAD_CLIENT_SECRET', error: 'invalid_grant' },
    'Misconfigured',
  ],
  ['our wrong redirect', 400, { status: 'BAD_REDIRECT_URI' }, 'Misconfigured'],
  ['an unknown 4xx', 418, { status: 'NEW_THING' }, 'Misconfigured'],
  ['a 4xx without sense', 400, 'nonsense', 'Misconfigured'],
  ['a limit', 429, { status: 'BAD_REFRESH_TOKEN', error: 'invalid_grant' }, 'RetryLater'],
  ['a lock', 423, {}, 'RetryLater'],
  ['a data centre move', 477, {}, 'RetryLater'],
  ['a failing server', 502, { error: 'invalid_grant' }, 'RetryLater'],
  ['no network', 0, undefined, 'RetryLater'],
])('%s (%d %j) → %s', async (_, status, body, name) => {
  answer('token', status, body);
  await expect(oauth.refresh(app, 'na1-rt', now)).rejects.toMatchObject({ name });
});

test('no failure quotes a secret', async () => {
  answer('token', 400, { status: 'BAD_CLIENT_SECRET', message: 'shh is wrong' });
  const error = await oauth.refresh(app, 'na1-rt', now).catch((caught: unknown) => caught);
  expect(String(error)).not.toMatch(/shh|na1-rt/);
});

test('revoking names the kind of token', async () => {
  const seen = answer('token/revoke', 200, {});
  await oauth.revoke(app, 'na1-rt');
  expect(Object.fromEntries(seen[0]?.form ?? [])).toMatchObject({
    token: 'na1-rt',
    token_type_hint: 'refresh_token',
  });
});
