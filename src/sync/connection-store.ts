import { and, eq, sql } from 'drizzle-orm';
import type { AccountFacts, Finding, Provider, SchemaState } from '../../connectors/connector.ts';
import { type ConnectionKey, type Tx, textArray, toInstant } from '../platform/db/client.ts';
import { markWork } from '../platform/jobs/work-store.ts';
import { resetPositions } from './position-store.ts';
import { connections } from './tables.ts';

export type ConnectionStatus = 'active' | 'reconnect_needed' | 'uninstalled';

export interface Connection extends ConnectionKey {
  readonly provider: Provider;
  readonly accountExternalId: string;
  readonly status: ConnectionStatus;
  readonly statusReason: string | null;
  readonly scopes: readonly string[];
  readonly facts: AccountFacts | null;
  readonly schemaState: SchemaState | null;
  readonly findings: readonly Finding[];
  readonly partnerFields: readonly string[];
  readonly createdAt: string;
}

type Row = typeof connections.$inferSelect;
const toConnection = (row: Row): Connection => ({
  organizationId: row.organizationId,
  connectionId: row.id,
  provider: row.provider,
  accountExternalId: row.accountExternalId,
  status: row.status,
  statusReason: row.statusReason,
  scopes: row.scopes,
  facts: row.facts as AccountFacts | null,
  schemaState: row.schemaState as SchemaState | null,
  findings: row.findings as readonly Finding[],
  partnerFields: row.partnerFields,
  createdAt: toInstant(row.createdAt),
});
const byKey = (key: ConnectionKey) =>
  and(eq(connections.organizationId, key.organizationId), eq(connections.id, key.connectionId));

export async function findConnection(tx: Tx, key: ConnectionKey): Promise<Connection | null> {
  const [row] = await tx.select().from(connections).where(byKey(key));
  return row ? toConnection(row) : null;
}

export async function listConnections(tx: Tx, organizationId: string): Promise<readonly Connection[]> {
  const rows = await tx
    .select()
    .from(connections)
    .where(eq(connections.organizationId, organizationId))
    .orderBy(connections.createdAt);
  return rows.map(toConnection);
}

/** Links a CRM account, or takes up again a link that stood before; the id stays the same for one account. */
export async function saveConnection(
  tx: Tx,
  connection: {
    readonly organizationId: string;
    readonly provider: Provider;
    readonly accountExternalId: string;
    readonly scopes: readonly string[];
    readonly partnerFields: readonly string[];
  },
): Promise<{ readonly connectionId: string; readonly isNew: boolean }> {
  const [row] = await tx
    .insert(connections)
    .values({
      ...connection,
      scopes: [...connection.scopes],
      partnerFields: [...connection.partnerFields],
      status: 'active',
    })
    .onConflictDoUpdate({
      target: [connections.organizationId, connections.provider, connections.accountExternalId],
      set: { status: 'active', statusReason: null, scopes: [...connection.scopes], uninstalledAt: null },
    })
    .returning({ id: connections.id, isNew: sql<boolean>`(xmax = 0)` });
  if (row === undefined) throw new Error('a connection was neither inserted nor updated');
  return { connectionId: row.id, isNew: row.isNew };
}

/** @returns whether the status changed; an uninstalled connection keeps that status until it is installed again. */
export async function setConnectionStatus(
  tx: Tx,
  key: ConnectionKey,
  status: ConnectionStatus,
  reason: string | null,
  now: Date,
): Promise<boolean> {
  const rows = await tx
    .update(connections)
    .set({
      status,
      statusReason: reason,
      ...(status === 'uninstalled' ? { uninstalledAt: now.toISOString() } : {}),
    })
    .where(
      and(
        byKey(key),
        sql`status <> 'uninstalled' and (status, status_reason) is distinct from (${status}, ${reason})`,
      ),
    )
    .returning({ id: connections.id });
  return rows.length > 0;
}

/**
 * Facts as described now. The first description also proposes the partner fields; the admin may choose others. A kind
 * that the CRM shows again is read, and with it the deals, whose lists left it out.
 */
