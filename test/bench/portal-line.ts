import { createApiKey } from '../../src/identity/api-key-store.ts';
import { createInstallLink } from '../../src/identity/install-link-store.ts';
import { createOrganization } from '../../src/identity/store.ts';
import type { Clock } from '../../src/platform/clock.ts';
import { type Database, withOrganization } from '../../src/platform/db/client.ts';
import type { HubSpotSandbox } from '../sandbox/hubspot/sandbox.ts';
import { PORTAL, PUBLIC_URL } from './settings.ts';

/** How our HTTP app is reached: in this process, or over a socket. Takes requests as if at the public address. */
export type Send = (request: Request) => Promise<Response>;

export interface PortalTenant {
  readonly organizationId: string;
  /** Through the real OAuth round trip, as an admin's browser does it. */
  install(): Promise<void>;
  /** Turns every company that looks like a partner into one. @returns how many */
  acceptAllSuggestions(): Promise<number>;
}

const BY_OPERATOR = { kind: 'operator', id: 'bench' } as const;

/** An organization with an API key, facing the sandbox's portal. */
export async function createPortalTenant(parts: {
  readonly db: Database;
  readonly clock: Clock;
  readonly sandbox: HubSpotSandbox;
  readonly send: Send;
}): Promise<PortalTenant> {
  const { db, clock, sandbox, send } = parts;
  const by = { actor: BY_OPERATOR, now: clock.now() };
  const { organizationId } = await createOrganization(
    db,
    { name: 'Bench', timeZone: 'America/New_York' },
    by,
  );
  const { text: apiKey } = await withOrganization(db, organizationId, (tx) =>
    createApiKey(tx, { organizationId, name: 'bench', scopes: ['admin'], expiresAt: null }, by),
  );
  const api = async (method: string, path: string, body?: unknown): Promise<Record<string, unknown>> => {
    const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' };
    const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const response = await send(new Request(`${PUBLIC_URL}${path}`, init));
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as Record<string, unknown>;
  };
  return {
    organizationId,
    install: async () => {
      const link = await withOrganization(db, organizationId, (tx) =>
        createInstallLink(tx, { organizationId, provider: 'hubspot' }, { ...by, now: clock.now() }),
      );
      const status = await walkThroughInstall(sandbox, send, link.token);
      if (status !== 200) throw new Error(`the install ended with status ${status}`);
    },
    acceptAllSuggestions: async () => {
      const { connections } = (await api('GET', '/v1/connections')) as { connections: { id: string }[] };
      const connectionId = connections[0]?.id;
      let accepted = 0;
      for (;;) {
        const found = await api('GET', '/v1/partner-suggestions?limit=200');
        const { suggestions } = found as { suggestions: { accountExternalId: string }[] };
        if (suggestions.length === 0) return accepted;
        const companies = suggestions.map((one) => ({
          connectionId,
          accountExternalId: one.accountExternalId,
          type: 'referral',
        }));
        await api('POST', '/v1/partner-suggestions/accept', companies);
        accepted += companies.length;
      }
    },
  };
}

/** Opens the link, presses the button, consents, comes back. @returns the last status */
async function walkThroughInstall(sandbox: HubSpotSandbox, send: Send, token: string): Promise<number> {
  const pressed = await send(new Request(`${PUBLIC_URL}/install/${token}`, { method: 'POST' }));
  const cookie = pressed.headers.get('set-cookie')?.split(';')[0] ?? '';
  const consent = new URL(pressed.headers.get('location') ?? '');
  const form = new URLSearchParams(consent.searchParams);
  form.set('portalId', String(PORTAL));
  form.set('decision', 'approve');
  const approved = await sandbox.app.request(consent.pathname, { method: 'POST', body: form });
  const back = await send(new Request(approved.headers.get('location') ?? '', { headers: { cookie } }));
  return back.status;
}
