import { nextChangeOn } from './anchor.ts';
import { toCanonicalInput } from './canonical-input.ts';
import { toEpochMs } from './days.ts';
import { collectEvidence } from './evidence.ts';
import { MODEL_TABLE, type Weighting } from './models.ts';
import { compareBigints, compareShares, compareText, split, toShare, type Weighted } from './money.ts';
import { sayReason } from './reason.ts';
import type {
  AttributionInput,
  AttributionResult,
  CountedTouchpoint,
  Credit,
  ModelName,
  ModelResult,
  Share,
  Touchpoint,
} from './types.ts';

/** Raised with a note in `docs/decisions/` whenever the same input may give another result. */
export const ENGINE_VERSION = 1;

const PPM = 1_000_000n;
const BPS = 10_000n;
/** After every partner id, so that a tie about the last unit never goes to the unattributed rest. */
const REST_ID = '\uffff';

/**
 * Who earned how much of a deal under every model, and why. A pure function: same input, same result, for ever;
 * the order of the input's lists and exact duplicates in them do not matter.
 *
 * Shares are exact. Money and basis points are each split by largest remainder over the credits and the unattributed
 * rest (house share included), so both sum to the whole for any sign. Without accepted evidence, or with a house
 * share of the whole, everything is unattributed. A lost deal and one without amount have shares but no money.
 * A blocked deal has evidence but no credits: the caller keeps the last ones.
 * Links must include those of partners to the deal's own customer, even when that account took part in nothing.
 * Throws ConflictingInput or RangeError for inputs that contradict themselves.
 */
export function attribute(input: AttributionInput): AttributionResult {
  const canonical = toCanonicalInput(input);
  const { deal, activities, ruleSet, anchorOn } = canonical;
  const { touchpoints, exclusions } = collectEvidence(canonical);
  const state = stateOf(canonical);
  const amountMinor = state === 'lost' || state === 'blocked' ? null : deal.amountMinor;
  const credit = (model: ModelName): ModelResult =>
    state === 'blocked' ? toNothing(null) : creditModel(model, canonical, touchpoints, amountMinor);
  return {
    engineVersion: ENGINE_VERSION,
    state,
    touchpoints: touchpoints.map(toPlainTouchpoint),
    exclusions,
    models: {
      equal_split: credit('equal_split'),
      first_touch: credit('first_touch'),
      last_touch: credit('last_touch'),
      time_decay: credit('time_decay'),
      role_based: credit('role_based'),
    },
    validUntil: nextChangeOn(anchorOn, deal, activities, ruleSet.windowDays),
  };
}

/** An amount whose currency nobody knows is not an amount: blocked, like anything the CRM would not tell us. */
function stateOf({ deal }: AttributionInput): AttributionResult['state'] {
  if (deal.blockedReason !== null || (deal.amountMinor !== null && deal.currency === null)) return 'blocked';
  if (deal.state === 'open') return 'projected';
  return deal.state === 'won' ? 'earned' : 'lost';
}

function toNothing(amountMinor: bigint | null): ModelResult {
  return { credits: [], unattributedBps: Number(BPS), unattributedMinor: amountMinor };
}

