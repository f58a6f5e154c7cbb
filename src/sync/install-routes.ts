import type { Context } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { z } from 'zod';
import type { Provider } from '../../connectors/connector.ts';
import { findInstallLink } from '../identity/install-link-store.ts';
import { OAUTH_STATE_LIFETIME_MS } from '../identity/oauth-state-store.ts';
import { randomToken } from '../platform/crypto.ts';
import type { HttpApp, HttpEnv } from '../platform/http/app.ts';
import { parsePath } from '../platform/http/input.ts';
import { finishInstall, type InstallDeps, startInstall } from './install.ts';
import {
  askPage,
  deadLinkPage,
  foreignFormPage,
  type InstallPage,
  renderPage,
  resultPage,
} from './install-pages.ts';

const Provided = z.object({ provider: z.enum(['hubspot', 'salesforce', 'pipedrive']) });

/** The pages on which a person connects a CRM account: `/install/{token}` and the provider's way back. */
export function addInstallRoutes(app: HttpApp, deps: InstallDeps): void {
  const cookie = browserCookie(deps.publicUrl);

  app.get('/install/:token', async (context) => {
    const link = await findInstallLink(deps.db, context.req.param('token'), deps.clock.now());
    return show(context, link === null ? deadLinkPage() : askPage(link));
  });

  app.post('/install/:token', async (context) => {
    // A foreign site could press the button for somebody and lead them to connect their account to a stranger.
    const site = context.req.header('sec-fetch-site');
    if (site !== undefined && site !== 'same-origin') return show(context, foreignFormPage());
    const started = await startInstall(deps, context.req.param('token'));
    if (started === null) return show(context, deadLinkPage());
    setCookie(context, cookie.name, started.browserToken, cookie.options);
    return context.redirect(started.authorizeUrl, 303);
  });

  app.get('/oauth/:provider/callback', async (context) => {
    const { provider } = parsePath(context, Provided);
    const answer = toAnswer(context, provider, getCookie(context, cookie.name));
    const result =
      answer === null
        ? ({ status: 'refused' } as const)
        : await finishInstall(deps, answer, context.get('log'));
    if (result.status !== 'refused') deleteCookie(context, cookie.name, cookie.options);
    return show(context, resultPage(result, provider, context.get('requestId')));
  });
}

/** Sent by this browser to us alone; `Lax`, since the way back comes from the provider's site. */
function browserCookie(publicUrl: string) {
  const secure = publicUrl.startsWith('https:');
  const options = { path: '/', httpOnly: true, sameSite: 'Lax', secure } as const;
  return {
    name: `${secure ? '__Host-' : ''}tributary_install`,
    options: { ...options, maxAge: OAUTH_STATE_LIFETIME_MS / 1000 },
  };
}

function toAnswer(context: Context<HttpEnv>, provider: Provider, browserToken: string | undefined) {
  const state = context.req.query('state');
  if (state === undefined || browserToken === undefined) return null;
  const code = context.req.query('code') ?? null;
  return { provider, state, browserToken, code, error: context.req.query('error') ?? null };
}

/** No `form-action` in the policy: browsers hold it against every redirect behind the form, and consent pages redirect. */
async function show(context: Context<HttpEnv>, page: InstallPage): Promise<Response> {
  const nonce = randomToken(16);
  context.header(
    'content-security-policy',
    `default-src 'none'; style-src 'nonce-${nonce}'; base-uri 'none'; frame-ancestors 'none'`,
  );
  return context.html(await renderPage(page, nonce), page.status);
}
