import { and, eq, gt, isNull } from 'drizzle-orm';
import type { Provider } from '../../connectors/connector.ts';
import {
  type MasterKey,
  newPkce,
  openSecret,
  randomToken,
  type SecretPlace,
  sealSecret,
  sha256Hex,
} from '../platform/crypto.ts';
import { type Database, type Tx, withOrganization } from '../platform/db/client.ts';
import { fromSealedJson, toSealedJson } from './sealed-json.ts';
import { oauthStates } from './tables.ts';

/** RFC 9700 asks for short; a person has to read one consent page. */
export const OAUTH_STATE_LIFETIME_MS = 10 * 60_000;

export interface StartedOAuth {
  /** Goes to the provider and comes back. */
  readonly state: string;
  /** Goes into the browser's cookie: only this browser can finish. */
  readonly browserToken: string;
  readonly codeChallenge: string;
}

/** Begins a round trip. What comes back is stored as hashes; the PKCE verifier is sealed. */
export async function startOAuth(
  tx: Tx,
  start: {
    readonly organizationId: string;
    readonly provider: Provider;
    /** What began it, e.g. `install-link:{id}`. */
    readonly startedBy: string;
  },
  masterKeys: readonly MasterKey[],
  now: Date,
): Promise<StartedOAuth> {
  const id = crypto.randomUUID();
  const [state, browserToken] = [randomToken(), randomToken()];
  const { verifier, challenge } = await newPkce();
  await tx.insert(oauthStates).values({
    ...start,
    id,
    stateSha256: await sha256Hex(state),
    browserSha256: await sha256Hex(browserToken),
    codeVerifier: toSealedJson(await sealSecret(masterKeys, verifierPlace({ ...start, id }), verifier)),
    expiresAt: new Date(now.getTime() + OAUTH_STATE_LIFETIME_MS).toISOString(),
  });
  return { state, browserToken, codeChallenge: challenge };
}

export interface TakenOAuth {
  readonly organizationId: string;
  readonly codeVerifier: string;
  readonly startedBy: string;
}

/**
 * Uses a state up. Null when it is forged, used, too old, another provider's or another browser's: one statement
 * decides, so that of two callbacks one wins. A foreign browser does not spoil it for the right one.
 */
export async function takeOAuthState(
  db: Database,
  answer: { readonly provider: Provider; readonly state: string; readonly browserToken: string },
  masterKeys: readonly MasterKey[],
  now: Date,
): Promise<TakenOAuth | null> {
  const { provider } = answer;
  const [door] = await db.doors<{ organization_id: string; oauth_state_id: string }[]>`
    select organization_id, oauth_state_id from ops.organization_for_oauth_state(${await sha256Hex(answer.state)})`;
  if (door === undefined) return null;
  const { organization_id: organizationId, oauth_state_id: id } = door;
  const browserSha256 = await sha256Hex(answer.browserToken);
  const [row] = await withOrganization(db, organizationId, (tx) =>
    tx
      .update(oauthStates)
      .set({ usedAt: now.toISOString() })
      .where(
        and(
          eq(oauthStates.organizationId, organizationId),
          eq(oauthStates.id, id),
          eq(oauthStates.provider, provider),
          eq(oauthStates.browserSha256, browserSha256),
          isNull(oauthStates.usedAt),
          gt(oauthStates.expiresAt, now.toISOString()),
        ),
      )
      .returning(),
  );
  if (row === undefined) return null;
  const place = verifierPlace({ organizationId, provider, id });
  const codeVerifier = await openSecret(masterKeys, place, fromSealedJson(row.codeVerifier));
  return { organizationId, codeVerifier, startedBy: row.startedBy };
}

const verifierPlace = (state: {
  readonly organizationId: string;
  readonly provider: Provider;
  readonly id: string;
}): SecretPlace => ({
  organizationId: state.organizationId,
  // There is no connection yet: the round trip stands in its place.
  connectionId: state.id,
  provider: state.provider,
  field: 'code_verifier',
});
