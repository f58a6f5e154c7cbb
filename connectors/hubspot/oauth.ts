import { z } from 'zod';
import { Misconfigured, ReconnectNeeded, RetryLater } from '../../src/platform/errors.ts';
import type { OAuthApp, OAuthProvider, TokenSet } from '../connector.ts';
import { HUBSPOT_API_VERSION } from './version.ts';

/** Must equal the app definition's scopes to the letter, or HubSpot refuses the install. */
export const HUBSPOT_SCOPES = {
  required: [
    'oauth',
    'crm.objects.deals.read',
    'crm.objects.deals.write',
    'crm.objects.companies.read',
    'crm.objects.contacts.read',
    'crm.objects.owners.read',
    'crm.schemas.deals.read',
    'crm.schemas.deals.write',
  ],
  optional: [
    'crm.objects.custom.read',
    'crm.objects.custom.write',
    'crm.schemas.custom.read',
    'crm.schemas.custom.write',
    'sales-email-read',
  ],
} as const;

const TokenSchema = z.object({
  access_token: z.string().min(1),
  refresh_token: z.string().min(1),
  expires_in: z.number().positive(),
  hub_id: z.union([z.string(), z.number()]).transform(String),
  user_id: z.union([z.string(), z.number()]).transform(String).nullish(),
  scopes: z.array(z.string()).nullish(),
});
const FailureSchema = z.object({
  status: z.string().optional().catch(undefined),
  error: z.string().optional().catch(undefined),
});

/**
 * @param settings `apiUrl` answers the token calls, `appUrl` shows the consent page.
 */
export function createHubSpotOAuth(settings: {
  readonly apiUrl: string;
  readonly appUrl: string;
}): OAuthProvider {
  const request = async (path: string, fields: Record<string, string>): Promise<unknown> => {
    const response = await send(`${settings.apiUrl}/oauth/${HUBSPOT_API_VERSION}/${path}`, fields);
    if (response.ok) return response.body;
    throw toFailure(response.status, response.body);
  };
  const requestTokens = async (fields: Record<string, string>, now: Date): Promise<TokenSet> => {
    const parsed = TokenSchema.safeParse(await request('token', fields));
    if (!parsed.success)
      throw new Error("HubSpot's token answer does not have the documented shape.", { cause: parsed.error });
    return toTokenSet(parsed.data, now);
  };

  return {
    scopes: HUBSPOT_SCOPES,
    authorizeUrl: (app, state, codeChallenge) => {
      const query = {
        client_id: app.clientId,
        redirect_uri: app.redirectUrl,
        scope: HUBSPOT_SCOPES.required.join(' '),
        optional_scope: HUBSPOT_SCOPES.optional.join(' '),
        state,
        code_challenge: codeChallenge,
        code_challenge_method: 'S256',
      };
      const text = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
      return `${settings.appUrl}/oauth/authorize?${text.join('&')}`;
    },
    exchange: (app, code, codeVerifier, now) =>
      requestTokens(
        {
          grant_type: 'authorization_code',
          code,
          redirect_uri: app.redirectUrl,
          code_verifier: codeVerifier,
          ...credentials(app),
        },
        now,
      ),
    refresh: (app, refreshToken, now) =>
      requestTokens({ grant_type: 'refresh_token', refresh_token: refreshToken, ...credentials(app) }, now),
    revoke: async (app, refreshToken) => {
      await request('token/revoke', {
        token: refreshToken,
        token_type_hint: 'refresh_token',
        ...credentials(app),
      });
    },
  };
}

function credentials(app: OAuthApp): { client_id: string; client_secret: string } {
  return { client_id: app.clientId, client_secret: app.clientSecret };
}

/** `expiresAt` is when HubSpot stops taking the token; refreshing ahead of it is the caller's business. */
function toTokenSet(body: z.infer<typeof TokenSchema>, now: Date): TokenSet {
  return {
    accessToken: body.access_token,
    // Comes back unchanged so far, but HubSpot may rotate it: what it gave last is what counts.
    refreshToken: body.refresh_token,
    expiresAt: new Date(now.getTime() + body.expires_in * 1_000).toISOString(),
    accountExternalId: body.hub_id,
    userExternalId: body.user_id ?? null,
    scopes: body.scopes ?? [],
  };
}

async function send(url: string, fields: Record<string, string>) {
  try {
    const response = await fetch(url, {
      method: 'POST',
      // In the body, never in the query string, where logs and proxies would keep the secret.
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams(fields).toString(),
      redirect: 'manual',
      signal: AbortSignal.timeout(20_000),
    });
    const text = await response.text();
    return { ok: response.ok, status: response.status, body: readJson(text) };
  } catch (cause) {
    throw new RetryLater('HubSpot did not answer the token call.', 30_000, { cause });
  }
}

/**
 * Who moves next. HubSpot documents `status` and `error`, and has been seen to send BAD_REFRESH_TOKEN with
 * `error: invalid_request`: `status` is asked first. Whatever is unknown is ours to mend, so that one wrong
 * setting of our app never disconnects every account.
 */
function toFailure(httpStatus: number, body: unknown): Error {
  if ([408, 423, 429, 477].includes(httpStatus) || httpStatus >= 500) {
    return new RetryLater(
      `HubSpot's token endpoint answered ${httpStatus}.`,
      httpStatus === 477 ? 3_600_000 : 30_000,
    );
  }
  const parsed = FailureSchema.safeParse(body);
  const { status = '', error = '' } = parsed.success ? parsed.data : {};
  const told = `HubSpot answered ${httpStatus} ${status} ${error}`.trim();
  if (['BAD_REFRESH_TOKEN', 'BAD_HUB'].includes(status)) {
    return new ReconnectNeeded(`The connection to HubSpot was revoked; connect it again. (${told})`);
  }
  if (['BAD_AUTH_CODE', 'BAD_CODE_VERIFIER'].includes(status)) {
    return new ReconnectNeeded(`This installation attempt is used up or too old; start it again. (${told})`);
  }
  if (['BAD_CLIENT_ID', 'BAD_CLIENT_SECRET', 'BAD_REDIRECT_URI', 'BAD_SCOPES'].includes(status)) {
    return new Misconfigured(
      `Our HubSpot app's settings are wrong: check client id, secret and redirect URL. (${told})`,
    );
  }
  if (['invalid_grant', 'access_denied'].includes(error)) {
    return new ReconnectNeeded(`The connection to HubSpot was revoked; connect it again. (${told})`);
  }
  return new Misconfigured(
    `HubSpot refuses our app's token call: check client id, secret and redirect URL. (${told})`,
  );
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
