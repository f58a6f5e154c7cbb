import type { Clock } from '../platform/clock.ts';
import { type Database, withOrganization } from '../platform/db/client.ts';
import type { HttpApp } from '../platform/http/app.ts';
import { problem } from '../platform/http/problem.ts';
import { findConnection } from '../sync/connection-store.ts';
import { type Inlet, toRawRequest } from '../sync/inlet.ts';
import type { CardView } from './card-view.ts';
import { readCard } from './read-card.ts';

export interface CardDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly inlets: Readonly<Record<string, Inlet>>;
  readonly publicUrl: string;
}

/**
 * `GET /cards/deal`: the answer of a card inside a CRM. The CRM's own signature says which account asks; only that
 * account's connection is looked at. Everything expected is 200 with a state, because card proxies turn other statuses
 * into an error page; only a request that the CRM did not sign is refused.
 */
export function addCardRoutes(app: HttpApp, deps: CardDeps): void {
  app.get('/cards/deal', async (context) => {
    const now = deps.clock.now();
    const inlet = deps.inlets.hubspot;
    if (inlet === undefined) throw problem(404, 'Not found');
    const request = await toRawRequest(context.req.raw, deps.publicUrl);
    const verdict = await inlet.source.verifyCard(request, inlet.secrets, now);
    if (!verdict.ok) throw problem(401, 'Unauthorized', `The signature was not accepted: ${verdict.reason}.`);
    const { accountExternalId, recordRef } = verdict.caller;
    if (recordRef === null || recordRef.kind !== 'deal')
      throw problem(400, 'Invalid input', 'Name the deal in the query: dealId.');
    const tenants = await deps.db.doors<{ organization_id: string; connection_id: string }[]>`
      select organization_id, connection_id from ops.organizations_for_account(${inlet.source.provider}, ${accountExternalId})`;
    let view: CardView = {
      version: 1,
      status: 'unknown_deal',
      message: 'This account is not connected to Tributary.',
      asOf: now.toISOString(),
    };
    for (const tenant of tenants) {
      view = await withOrganization(deps.db, tenant.organization_id, (tx) =>
        readCard(
          tx,
          tenant.organization_id,
          { connectionId: tenant.connection_id, externalId: recordRef.externalId },
          async (connectionId) => {
            const connection = await findConnection(tx, {
              organizationId: tenant.organization_id,
              connectionId,
            });
            return connection && { ...connection, recordUrl: inlet.source.recordUrl };
          },
          now,
        ),
      );
      if (view.status === 'ready') break;
    }
    return context.json(view);
  });
}
