import type { RecordKind } from '../../connectors/connector.ts';
import { withOrganization } from '../platform/db/client.ts';
import { Rejected } from '../platform/errors.ts';
import { type Connection, findConnection, saveFacts } from './connection-store.ts';
import { openConnector, type SyncDeps } from './open-connector.ts';

/** Asks the CRM what the account is like, and gives the connection that knows it. */
export async function describeConnection(
  deps: SyncDeps,
  connection: Connection,
  signal: AbortSignal,
): Promise<Connection> {
  const facts = await openConnector(deps, connection).describeAccount(signal);
  const described = await withOrganization(deps.db, connection.organizationId, async (tx) => {
    await saveFacts(tx, connection, facts, deps.clock.now());
    return findConnection(tx, connection);
  });
  return described ?? { ...connection, facts };
}

/** A kind of activity that the CRM refuses to show: no lane asks for it, and everything else goes on. */
export const isUnreadable = (connection: Connection, kind: RecordKind): boolean =>
  (connection.facts?.unreadableKinds as readonly string[] | undefined)?.includes(kind) ?? false;

/**
 * After a refusal in the middle of things: is it that this kind must not be read any more? Then the account's facts say
 * so from now on, and the caller goes on without it.
 */
export async function hasBecomeUnreadable(
  deps: SyncDeps,
  connection: Connection,
  kind: RecordKind,
  error: unknown,
  signal: AbortSignal,
): Promise<boolean> {
  if (!(error instanceof Rejected)) return false;
  return isUnreadable(await describeConnection(deps, connection, signal), kind);
}
