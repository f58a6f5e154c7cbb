import { mergeRecords } from './merging.ts';
import { createRandom } from './random.ts';
import { type Acting, archiveRecord } from './records.ts';
import { portalNamed } from './sandbox.ts';
import type { HubSpotSandboxState } from './sandbox-state.ts';
import { createSeeding } from './seeding.ts';
import { seedActivities } from './world-activities.ts';
import { type SeededDeal, seedDeals } from './world-deals.ts';
import { layGround } from './world-ground.ts';
import { type People, seedPeople } from './world-people.ts';

export interface WorldOptions {
  readonly seed?: number;
  readonly deals?: number;
  readonly partners?: number;
  readonly activities?: number;
  readonly months?: number;
  readonly now?: Date;
}
export interface SeededWorld extends People {
  readonly deals: readonly SeededDeal[];
  /** Merged deals: both old ids and the one that answers for them. */
  readonly merges: readonly { readonly primaryId: string; readonly otherId: string; readonly id: string }[];
  readonly archivedDealIds: readonly string[];
}

/**
 * Fills a portal with a believable company: several pipelines with several won stages, currencies of none, two
 * and three decimals, partners with people, and the untidy rest: merges, reopened and archived deals, people
 * who change employer, meetings that never took place. The same seed gives the same portal.
 */
export function seedCompany(
  sandbox: HubSpotSandboxState,
  portalId: number,
  options: WorldOptions = {},
): SeededWorld {
  const portal = portalNamed(sandbox, portalId);
  const { deals: dealCount = 1_200, partners = 60, activities = 6_000, months = 18 } = options;
  const random = createRandom(options.seed ?? 1);
  const seeding = createSeeding(portal, random, (options.now ?? sandbox.clock.now()).getTime());
  layGround(seeding);
  const customers = Math.max(10, Math.ceil(dealCount / 3));
  const people = seedPeople(seeding, { partners, customers, months });
  const deals = seedDeals(seeding, people, { deals: dealCount, months });
  seedActivities(seeding, deals, activities);
  return { ...people, deals, ...disturb(sandbox, portalId, deals) };
}

/** Merges and archives a few deals, as people do. */
function disturb(sandbox: HubSpotSandboxState, portalId: number, deals: readonly SeededDeal[]) {
  const portal = portalNamed(sandbox, portalId);
  const source = { changeSource: 'CRM_UI', sourceId: 'userId:222222' };
  const acting: Acting = { sandbox, portal, source };
  const table = portal.tables.get('0-3');
  if (table === undefined) throw new Error('a portal without deals');
  const row = (deal: SeededDeal | undefined) => {
    const found = table.rows.get(deal?.id ?? '');
    if (found === undefined) throw new Error('a seeded deal vanished');
    return found;
  };
  const merges: { primaryId: string; otherId: string; id: string }[] = [];
  const archivedDealIds: string[] = [];
  for (let at = 7; at + 1 < deals.length; at += 100) {
    const [primary, other] = [row(deals[at]), row(deals[at + 1])];
    const merged = mergeRecords(acting, table, primary, other);
    // Seeding leaves nothing to wait for.
    table.index.put(merged);
    merges.push({ primaryId: primary.id, otherId: other.id, id: merged.id });
  }
  for (let at = 50; at < deals.length; at += 60) {
    const gone = row(deals[at]);
    if (gone.mergedInto !== null) continue;
    archiveRecord(acting, table, gone);
    archivedDealIds.push(gone.id);
  }
  return { merges, archivedDealIds };
}
