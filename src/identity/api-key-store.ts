import { and, eq, isNull, lte, or } from 'drizzle-orm';
import { equalInConstantTime, newApiKey, parseApiKey } from '../platform/crypto.ts';
import { type Database, type Tx, withOrganization } from '../platform/db/client.ts';
import type { Actor, By } from './actor.ts';
import { recordAudit } from './audit-store.ts';
import { apiKeys } from './tables.ts';

/** `admin` may do what `write` may, and `write` what `read` may. */
export const API_SCOPES = ['read', 'write', 'admin'] as const;
export type ApiScope = (typeof API_SCOPES)[number];

/** Who called, as far as a key tells. */
export interface ApiCaller {
  readonly organizationId: string;
  readonly actor: Actor;
  readonly scopes: readonly ApiScope[];
}

export interface CreatedApiKey {
  readonly id: string;
  /** The key itself: shown once, stored nowhere. */
  readonly text: string;
  readonly prefix: string;
}

export async function createApiKey(
  tx: Tx,
  key: {
    readonly organizationId: string;
    readonly name: string;
    readonly scopes: readonly ApiScope[];
    /** null = until it is revoked. */
    readonly expiresAt: Date | null;
  },
  by: By,
): Promise<CreatedApiKey> {
  const { organizationId, name } = key;
  const { text, prefix, hash } = await newApiKey();
  const id = crypto.randomUUID();
  const expiresAt = key.expiresAt?.toISOString() ?? null;
  const scopes = API_SCOPES.filter((scope) => key.scopes.includes(scope));
  await tx.insert(apiKeys).values({
    organizationId,
    id,
    name,
    prefix,
    secretSha256: hash,
    scopes,
    expiresAt,
    createdAt: by.now.toISOString(),
  });
  await recordAudit(tx, {
    ...by,
    organizationId,
    action: 'api-key.create',
    subject: `api-key:${id}`,
    details: { name, prefix, scopes, expiresAt },
  });
  return { id, text, prefix };
}

/** Ends a key at once. @returns false when there is no such key, or it was revoked before. */
export async function revokeApiKey(
  tx: Tx,
  key: { readonly organizationId: string; readonly id: string },
  by: By,
): Promise<boolean> {
  const rows = await tx
    .update(apiKeys)
    .set({ revokedAt: by.now.toISOString() })
    .where(and(byId(key), isNull(apiKeys.revokedAt)))
    .returning({ prefix: apiKeys.prefix });
  if (rows.length === 0) return false;
  await recordAudit(tx, {
    ...by,
    organizationId: key.organizationId,
    action: 'api-key.revoke',
    subject: `api-key:${key.id}`,
    details: { prefix: rows[0]?.prefix },
  });
  return true;
}

/** Null for a key that is unknown, expired or revoked: the caller learns no difference. Notes the use of a good one. */
export async function resolveApiKey(db: Database, text: string, now: Date): Promise<ApiCaller | null> {
  const parsed = await parseApiKey(text);
  if (parsed === null) return null;
  const [door] = await db.doors<{ organization_id: string; api_key_id: string }[]>`
    select organization_id, api_key_id from ops.organization_for_api_key(${parsed.hash})`;
  if (door === undefined) return null;
  const key = { organizationId: door.organization_id, id: door.api_key_id };
  return withOrganization(db, key.organizationId, async (tx) => {
    const [row] = await tx.select().from(apiKeys).where(byId(key));
    if (row === undefined || !equalInConstantTime(row.secretSha256, parsed.hash)) return null;
    const isOver = row.expiresAt !== null && new Date(row.expiresAt) <= now;
    if (isOver || row.revokedAt !== null) return null;
    await noteUse(tx, key, row.lastUsedAt, now);
    return {
      organizationId: key.organizationId,
      actor: { kind: 'api_key', id: key.id },
      scopes: API_SCOPES.filter((scope) => row.scopes.includes(scope)),
    };
  });
}

/** A write per request would cost more than the request; a minute is exact enough to see that a key is in use. */
const NOTE_USE_EVERY_MS = 60_000;

async function noteUse(
  tx: Tx,
  key: { readonly organizationId: string; readonly id: string },
  lastUsedAt: string | null,
  now: Date,
): Promise<void> {
  const before = new Date(now.getTime() - NOTE_USE_EVERY_MS);
  if (lastUsedAt !== null && new Date(lastUsedAt) > before) return;
  await tx
    .update(apiKeys)
    .set({ lastUsedAt: now.toISOString() })
    .where(and(byId(key), or(isNull(apiKeys.lastUsedAt), lte(apiKeys.lastUsedAt, before.toISOString()))));
}

const byId = (key: { readonly organizationId: string; readonly id: string }) =>
  and(eq(apiKeys.organizationId, key.organizationId), eq(apiKeys.id, key.id));
