import { createApiKey } from '../../src/identity/api-key-store.ts';
import { createInstallLink } from '../../src/identity/install-link-store.ts';
import { createOrganization } from '../../src/identity/store.ts';
import { type Database, withOrganization } from '../../src/platform/db/client.ts';
import type { DemoFolder, Memory } from './folder.ts';
import { PORTAL_ID } from './portal.ts';

export const TIME_ZONE = 'America/New_York';
const OPERATOR = { kind: 'operator', id: 'demo' } as const;

/** The organization and its key: what `npm run admin` does for a real customer. */
export async function openTenant(
  db: Database,
  folder: DemoFolder,
  now: Date,
): Promise<NonNullable<Memory['tenant']>> {
  if (folder.memory.tenant !== null) return folder.memory.tenant;
  const by = { actor: OPERATOR, now };
  const { organizationId } = await createOrganization(db, { name: 'Seller Inc.', timeZone: TIME_ZONE }, by);
  const key = await withOrganization(db, organizationId, (tx) =>
    createApiKey(tx, { organizationId, name: 'demo', scopes: ['admin'], expiresAt: null }, by),
  );
  const tenant = { organizationId, apiKey: key.text };
  folder.save({ tenant });
  return tenant;
}

/** A single-use link, as an operator sends it to a customer's admin. */
export async function makeInstallLink(
  db: Database,
  organizationId: string,
  publicUrl: string,
  now: Date,
): Promise<string> {
  const { token } = await withOrganization(db, organizationId, (tx) =>
    createInstallLink(tx, { organizationId, provider: 'hubspot' }, { actor: OPERATOR, now }),
  );
  return `${publicUrl}/install/${token}`;
}

/**
 * What an admin and their browser do: open the link, press the button, choose the portal on the consent page, agree, and
 * be sent back with the cookie.
 * @throws with the page's status when one of the steps does not lead on.
 */
export async function walkThroughInstall(link: string): Promise<void> {
  await expectOk('the install page', await fetch(link));
  const pressed = await fetch(link, { method: 'POST', redirect: 'manual' });
  const cookie = pressed.headers.get('set-cookie')?.split(';')[0] ?? '';
  const consent = leadOn('the install page', pressed);
  await expectOk('the consent page', await fetch(consent));
  const form = new URLSearchParams(consent.searchParams);
  form.set('portalId', String(PORTAL_ID));
  form.set('decision', 'approve');
  const agreed = await fetch(`${consent.origin}${consent.pathname}`, {
    method: 'POST',
    body: form,
    redirect: 'manual',
  });
  const back = leadOn('the consent page', agreed);
  await expectOk('the way back', await fetch(back, { headers: { cookie } }));
}

async function expectOk(what: string, response: Response): Promise<void> {
  const text = await response.text();
  if (!response.ok) throw new Error(`${what} answered ${response.status}: ${text.slice(0, 500)}`);
}

function leadOn(what: string, response: Response): URL {
  const location = response.headers.get('location');
  if (location === null) throw new Error(`${what} answered ${response.status} and leads nowhere`);
  return new URL(location);
}
