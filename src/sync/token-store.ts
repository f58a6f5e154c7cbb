import { and, eq, isNull, lte, or, sql } from 'drizzle-orm';
import type { Provider, TokenSet } from '../../connectors/connector.ts';
import { fromSealedJson, toSealedJson } from '../identity/sealed-json.ts';
import {
  type MasterKey,
  openSecret,
  type SealedSecret,
  type SecretPlace,
  sealSecret,
} from '../platform/crypto.ts';
import { type ConnectionKey, query, type Tx } from '../platform/db/client.ts';
import type { StoredSecret } from '../platform/rewrap.ts';
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

/** Sealed tokens of an organization that are not under the master key `version`, in a stable order after `afterId`. */
export async function listSealedTokens(
  tx: Tx,
  organizationId: string,
  version: string,
  afterId: string | null,
  limit: number,
): Promise<readonly StoredSecret[]> {
  const rows = await query<{
    id: string;
    connection_id: string;
    provider: Provider;
    field: TokenField;
    sealed: unknown;
  }>(
    tx,
    sql`
    select t.connection_id || ':' || f.field as id, t.connection_id, c.provider, f.field, f.sealed from connection_tokens t
    join connections c on c.organization_id = t.organization_id and c.id = t.connection_id
    cross join lateral (values ('access', t.access), ('refresh', t.refresh)) f(field, sealed)
    where t.organization_id = ${organizationId}::uuid and f.sealed->>'kekVersion' <> ${version}
      and (${afterId}::text is null or t.connection_id || ':' || f.field > ${afterId}::text)
    order by 1 limit ${limit}`,
  );
  return rows.map((row) => ({
    id: row.id,
    place: place({ organizationId, connectionId: row.connection_id, provider: row.provider }, row.field),
    sealed: fromSealedJson(row.sealed),
  }));
}

/** Stores the re-wrapped secret where the former one still stands; false when the app has stored another meanwhile. */
export async function replaceSealedToken(tx: Tx, secret: StoredSecret, next: SealedSecret): Promise<boolean> {
  const column = sql.raw(secret.id.endsWith(':access') ? 'access' : 'refresh');
  const rows = await query(
    tx,
    sql`update connection_tokens set ${column} = ${JSON.stringify(toSealedJson(next))}::text::jsonb
      where organization_id = ${secret.place.organizationId}::uuid and connection_id = ${secret.place.connectionId}::uuid
        and ${column}->>'wrappedKey' = ${toSealedJson(secret.sealed).wrappedKey} returning 1`,
  );
  return rows.length > 0;
}
