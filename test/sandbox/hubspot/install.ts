import type { HubSpotSandbox } from './sandbox.ts';

export interface Installed {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly portalId: number;
  readonly scopes: readonly string[];
}

/** Installs the app the way an admin does: consent page, approval, code exchange. All scopes are asked for. */
export async function installApp(
  sandbox: HubSpotSandbox,
  portalId = sandbox.portal().id,
): Promise<Installed> {
  const redirectUri = sandbox.redirectUrls[0] ?? '';
  const form = new URLSearchParams({
    client_id: sandbox.clientId,
    redirect_uri: redirectUri,
    scope: sandbox.requiredScopes.join(' '),
    optional_scope: sandbox.optionalScopes.join(' '),
    state: 's',
    portalId: String(portalId),
    decision: 'approve',
  });
  const approved = await sandbox.app.request('/oauth/authorize', { method: 'POST', body: form });
  const code = new URL(approved.headers.get('location') ?? '').searchParams.get('code') ?? '';
  return exchange(sandbox, { grant_type: 'authorization_code', code, redirect_uri: redirectUri });
}

/** One call of the token endpoint that must succeed. */
export async function exchange(
  sandbox: HubSpotSandbox,
  fields: Readonly<Record<string, string>>,
): Promise<Installed> {
  const response = await askForToken(sandbox, fields);
  const body = (await response.json()) as Record<string, unknown>;
  if (response.status !== 200) throw new Error(`token endpoint: ${JSON.stringify(body)}`);
  return {
    accessToken: String(body.access_token),
    refreshToken: String(body.refresh_token),
    portalId: Number(body.hub_id),
    scopes: body.scopes as string[],
  };
}

export function askForToken(sandbox: HubSpotSandbox, fields: Readonly<Record<string, string>>) {
  const body = new URLSearchParams({
    client_id: sandbox.clientId,
    client_secret: sandbox.clientSecret,
    ...fields,
  });
  return sandbox.app.request('/oauth/2026-09/token', { method: 'POST', body });
}
