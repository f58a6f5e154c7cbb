import type { Context } from 'hono';
import { z } from 'zod';
import { RECORD_KINDS } from '../../connectors/connector.ts';
import { type ApiEnv, requireApiKey } from '../identity/api-guard.ts';
import { recordAudit } from '../identity/audit-store.ts';
import type { Clock } from '../platform/clock.ts';
import { type Database, type Tx, withOrganization } from '../platform/db/client.ts';
import type { HttpApp } from '../platform/http/app.ts';
import { parseBody, parsePath, parseQuery } from '../platform/http/input.ts';
import { problem } from '../platform/http/problem.ts';
import { LANES } from '../platform/jobs/lanes.ts';
import { listSetAside, markWork } from '../platform/jobs/work-store.ts';
import { type Connection, findConnection, listConnections, savePartnerFields } from './connection-store.ts';
import { DISCONNECT } from './disconnect-lane.ts';
import { listPositions, resetPositions } from './position-store.ts';
import { dropDisconnect, listWriteRefusals, retrySetAside } from './set-aside-store.ts';

const Path = z.object({ connectionId: z.uuid() });
const Settings = z.strictObject({
  /** Deal properties that name a partner company by its id, name or domain. */
  partnerFields: z
    .array(
      z
        .string()
        .regex(/^[a-z][a-z0-9_]{0,99}$/, 'must be an internal property name')
        .refine((name) => !name.startsWith('tributary_'), 'is written by us: our own result is no evidence'),
    )
    .max(20),
});
const Leave = z.object({ traces: z.enum(['keep', 'remove']).default('keep') });
const Retry = z.strictObject({ lane: z.enum(LANES).optional(), object: z.string().optional() });

/** `/v1/connections` and `/v1/set-aside`: how the sync is doing, and what a person may do about it. */
export function addConnectionRoutes(
  app: HttpApp,
  deps: { readonly db: Database; readonly clock: Clock },
): void {
  const read = requireApiKey(deps, 'read');
  const write = requireApiKey(deps, 'write');
  const admin = requireApiKey(deps, 'admin');

  app.get('/v1/connections', read, async (context) => {
    const { organizationId } = context.get('caller');
    const views = await withOrganization(deps.db, organizationId, async (tx) => {
      const all: object[] = [];
      for (const connection of await listConnections(tx, organizationId))
        all.push(await toView(tx, connection));
      return all;
    });
    return context.json({ connections: views });
  });

  app.get('/v1/connections/:connectionId', read, (context) =>
    withConnection(deps.db, context, async (tx, connection) => context.json(await toView(tx, connection))),
  );

  app.patch('/v1/connections/:connectionId', admin, async (context) => {
    const settings = await parseBody(context, Settings);
    return withConnection(deps.db, context, async (tx, connection) => {
      const now = deps.clock.now();
      await savePartnerFields(tx, connection, settings.partnerFields);
      await startBackfill(tx, connection, now);
      await audit(tx, context, 'connection.configure', connection, settings, now);
      return context.json(await toView(tx, { ...connection, ...settings }));
    });
  });

  app.post('/v1/connections/:connectionId/resync', write, (context) =>
    withConnection(deps.db, context, async (tx, connection) => {
      const now = deps.clock.now();
      await startBackfill(tx, connection, now);
      await audit(tx, context, 'connection.resync', connection, {}, now);
      return context.json(await toView(tx, connection), 202);
    }),
  );

  app.post('/v1/connections/:connectionId/check-up', write, (context) =>
    withConnection(deps.db, context, async (tx, connection) => {
      const now = deps.clock.now();
      await markWork(tx, { ...scopeOf(connection), lane: 'check-up' }, [''], now);
      await audit(tx, context, 'connection.check-up', connection, {}, now);
      return context.json(await toView(tx, connection), 202);
    }),
  );

  app.delete('/v1/connections/:connectionId', admin, async (context) => {
    const { traces } = parseQuery(context, Leave);
    return withConnection(deps.db, context, async (tx, connection) => {
      const now = deps.clock.now();
      const object = traces === 'remove' ? DISCONNECT.removeTraces : DISCONNECT.keepTraces;
      // The latest word wins: what was asked before and is not yet done is not done any more.
      await dropDisconnect(tx, connection);
      await markWork(tx, { ...scopeOf(connection), lane: 'disconnect' }, [object], now);
      await audit(tx, context, 'connection.uninstall', connection, { traces }, now);
      return context.json(await toView(tx, connection), 202);
    });
  });

  app.get('/v1/set-aside', read, async (context) => {
    const { organizationId } = context.get('caller');
    const work = await withOrganization(deps.db, organizationId, (tx) => listSetAside(tx, organizationId));
    return context.json({ setAside: work });
  });

  app.post('/v1/set-aside/retry', write, async (context) => {
    const wanted = await parseBody(context, Retry);
    const { organizationId, actor } = context.get('caller');
    const now = deps.clock.now();
    const retried = await withOrganization(deps.db, organizationId, async (tx) => {
      const { lane, object } = wanted;
      const which = { ...(lane === undefined ? {} : { lane }), ...(object === undefined ? {} : { object }) };
      const count = await retrySetAside(tx, organizationId, which, now);
      await recordAudit(tx, {
        organizationId,
        actor,
        action: 'set-aside.retry',
        subject: wanted.object ?? wanted.lane ?? 'all',
        details: { count },
        now,
      });
      return count;
    });
    return context.json({ retried }, 202);
  });
}

const scopeOf = (c: Connection) => ({ organizationId: c.organizationId, scopeId: c.connectionId });

async function startBackfill(tx: Tx, connection: Connection, now: Date): Promise<void> {
  await resetPositions(tx, connection, RECORD_KINDS, now);
  await markWork(tx, { ...scopeOf(connection), lane: 'backfill' }, [''], now);
}

/** A foreign connection's id is an unknown one. */
async function withConnection(
  db: Database,
  context: Context<ApiEnv>,
  fn: (tx: Tx, connection: Connection) => Promise<Response>,
): Promise<Response> {
  const { connectionId } = parsePath(context, Path);
  const { organizationId } = context.get('caller');
  return withOrganization(db, organizationId, async (tx) => {
    const connection = await findConnection(tx, { organizationId, connectionId });
    if (connection === null) throw problem(404, 'Not found', 'There is no such connection.');
    return fn(tx, connection);
  });
}

async function audit(
  tx: Tx,
  context: Context<ApiEnv>,
  action: string,
  { organizationId, connectionId }: Connection,
  details: Readonly<Record<string, unknown>>,
  now: Date,
): Promise<void> {
  const { actor } = context.get('caller');
  await recordAudit(tx, {
    organizationId,
    actor,
    action,
    subject: `connection:${connectionId}`,
    details,
    now,
  });
}

async function toView(tx: Tx, connection: Connection): Promise<object> {
  const { facts, schemaState } = connection;
  const positions = await listPositions(tx, connection);
  return {
    id: connection.connectionId,
    provider: connection.provider,
    account: {
      externalId: connection.accountExternalId,
      name: facts?.name ?? null,
      url: facts?.recordBaseUrl ?? null,
    },
    status: connection.status,
    statusReason: connection.statusReason,
    partnerFields: connection.partnerFields,
    writeBack: schemaState === null ? null : { rung: schemaState.rung },
    findings: [...connection.findings, ...(await listWriteRefusals(tx, connection))],
    backfilled: positions.length > 0 && positions.every((p) => p.backfill === 'done'),
    positions: positions.map(({ cursor: _, ...position }) => position),
  };
}
