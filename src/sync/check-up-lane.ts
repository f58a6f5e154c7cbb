import type { AccountFacts, Connector, Finding, SchemaState } from '../../connectors/connector.ts';
import { listBlockedDeals } from '../deals/store.ts';
import { type Tx, withOrganization } from '../platform/db/client.ts';
import { Rejected } from '../platform/errors.ts';
import type { LaneHandler } from '../platform/jobs/run-lane.ts';
import { markWork } from '../platform/jobs/work-store.ts';
import { type Connection, releaseWork, saveCheckUp, saveFacts } from './connection-store.ts';
import { forgetRows, placeOf } from './crm-row-store.ts';
import { markFetch } from './ingest.ts';
import { openConnector, type SyncDeps } from './open-connector.ts';
import { markAllWriteBack, retrySetAside } from './set-aside-store.ts';
import { forAll, inAWhile, whenConnected } from './with-connection.ts';

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
        const ensured = await ensureSchema(connector, batch.signal, findings);
        const schemaState = await yieldFields(deps, connection, ensured);
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
  const findingsDiffer = toSaying(before.findings) !== toSaying(after.findings);
  const factsDiffer = toCanonicalText(before.facts) !== toCanonicalText(after.facts);
  if (before.facts !== null && (findingsDiffer || factsDiffer)) {
    const blocked = await listBlockedDeals(tx, before);
    await markFetch(
      tx,
      before,
      blocked.map((externalId) => `deal:${externalId}`),
      { now },
    );
  }
  if (before.schemaState === null) await releaseWork(tx, before, now);
  await followPlace(tx, before, after.schemaState, now);
  if (before.schemaState?.version === after.schemaState.version && !findingsDiffer) return;
  for (const lane of HEALED_LANES)
    await retrySetAside(tx, organizationId, { lane, scopeId: connectionId }, now);
}

/** Another object, or another rung: what was written elsewhere stands no more, and every deal is compared anew. */
async function followPlace(tx: Tx, before: Connection, schema: SchemaState, now: Date): Promise<void> {
  const lost = schema.findings.some(({ code }) => code === FIELDS_IN_USE);
  if (schema.rung === 'none' && !lost) return;
  const place = placeOf(schema);
  const { organizationId, connectionId: scopeId } = before;
  // A batch that was under way saved what it wrote in the former place.
  await markWork(
    tx,
    { organizationId, scopeId, lane: 'write-back' },
    await forgetRows(tx, before, place),
    now,
  );
  if (before.schemaState === null || placeOf(before.schemaState) !== place)
    await markAllWriteBack(tx, before, now);
}

const FIELDS_IN_USE = 'fields_in_use';

/**
 * Properties of a deal hold the credits of one organization: of several that work in the same account, the one whose
 * connection is the oldest writes them.
 */
async function yieldFields(
  { db }: SyncDeps,
  connection: Connection,
  schema: SchemaState,
): Promise<SchemaState> {
  if (schema.rung !== 'deal_fields') return schema;
  const [first] = await db.doors<{ connection_id: string }[]>`
    select connection_id from ops.organizations_for_account(${connection.provider}, ${connection.accountExternalId})`;
  if (first === undefined || first.connection_id === connection.connectionId) return schema;
  const finding: Finding = {
    severity: 'error',
    code: FIELDS_IN_USE,
    message:
      'Another organization writes its credits to the deal properties of this account: ours are not written.',
    fix: 'Use an edition with custom objects, which hold the rows of several organizations, or uninstall the other organization.',
  };
  return {
    rung: 'none',
    version: `${FIELDS_IN_USE}:${schema.version}`,
    handle: {},
    findings: [finding, ...schema.findings],
  };
}

const toSaying = (findings: readonly Finding[]): string =>
  JSON.stringify(findings.map(({ code, message }) => [code, message]).sort());

/** PostgreSQL gives the keys of a jsonb back in an order of its own. */
function toCanonicalText(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