export async function saveFacts(tx: Tx, key: ConnectionKey, facts: AccountFacts, now: Date): Promise<void> {
  const [before] = await tx
    .select({ facts: connections.facts })
    .from(connections)
    .where(byKey(key))
    .for('update');
  const hidden = (before?.facts as AccountFacts | null | undefined)?.unreadableKinds ?? [];
  const shown = hidden.filter((kind) => !facts.unreadableKinds?.includes(kind));
  if (shown.length > 0) {
    await resetPositions(tx, key, ['deal', ...shown], now);
    await markWork(
      tx,
      { organizationId: key.organizationId, lane: 'backfill', scopeId: key.connectionId },
      [''],
      now,
    );
  }
  await tx
    .update(connections)
    .set({
      facts,
      describedAt: now.toISOString(),
      partnerFields: sql`case when ${connections.describedAt} is null and ${connections.partnerFields} = '{}'
        then ${textArray(facts.partnerFieldCandidates)} else ${connections.partnerFields} end`,
    })
    .where(byKey(key));
}

export async function saveCheckUp(
  tx: Tx,
  key: ConnectionKey,
  checkUp: { readonly schemaState: SchemaState; readonly findings: readonly Finding[] },
): Promise<void> {
  await tx
    .update(connections)
    .set({ schemaState: checkUp.schemaState, findings: checkUp.findings })
    .where(byKey(key));
}

/** Adds what a comparison found out, until the next check-up or until it is mended. */
export async function saveFinding(tx: Tx, key: ConnectionKey, finding: Finding): Promise<void> {
  await dropFinding(tx, key, finding.code);
  const added = JSON.stringify([finding]);
  await tx
    .update(connections)
    .set({ findings: sql`${connections.findings} || ${added}::text::jsonb` })
    .where(byKey(key));
}

export async function dropFinding(tx: Tx, key: ConnectionKey, code: string): Promise<void> {
  const others = sql`(select coalesce(jsonb_agg(f), '[]') from jsonb_array_elements(${connections.findings}) f where f ->> 'code' <> ${code})`;
  await tx
    .update(connections)
    .set({ findings: others })
    .where(and(byKey(key), sql`${connections.findings} @> ${JSON.stringify([{ code }])}::text::jsonb`));
}

/** Lets everything that waits for this connection run now (after a reconnect, or when a full read ended). */
export async function releaseWork(tx: Tx, key: ConnectionKey, now: Date): Promise<void> {
  const at = now.toISOString();
  await tx.execute(sql`
    update work set run_at = ${at}::timestamptz where organization_id = ${key.organizationId}::uuid
      and scope_id = ${key.connectionId}::uuid and lane in ('fetch', 'write-back', 'backfill', 'poll', 'check-up')
      and run_at > ${at}::timestamptz and set_aside_at is null`);
}

/** Everything of connections uninstalled before then: links first, the rest goes with the connection. */
export async function forgetUninstalled(tx: Tx, organizationId: string, before: Date): Promise<void> {
  const old = sql`(select c.id from connections c where c.organization_id = ${organizationId}::uuid
    and c.status = 'uninstalled' and c.uninstalled_at < ${before.toISOString()}::timestamptz)`;
  await tx.execute(sql`delete from partner_links l using accounts a where l.organization_id = ${organizationId}::uuid
    and a.organization_id = l.organization_id and a.id = l.account_id and a.connection_id in ${old}`);
  await tx.execute(
    sql`delete from work where organization_id = ${organizationId}::uuid and scope_id in ${old}`,
  );
  await tx.execute(
    sql`delete from connections where organization_id = ${organizationId}::uuid and id in ${old}`,
  );
}

export async function savePartnerFields(
  tx: Tx,
  key: ConnectionKey,
  partnerFields: readonly string[],
): Promise<void> {
  await tx
    .update(connections)
    .set({ partnerFields: [...partnerFields] })
    .where(byKey(key));
}
