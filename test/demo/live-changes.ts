import type { ExpectedDeal, OracleTerms } from '../oracle/portal-oracle.ts';
import { linksFrom } from '../sandbox/hubspot/association-store.ts';
import type { HubSpotSandbox } from '../sandbox/hubspot/sandbox.ts';
import type { SeededWorld } from '../sandbox/hubspot/world.ts';
import { PORTAL_ID } from './portal.ts';

/** Something that a person does in the CRM while everybody watches. */
export interface LiveChange {
  readonly title: string;
  /** Does it. @returns the id of the deal that must show it. */
  act(): string;
}

const COUNTS = { amount: 4, meeting: 3, won: 3, merge: 3 } as const;
/** A small world is looked at in a hurry: one change of each kind. */
const SMALL_WORLD = 500;

/** Picks deals on which each change must be seen, a deal once only: edited amounts, partner meetings, wins, merges. */
export function planChanges(
  sandbox: HubSpotSandbox,
  world: SeededWorld,
  terms: OracleTerms,
  expected: readonly ExpectedDeal[],
): readonly LiveChange[] {
  const portal = sandbox.portal(PORTAL_ID);
  const deals = portal.tables.get('0-3');
  const name = (id: string) => deals?.rows.get(id)?.values.dealname ?? id;
  const credited = expected.filter(
    (deal) => deal.rows.length > 0 && deal.amountMinor !== null && !deal.blocked,
  );
  const open = credited.filter((deal) => deal.state === 'projected');
  const taken = new Set<string>();
  const take = (from: readonly ExpectedDeal[], count: number): readonly ExpectedDeal[] => {
    const found = from.filter((deal) => !taken.has(deal.dealId)).slice(0, count);
    for (const deal of found) taken.add(deal.dealId);
    return found;
  };
  const countOf = (kind: keyof typeof COUNTS) => (expected.length < SMALL_WORLD ? 1 : COUNTS[kind]);
  const won = take(open, countOf('won')).map(({ dealId }) => winDeal(sandbox, dealId, name(dealId)));
  const meetings = open
    .flatMap((deal) => {
      const guest = taken.has(deal.dealId) ? null : findGuest(sandbox, world, terms, deal);
      return guest === null ? [] : [{ deal, guest }];
    })
    .slice(0, countOf('meeting'));
  for (const { deal } of meetings) taken.add(deal.dealId);
  const met = meetings.map(({ deal, guest }) => logMeeting(sandbox, deal.dealId, name(deal.dealId), guest));
  const edited = take(
    credited.filter((deal) => deal.state !== 'lost'),
    countOf('amount'),
  ).map(({ dealId }, at) => editAmount(sandbox, dealId, name(dealId), at));
  const pairs = take(credited, 2 * countOf('merge'));
  const merged = pairs.slice(0, Math.floor(pairs.length / 2)).flatMap((primary, at) => {
    const other = pairs[Math.floor(pairs.length / 2) + at];
    return other === undefined ? [] : [mergeTwo(sandbox, primary.dealId, other.dealId, name(primary.dealId))];
  });
  // One of each first: who watches for a minute only has seen them all.
  const queues = [edited, met, won, merged].map((each) => [...each]);
  return Array.from({ length: Math.max(...queues.map((queue) => queue.length)) }, (_, round) =>
    queues.flatMap((queue) => queue[round] ?? []),
  ).flat();
}

function editAmount(sandbox: HubSpotSandbox, dealId: string, name: string, at: number): LiveChange {
  const amount = String(77_000 + 1_111 * at);
  return {
    title: `amount edited to ${amount}: ${name}`,
    act: () => {
      sandbox.control.updateDeal(PORTAL_ID, dealId, { amount });
      return dealId;
    },
  };
}

function winDeal(sandbox: HubSpotSandbox, dealId: string, name: string): LiveChange {
  return {
    title: `deal won: ${name}`,
    act: () => {
      const portal = sandbox.portal(PORTAL_ID);
      const pipelineId = portal.tables.get('0-3')?.rows.get(dealId)?.values.pipeline;
      const stages = portal.pipelines.find(({ id }) => id === pipelineId)?.stages ?? [];
      const won = stages.find(
        ({ metadata }) => metadata.isClosed === 'true' && Number(metadata.probability) === 1,
      );
      if (won === undefined) throw new Error(`the pipeline of deal ${dealId} has no won stage`);
      sandbox.control.moveStage(PORTAL_ID, dealId, won.id);
      return dealId;
    },
  };
}

interface Guest {
  readonly contactId: string;
  readonly partner: string;
}

/** Somebody of a partner that is not on this deal yet and whose only company is that partner's. */
function findGuest(
  sandbox: HubSpotSandbox,
  world: SeededWorld,
  { partners }: OracleTerms,
  deal: ExpectedDeal,
): Guest | null {
  const { associations } = sandbox.portal(PORTAL_ID);
  // By name: ids and the order of making differ from run to run, the story must not.
  for (const partner of [...partners].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const link = partner.links.length === 1 ? partner.links[0] : undefined;
    if (partner.status !== 'active' || link === undefined || link.toOn !== null) continue;
    if (deal.touches.has(partner.id)) continue;
    const company = world.partners.find(({ id }) => id === link.accountExternalId);
    const contactId = company?.contacts.find((id) => linksFrom(associations, '0-1', '0-2', id).length === 1);
    if (contactId !== undefined) return { contactId, partner: partner.name };
  }
  return null;
}

function logMeeting(sandbox: HubSpotSandbox, dealId: string, name: string, guest: Guest): LiveChange {
  return {
    title: `meeting with ${guest.partner} logged: ${name}`,
    act: () => {
      const values = { hs_activity_type: 'Demo', hs_meeting_title: 'Demo' };
      sandbox.control.logMeeting(PORTAL_ID, values, { deals: [dealId], contacts: [guest.contactId] });
      return dealId;
    },
  };
}

function mergeTwo(sandbox: HubSpotSandbox, primaryId: string, otherId: string, name: string): LiveChange {
  return {
    title: `deals ${primaryId} and ${otherId} merged: ${name}`,
    act: () => sandbox.control.mergeDeals(PORTAL_ID, primaryId, otherId),
  };
}
