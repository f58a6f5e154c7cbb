import type { AccountFacts, Connector, Finding, SchemaState } from '../../connectors/connector.ts';
import { listBlockedDeals } from '../deals/store.ts';
import { type Tx, withOrganization } from '../platform/db/client.ts';
import { Rejected } from '../platform/errors.ts';
import type { LaneHandler } from '../platform/jobs/run-lane.ts';
import { listSetAsideObjects, markWork } from '../platform/jobs/work-store.ts';
import { type Connection, releaseWork, saveCheckUp, saveFacts } from './connection-store.ts';
import { markFetch } from './ingest.ts';
import { openConnector, type SyncDeps } from './open-connector.ts';
import { forAll, inAWhile, whenConnected } from './with-connection.ts';
import { forgetRejections } from './write-back-store.ts';

/**
 * The check-up lane, after install and once a day: what the account is like, whether it can be written to, what is wrong
 * and how to mend it. What was refused before is tried again when something here changed.
 */
export function createCheckUpLane(deps: SyncDeps): LaneHandler {
  return {
    lane: 'check-up',
    batch: 1,
    everyMs: deps.intervals.checkUpMs,
    handle: (batch) =>
      whenConnected(deps, batch, async (connection) => {
        const connector = openConnector(deps, connection);
        const facts = await connector.describeAccount(batch.signal);
        const findings = [...(await connector.preflight(batch.signal))];
        const schemaState = await ensureSchema(connector, batch.signal, findings);
        findings.push(...schemaState.findings);
        findings.push(...(await connector.ensureSubscriptions(batch.signal)).findings);
        const now = deps.clock.now();
        await withOrganization(deps.db, connection.organizationId, async (tx) => {
          await saveFacts(tx, connection, facts, now);
          await saveCheckUp(tx, connection, { schemaState, findings });
          await followUp(tx, connection, { facts, schemaState, findings }, now);
        });
        return forAll(batch.items, inAWhile(now, deps.intervals.checkUpMs));
      }),
  };
}

/** A portal that refuses the schema can still be read: write-back waits with the portal's own words. */
async function ensureSchema(
  connector: Connector,
  signal: AbortSignal,
  findings: Finding[],
): Promise<SchemaState> {
  try {
    return await connector.ensureSchema(signal);
  } catch (error) {
    if (!(error instanceof Rejected)) throw error;
    findings.push({
      severity: 'error',
      code: error.reason,
      message: error.message,
      fix: 'Mend this in the CRM, then run the check-up again.',
    });
    return { rung: 'none', version: `refused:${error.reason}`, handle: {}, findings: [] };
  }
}

interface CheckUp {
  readonly facts: AccountFacts;
  readonly schemaState: SchemaState;
  readonly findings: readonly Finding[];
}

/** Lanes whose work a person's change in the CRM may let through. */
const HEALED_LANES = ['write-back', 'fetch', 'backfill'] as const;

async function followUp(tx: Tx, before: Connection, after: CheckUp, now: Date): Promise<void> {
  const { organizationId, connectionId } = before;
  const differs = (a: unknown, b: unknown) => JSON.stringify(a) !== JSON.stringify(b);
  const findingsDiffer = differs(before.findings, after.findings);
  if (before.facts !== null && (findingsDiffer || differs(before.facts, after.facts))) {
    const blocked = await listBlockedDeals(tx, before);
    await markFetch(
      tx,
      before,
      blocked.map((externalId) => `deal:${externalId}`),
      { now },
    );
  }
  if (before.schemaState === null) await releaseWork(tx, before, now);
  if (before.schemaState?.version === after.schemaState.version && !findingsDiffer) return;
  const rejected = await forgetRejections(tx, organizationId, { connectionId });
  for (const lane of HEALED_LANES) {
    const scope = { organizationId, scopeId: connectionId, lane };
    const again = lane === 'write-back' ? rejected.map((r) => r.dealId) : [];
    await markWork(tx, scope, [...again, ...(await listSetAsideObjects(tx, scope))], now);
  }
}
