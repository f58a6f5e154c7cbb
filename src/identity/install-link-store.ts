import { and, eq, gt, isNull, lt } from 'drizzle-orm';
import type { Provider } from '../../connectors/connector.ts';
import { randomToken, sha256Hex } from '../platform/crypto.ts';
import { type Database, type Tx, withOrganization } from '../platform/db/client.ts';
import type { By } from './actor.ts';
import { recordAudit } from './audit-store.ts';
import { installLinks, oauthStates, organizations } from './tables.ts';

const LIFETIME_MS = 30 * 60_000;

/** Invites somebody, once and for half an hour by default, to connect a CRM account to the organization. */
export async function createInstallLink(
  tx: Tx,
  link: { readonly organizationId: string; readonly provider: Provider; readonly lifetimeMs?: number },
  by: By,
): Promise<{ readonly id: string; readonly token: string; readonly expiresAt: string }> {
  const { organizationId, provider } = link;
  const token = randomToken();
  const id = crypto.randomUUID();
  const expiresAt = new Date(by.now.getTime() + (link.lifetimeMs ?? LIFETIME_MS)).toISOString();
  const tokenSha256 = await sha256Hex(token);
  await tx.insert(installLinks).values({ organizationId, id, provider, tokenSha256, expiresAt });
  await recordAudit(tx, {
    ...by,
    organizationId,
    action: 'install-link.create',
    subject: `install-link:${id}`,
    details: { provider, expiresAt },
  });
  return { id, token, expiresAt };
}

export interface InstallLink {
  readonly organizationId: string;
  readonly id: string;
  readonly provider: Provider;
  readonly organizationName: string;
}

/** Looks at a link without using it up. Null when it is unknown, used or too old. */
export async function findInstallLink(db: Database, token: string, now: Date): Promise<InstallLink | null> {
  const [door] = await db.doors<{ organization_id: string; install_link_id: string }[]>`
    select organization_id, install_link_id from ops.organization_for_install_link(${await sha256Hex(token)})`;
  if (door === undefined) return null;
  const key = { organizationId: door.organization_id, id: door.install_link_id };
  return withOrganization(db, key.organizationId, async (tx) => {
    const [row] = await tx
      .select({ provider: installLinks.provider, organizationName: organizations.name })
      .from(installLinks)
      .innerJoin(organizations, eq(organizations.organizationId, installLinks.organizationId))
      .where(stillGood(key, now));
    return row
      ? { ...key, provider: row.provider as Provider, organizationName: row.organizationName }
      : null;
  });
}

/** Uses the link up. @returns false when somebody else did, or it is too old. */
export async function takeInstallLink(
  tx: Tx,
  key: { readonly organizationId: string; readonly id: string },
  now: Date,
): Promise<boolean> {
  const rows = await tx
    .update(installLinks)
    .set({ usedAt: now.toISOString() })
    .where(stillGood(key, now))
    .returning({ id: installLinks.id });
  return rows.length > 0;
}

const stillGood = (key: { readonly organizationId: string; readonly id: string }, now: Date) =>
  and(
    eq(installLinks.organizationId, key.organizationId),
    eq(installLinks.id, key.id),
    isNull(installLinks.usedAt),
    gt(installLinks.expiresAt, now.toISOString()),
  );

/** Links and round trips that nobody can use any more. */
export async function forgetExpiredInstalls(tx: Tx, organizationId: string, before: Date): Promise<void> {
  const at = before.toISOString();
  await tx
    .delete(installLinks)
    .where(and(eq(installLinks.organizationId, organizationId), lt(installLinks.expiresAt, at)));
  await tx
    .delete(oauthStates)
    .where(and(eq(oauthStates.organizationId, organizationId), lt(oauthStates.expiresAt, at)));
}
