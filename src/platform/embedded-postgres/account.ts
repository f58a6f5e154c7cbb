/**
 * PostgreSQL refuses to run as root. Started by root, the server runs as `nobody`; no user is added to the host.
 */
const NOBODY = 65534;

export interface ServerAccount {
  /** Are we root and does the server run as somebody else? */
  readonly drops: boolean;
  /** What `spawn` needs to become that account; empty when the server runs as ourselves. */
  readonly ids: { readonly uid?: number; readonly gid?: number };
}

export function serverAccount(uid: number | undefined = process.getuid?.()): ServerAccount {
  return uid === 0 ? { drops: true, ids: { uid: NOBODY, gid: NOBODY } } : { drops: false, ids: {} };
}
