import { compareCard, compareRows, type Difference } from '../oracle/portal-drift.ts';
import { liveDealIds } from '../oracle/portal-facts.ts';
import { createPortalOracle, type ExpectedDeal, type OracleTerms } from '../oracle/portal-oracle.ts';
import type { Portal } from '../sandbox/hubspot/state.ts';
import type { Api } from './api.ts';

export interface DriftReport {
  readonly differences: readonly Difference[];
  readonly deals: number;
  readonly touchpoints: number;
  /** Won deals with credit. */
  readonly creditedDeals: number;
  readonly exampleDealId: string | null;
}

const READS_AT_ONCE = 6;

/**
 * Compares Tributary with the portal, without asking Tributary's database: every live deal's card by the API, and every
 * row of ours in the portal, against what a second, naive implementation makes of the portal's own tables.
 */
export async function measureDrift(
  portal: Portal,
  api: Api,
  connectionId: string,
  terms: OracleTerms,
): Promise<DriftReport> {
  const expected = expectAll(portal, terms);
  const differences: Difference[] = [];
  const queue = [...expected];
  const reader = async () => {
    for (let deal = queue.shift(); deal !== undefined; deal = queue.shift()) {
      const card = await api.deal(connectionId, deal.dealId);
      differences.push(...compareCard(deal, card ?? { status: 'unknown' }));
    }
  };
  await Promise.all(Array.from({ length: READS_AT_ONCE }, reader));
  differences.push(...(await findUndead(portal, api, connectionId)));
  differences.push(
    ...compareRows(
      portal,
      expected.flatMap((deal) => deal.rows),
    ),
  );
  const credited = expected.filter(({ state, rows }) => state === 'earned' && rows.length > 0);
  return {
    differences,
    deals: expected.length,
    touchpoints: expected.reduce(
      (sum, { touches }) => sum + [...touches.values()].reduce((count, each) => count + each, 0),
      0,
    ),
    creditedDeals: credited.length,
    exampleDealId: credited.at(-1)?.dealId ?? null,
  };
}

/** What must be said of every deal that the portal shows. */
export function expectAll(portal: Portal, terms: OracleTerms): readonly ExpectedDeal[] {
  const oracle = createPortalOracle(portal, terms);
  return liveDealIds(portal).map((id) => oracle.expect(id));
}

/** An archived deal has no result, whatever it had before. */
async function findUndead(portal: Portal, api: Api, connectionId: string): Promise<Difference[]> {
  const archived = [...(portal.tables.get('0-3')?.rows.values() ?? [])].filter(
    (row) => row.archivedAtMs !== null && row.mergedInto === null,
  );
  const cards = await Promise.all(
    archived.map(async ({ id }) => ({ id, card: await api.deal(connectionId, id) })),
  );
  return cards
    .filter(({ card }) => card?.status === 'ready')
    .map(({ id }) => ({ dealId: id, what: 'archived deal', expected: 'no result', found: 'a result' }));
}
