import { createHash, randomUUID } from 'node:crypto';
import { Hono } from 'hono';
import { type HttpServer, serveHttp } from '../../src/platform/http/node.ts';

export interface OAuthServer extends HttpServer {
  readonly url: string;
  /** Token calls by grant type, in order. */
  readonly calls: string[];
  /** What the next consents give. */
  readonly grants: { portalId: number; scopes: readonly string[] };
  /** Answers every token call instead of the server's own answer; null = as it should be. */
  failure: { readonly status: number; readonly body: unknown } | null;
  /** Runs before a token call is answered. */
  beforeAnswer: () => Promise<void>;
  /** Refresh tokens that still work. A refresh rotates: the old one is dead. */
  readonly living: Set<string>;
  /** What a person does on the consent page. @returns the address the browser is sent back to. */
  consent(authorizeUrl: string, decision?: 'approve' | 'deny'): URL;
}

/** The token end of a provider as strict as they come: codes once, PKCE checked, refresh tokens rotated. */
export async function startOAuthServer(): Promise<OAuthServer> {
  const codes = new Map<string, URLSearchParams>();
  const app = new Hono();
  const tokens = () => {
    const refresh = `refresh-${randomUUID()}`;
    state.living.add(refresh);
    return {
      access_token: `access-${randomUUID()}`,
      refresh_token: refresh,
      expires_in: 1800,
      hub_id: state.grants.portalId,
      user_id: 222,
      scopes: state.grants.scopes,
    };
  };
  const answer = (form: URLSearchParams) => {
    if (form.get('client_secret') !== 'secret')
      return { status: 'BAD_CLIENT_SECRET', error: 'invalid_client' };
    if (form.get('grant_type') === 'refresh_token')
      return state.living.delete(form.get('refresh_token') ?? '')
        ? tokens()
        : { status: 'BAD_REFRESH_TOKEN', error: 'invalid_grant' };
    const asked = codes.get(form.get('code') ?? '');
    codes.delete(form.get('code') ?? '');
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    const isGood =
      asked?.get('code_challenge') === challenge && asked.get('redirect_uri') === form.get('redirect_uri');
    return isGood ? tokens() : { status: 'BAD_AUTH_CODE', error: 'invalid_grant' };
  };
  app.post('/oauth/:version/token', async (context) => {
    const form = new URLSearchParams(await context.req.text());
    state.calls.push(form.get('grant_type') ?? '');
    await state.beforeAnswer();
    if (state.failure !== null) return Response.json(state.failure.body, { status: state.failure.status });
    const body = answer(form);
    return Response.json(body, { status: 'error' in body ? 400 : 200 });
  });
  const server = await serveHttp(app, { port: 0, host: '127.0.0.1' });
  const state: OAuthServer = {
    ...server,
    url: `http://127.0.0.1:${server.port}`,
    calls: [],
    grants: { portalId: 4711, scopes: [] },
    failure: null,
    beforeAnswer: async () => {},
    living: new Set(),
    consent: (authorizeUrl, decision = 'approve') => {
      const asked = new URL(authorizeUrl).searchParams;
      const back = new URL(asked.get('redirect_uri') ?? '');
      back.searchParams.set('state', asked.get('state') ?? '');
      if (decision === 'deny') {
        back.searchParams.set('error', 'access_denied');
        return back;
      }
      const code = randomUUID();
      codes.set(code, asked);
      back.searchParams.set('code', code);
      return back;
    },
  };
  return state;
}
