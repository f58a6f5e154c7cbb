import { formatPercent } from './money.ts';
import type { CountedTouchpoint, ModelName, RuleSet, Share } from './types.ts';

/** What there is to say about one partner's credit. */
export interface CreditStory {
  readonly model: ModelName;
  /** All counted touchpoints of this partner, in total order. */
  readonly touchpoints: readonly CountedTouchpoint[];
  /** The partner's part of the model's weight, before the house share; in any terms. */
  readonly ofWeight: Share;
  /** Its own weight and everyone's, as the model counts them. */
  readonly weight: bigint;
  readonly totalWeight: bigint;
  readonly partnerCount: number;
  readonly fellBack: boolean;
  readonly ruleSet: RuleSet;
}

const LISTED = 3;

/**
 * One sentence a sales rep understands, e.g. `3 touchpoints: demo on 12 Mar 2026, call on 2 Apr 2026, proposal on
 * 9 Apr 2026; 41.2 % of the time-decay weight`. Days, no names.
 */
export function sayReason(story: CreditStory): string {
  const house = story.ruleSet.houseSharePpm;
  const kept = house > 0 ? `; ${formatPercent(ppm(house), 1)} % of the deal stays with the house` : '';
  return `${sayTouchpoints(story.touchpoints)}; ${sayWeight(story)}${kept}`;
}

function sayTouchpoints(touchpoints: readonly CountedTouchpoint[]): string {
  const listed = touchpoints.slice(0, LISTED).map(sayTouchpoint).join(', ');
  const more = touchpoints.length > LISTED ? ` and ${touchpoints.length - LISTED} more` : '';
  return `${touchpoints.length} ${touchpoints.length === 1 ? 'touchpoint' : 'touchpoints'}: ${listed}${more}`;
}

function sayTouchpoint({ type, occurredOn }: CountedTouchpoint): string {
  return `${type.replaceAll('_', ' ')} on ${sayDay(occurredOn)}`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `2026-03-12` → `12 Mar 2026`, without asking any locale. */
function sayDay(day: string): string {
  return `${Number(day.slice(8, 10))} ${MONTHS[Number(day.slice(5, 7)) - 1]} ${day.slice(0, 4)}`;
}

function sayWeight(story: CreditStory): string {
  const percent = `${formatPercent(story.ofWeight, 1)} %`;
  const partners = story.partnerCount === 1 ? 'the only partner' : `one of ${story.partnerCount} partners`;
  if (story.fellBack) return `${percent}: no role has points here, so it is shared equally, ${partners}`;
  switch (story.model) {
    case 'equal_split':
      return `${percent}: shared equally, ${partners}`;
    case 'first_touch':
      return 'the first touchpoint on the deal takes it all';
    case 'last_touch':
      return 'the last touchpoint on the deal takes it all';
    case 'time_decay':
      return `${percent} of the time-decay weight`;
    case 'role_based':
      return `${story.weight} of ${story.totalWeight} role points, ${percent}`;
  }
}

function ppm(value: number): Share {
  return { numerator: BigInt(value), denominator: 1_000_000n };
}