function creditModel(
  model: ModelName,
  input: AttributionInput,
  touchpoints: readonly CountedTouchpoint[],
  amountMinor: bigint | null,
): ModelResult {
  const { ruleSet } = input;
  const weighting = MODEL_TABLE[model](touchpoints, ruleSet);
  // Without a house share nothing is scaled: small numbers make exact shares cheap.
  const house = BigInt(ruleSet.houseSharePpm);
  const whole = house === 0n ? 1n : PPM;
  const kept = whole - house;
  const earners = [...weighting.partners]
    .filter(([, weight]) => weight > 0n)
    .sort(([a], [b]) => compareText(a, b));
  if (earners.length === 0 || kept <= 0n) return toNothing(amountMinor);

  const totalWeight = earners.reduce((sum, [, weight]) => sum + weight, 0n);
  const parties: Weighted[] = earners.map(([id, weight]) => ({ id, weight: weight * kept }));
  parties.push({ id: REST_ID, weight: totalWeight * house });
  const shares = split(BPS, parties).map(Number);
  const amounts = amountMinor === null ? null : split(amountMinor, parties);

  const ownByPartner = groupByPartner(touchpoints, weighting);
  const credits = earners.map(([partnerId, weight], at): Credit => {
    const own = ownByPartner.get(partnerId) ?? [];
    const share = toShare(weight * kept, totalWeight * whole);
    return {
      partnerId,
      share,
      shareBps: shares[at] ?? 0,
      amountMinor: amounts?.[at] ?? null,
      role: roleOf(own, input),
      contributions: toContributions(own, share, { weight, kept, totalWeight: totalWeight * whole }),
      reason: sayReason({
        model,
        touchpoints: own.map(({ touchpoint }) => touchpoint),
        ofWeight: { numerator: weight, denominator: totalWeight },
        weight,
        totalWeight,
        partnerCount: weighting.partners.size,
        fellBack: weighting.fellBack,
        ruleSet,
      }),
    };
  });
  return {
    credits: credits.sort((a, b) => compareShares(b.share, a.share)),
    unattributedBps: shares.at(-1) ?? 0,
    unattributedMinor: amounts?.at(-1) ?? null,
  };
}

interface OwnTouchpoint {
  readonly touchpoint: CountedTouchpoint;
  readonly weight: bigint;
}

function groupByPartner(
  touchpoints: readonly CountedTouchpoint[],
  weighting: Weighting,
): ReadonlyMap<string, readonly OwnTouchpoint[]> {
  const groups = new Map<string, OwnTouchpoint[]>();
  for (const [at, touchpoint] of touchpoints.entries()) {
    const own = { touchpoint, weight: weighting.touchpoints[at] ?? 0n };
    const group = groups.get(touchpoint.partnerId);
    if (group) group.push(own);
    else groups.set(touchpoint.partnerId, [own]);
  }
  return groups;
}

/** Parts of the deal, heaviest first, that sum to the partner's share exactly; touchpoints without weight are left out. */
function toContributions(
  own: readonly OwnTouchpoint[],
  share: Share,
  partner: PartnerPart,
): Credit['contributions'] {
  const counted = own.filter(({ weight }) => weight > 0n);
  if (counted.length === 1)
    return counted.map(({ touchpoint }) => ({ activityId: touchpoint.activityId, share }));
  const total = counted.reduce((sum, { weight }) => sum + weight, 0n);
  // Most models give a partner the sum of its touchpoints' weights: then these are parts of the deal as they stand.
  const toPart = (weight: bigint): Share =>
    total === partner.weight
      ? toShare(weight * partner.kept, partner.totalWeight)
      : toShare(share.numerator * weight, share.denominator * total);
  return counted
    .sort((a, b) => compareBigints(b.weight, a.weight))
    .map(({ touchpoint, weight }) => ({ activityId: touchpoint.activityId, share: toPart(weight) }));
}

/** `weight · kept / totalWeight` is the partner's share of the deal. */
interface PartnerPart {
  readonly weight: bigint;
  readonly kept: bigint;
  readonly totalWeight: bigint;
}

/**
 * A partner *sourced* the deal when its earliest counted touchpoint happened before the deal was created, or when it
 * registered the deal, or when a referral by it is recorded on the deal itself (a label or a field). Otherwise
 * it *influenced* the deal. Derived from evidence, never typed in, and the same under every model.
 */
function roleOf(own: readonly OwnTouchpoint[], { deal }: AttributionInput): Credit['role'] {
  const createdAtMs = toEpochMs(deal.createdAt);
  const sourced = own.some(
    ({ touchpoint: { type, kind, occurredAtMs } }) =>
      occurredAtMs < createdAtMs ||
      type === 'deal_registration' ||
      (type === 'referral' && (kind === 'association' || kind === 'field')),
  );
  return sourced ? 'sourced' : 'influenced';
}

function toPlainTouchpoint({
  activityId,
  partnerId,
  type,
  ruleId,
  occurredAt,
}: CountedTouchpoint): Touchpoint {
  return { activityId, partnerId, type, ruleId, occurredAt };
}
