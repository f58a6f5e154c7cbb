import { and, eq, isNull, lte, or, sql } from 'drizzle-orm';
import type { Provider, TokenSet } from '../../connectors/connector.ts';
import { fromSealedJson, toSealedJson } from '../identity/sealed-json.ts';
import { type MasterKey, openSecret, type SecretPlace, sealSecret } from '../platform/crypto.ts';
import type { ConnectionKey, Tx } from '../platform/db/client.ts';
import { connectionTokens } from './tables.ts';

/** Whose tokens: ciphertexts are bound to all of it. */
export interface TokenKey extends ConnectionKey {
  readonly provider: Provider;
}

/** A pair as it lies in the database, still sealed. */
export interface StoredTokens {
  readonly access: unknown;
  readonly refresh: unknown;
  readonly expiresAt: Date;
  /** Rises with every stored pair. */
  readonly version: number;
  /** Null when nobody refreshes, or whoever did has given up. */
  readonly leaseHolder: string | null;
}

type TokenField = 'access' | 'refresh';
const place = (key: TokenKey, field: TokenField): SecretPlace => ({
  organizationId: key.organizationId,
  connectionId: key.connectionId,
  provider: key.provider,
  field: `${field}_token`,
});
const byKey = (key: ConnectionKey) =>
  and(
    eq(connectionTokens.organizationId, key.organizationId),
    eq(connectionTokens.connectionId, key.connectionId),
  );

export async function findTokens(tx: Tx, key: ConnectionKey): Promise<StoredTokens | null> {
  const [row] = await tx.select().from(connectionTokens).where(byKey(key));
  return row ? toStored(row) : null;
}

function toStored(row: typeof connectionTokens.$inferSelect): StoredTokens {
  const { access, refresh, version, leaseHolder } = row;
  return { access, refresh, version, leaseHolder, expiresAt: new Date(row.expiresAt) };
}

/** @throws SecretUnreadable when the row was tampered with or its master key is gone. */
export function openToken(
  masterKeys: readonly MasterKey[],
  key: TokenKey,
  tokens: StoredTokens,
  field: TokenField,
): Promise<string> {
  return openSecret(masterKeys, place(key, field), fromSealedJson(tokens[field]));
}

async function seal(masterKeys: readonly MasterKey[], key: TokenKey, tokens: TokenSet) {
  return {
    access: toSealedJson(await sealSecret(masterKeys, place(key, 'access'), tokens.accessToken)),
    refresh: toSealedJson(await sealSecret(masterKeys, place(key, 'refresh'), tokens.refreshToken)),
    expiresAt: tokens.expiresAt,
    leaseHolder: null,
    leaseUntil: null,
  };
}

/** Stores the pair of a new grant over whatever was there. A refresh that is under way loses by the version. */
export async function saveGrant(
  tx: Tx,
  key: TokenKey,
  tokens: TokenSet,
  masterKeys: readonly MasterKey[],
): Promise<void> {
  const sealed = await seal(masterKeys, key, tokens);
  await tx
    .insert(connectionTokens)
    .values({ organizationId: key.organizationId, connectionId: key.connectionId, ...sealed })
    .onConflictDoUpdate({
      target: [connectionTokens.organizationId, connectionTokens.connectionId],
      set: { ...sealed, version: sql`${connectionTokens.version} + 1` },
    });
}

/**
 * Takes the right to refresh `version` until `until`, unless somebody else has it.
 * @returns the pair to refresh, or null: look again.
 */
export async function leaseRefresh(
  tx: Tx,
  key: ConnectionKey,
  lease: { readonly holder: string; readonly version: number; readonly now: Date; readonly until: Date },
): Promise<StoredTokens | null> {
  const [row] = await tx
    .update(connectionTokens)
    .set({ leaseHolder: lease.holder, leaseUntil: lease.until.toISOString() })
    .where(
      and(
        byKey(key),
        eq(connectionTokens.version, lease.version),
        or(isNull(connectionTokens.leaseUntil), lte(connectionTokens.leaseUntil, lease.now.toISOString())),
      ),
    )
    .returning();
  return row ? toStored(row) : null;
}

/**
 * Saves a refreshed pair over the version it was refreshed from, and frees the lease.
 * A lease that ran out does not matter: whoever answers first over this version has the newer pair.
 * @returns false when another pair was stored meanwhile.
 */
export async function saveRefreshed(
  tx: Tx,
  key: TokenKey,
  refreshed: { readonly version: number; readonly tokens: TokenSet },
  masterKeys: readonly MasterKey[],
): Promise<boolean> {
  const rows = await tx
    .update(connectionTokens)
    .set({
      ...(await seal(masterKeys, key, refreshed.tokens)),
      version: refreshed.version + 1,
    })
    .where(and(byKey(key), eq(connectionTokens.version, refreshed.version)))
    .returning({ version: connectionTokens.version });
  return rows.length > 0;
}

/** Gives the lease back without a new pair. */
export async function freeLease(tx: Tx, key: ConnectionKey, holder: string): Promise<void> {
  await tx
    .update(connectionTokens)
    .set({ leaseHolder: null, leaseUntil: null })
    .where(and(byKey(key), eq(connectionTokens.leaseHolder, holder)));
}

/** Is `version` still the stored one? Holds the row until the transaction ends, so that the answer stays true. */
export async function holdVersion(tx: Tx, key: ConnectionKey, version: number): Promise<boolean> {
  const rows = await tx
    .select({ version: connectionTokens.version })
    .from(connectionTokens)
    .where(and(byKey(key), eq(connectionTokens.version, version)))
    .for('update');
  return rows.length > 0;
}
