import { z } from 'zod';
import type { EdgeSource, Provider } from '../../connectors/connector.ts';
import { requireApiKey } from '../identity/api-guard.ts';
import { recordAudit } from '../identity/audit-store.ts';
import type { Clock } from '../platform/clock.ts';
import { type Database, withOrganization } from '../platform/db/client.ts';
import type { HttpApp } from '../platform/http/app.ts';
import { parseBody, parsePath, parseQuery } from '../platform/http/input.ts';
import { problem } from '../platform/http/problem.ts';
import { findConnection } from '../sync/connection-store.ts';
import { markRecompute } from './dirty-store.ts';
import { readCard } from './read-card.ts';
import { parseRuleSet } from './rule-set-schema.ts';
import { applyRuleSet, findAppliedRuleSet } from './rule-set-store.ts';
import type { RuleSet } from './types.ts';

const DealPath = z.object({ dealId: z.uuid() });
const ByExternalId = z.object({ connectionId: z.uuid(), externalId: z.string().min(1).max(200) });

export interface AttributionRouteDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly sourceOf: (provider: Provider) => EdgeSource;
}

/** `/v1/deals`: the card of a deal for API callers; `/v1/rule-set`: the rules in force. */
export function addAttributionRoutes(app: HttpApp, deps: AttributionRouteDeps): void {
  const read = requireApiKey(deps, 'read');
  const admin = requireApiKey(deps, 'admin');

  const card = (organizationId: string, key: Parameters<typeof readCard>[2]) =>
    withOrganization(deps.db, organizationId, (tx) =>
      readCard(
        tx,
        organizationId,
        key,
        async (connectionId) => {
          const connection = await findConnection(tx, { organizationId, connectionId });
          return connection && { ...connection, recordUrl: deps.sourceOf(connection.provider).recordUrl };
        },
        deps.clock.now(),
      ),
    );

  app.get('/v1/deals/:dealId', read, async (context) => {
    const view = await card(context.get('caller').organizationId, parsePath(context, DealPath));
    if (view.status === 'unknown_deal') throw problem(404, 'Not found', 'There is no such deal.');
    return context.json(view);
  });

  app.get('/v1/deals', read, async (context) => {
    const view = await card(context.get('caller').organizationId, parseQuery(context, ByExternalId));
    if (view.status === 'unknown_deal') throw problem(404, 'Not found', 'There is no such deal.');
    return context.json(view);
  });

  app.get('/v1/rule-set', read, async (context) => {
    const { organizationId } = context.get('caller');
    return context.json(
      await withOrganization(deps.db, organizationId, (tx) => findAppliedRuleSet(tx, organizationId)),
    );
  });

  app.put('/v1/rule-set', admin, async (context) => {
    const { organizationId, actor } = context.get('caller');
    const body = await parseBody(context, z.looseObject({}));
    const now = deps.clock.now();
    const applied = await withOrganization(deps.db, organizationId, async (tx) => {
      const current = await findAppliedRuleSet(tx, organizationId);
      const next = (version: number): RuleSet => {
        const parsed = parseRuleSet({ ...current, ...body, version });
        if (!parsed.ok)
          throw problem(400, 'Invalid input', 'The rule set is not valid.', { errors: parsed.problems });
        return parsed.ruleSet;
      };
      const ruleSet = await applyRuleSet(tx, organizationId, next, now);
      await markRecompute(tx, organizationId, { all: true }, { now });
      await recordAudit(tx, {
        organizationId,
        actor,
        action: 'rule-set.apply',
        subject: `rule-set:${ruleSet.version}`,
        details: { before: current.version, changed: Object.keys(body) },
        now,
      });
      return ruleSet;
    });
    return context.json(applied);
  });
}
