import {
  type MasterKey,
  rewrapSecret,
  type SealedSecret,
  type SecretPlace,
  SecretUnreadable,
} from './crypto.ts';

/** A sealed secret with where it belongs; `id` finds its row again. */
export interface StoredSecret {
  readonly id: string;
  readonly place: SecretPlace;
  readonly sealed: SealedSecret;
}

export interface RewrapDeps {
  readonly keys: readonly MasterKey[];
  /** Up to a page of secrets that are not under `version`, after `afterId` in the order of ids. */
  list(version: string, afterId: string | null): Promise<readonly StoredSecret[]>;
  /** Stores `next` only where `previous` still stands (same `wrappedKey`); false when somebody else was quicker. */
  replace(secret: StoredSecret, next: SealedSecret): Promise<boolean>;
}

export interface RewrapResult {
  readonly rewrapped: number;
  /** Changed by the running app meanwhile, thus under the first key already. */
  readonly changedMeanwhile: number;
  readonly unreadable: readonly { readonly id: string; readonly reason: string }[];
}

/**
 * Brings every stored secret under the first master key while the app runs. May be stopped and started again. A secret
 * that does not open is reported and left as it is.
 */
export async function rewrapAll(deps: RewrapDeps): Promise<RewrapResult> {
  const version = deps.keys[0]?.version;
  if (version === undefined) throw new Error('MASTER_KEYS holds no key.');
  let rewrapped = 0;
  let changedMeanwhile = 0;
  const unreadable: { id: string; reason: string }[] = [];
  for (
    let page = await deps.list(version, null);
    page.length > 0;
    page = await deps.list(version, page.at(-1)?.id ?? null)
  ) {
    for (const secret of page) {
      try {
        const next = await rewrapSecret(deps.keys, secret.place, secret.sealed);
        if (await deps.replace(secret, next)) rewrapped++;
        else changedMeanwhile++;
      } catch (error) {
        if (!(error instanceof SecretUnreadable)) throw error;
        unreadable.push({ id: secret.id, reason: error.message });
      }
    }
  }
  return { rewrapped, changedMeanwhile, unreadable };
}
