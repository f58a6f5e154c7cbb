import type {
  ActivityInput,
  AttributionInput,
  EvidenceRule,
  ModelName,
  TouchpointType,
} from '../../src/attribution/types.ts';

/**
 * A second, deliberately simple implementation of the attribution rules, written from their description and sharing no
 * code with the engine: nested loops instead of indexes, exact fractions instead of integer weights, a plain decimal
 * series for the exponential, units handed out one at a time instead of a sort. Slow, and meant to be.
 */
export interface NaiveCredit {
  readonly partnerId: string;
  readonly bps: number;
  readonly money: bigint | null;
}
export interface NaiveModel {
  /** Ordered by partner id. */
  readonly credits: readonly NaiveCredit[];
  readonly unattributedBps: number;
  readonly unattributedMoney: bigint | null;
}
export interface NaiveResult {
  readonly state: 'projected' | 'earned' | 'lost' | 'blocked';
  readonly models: Readonly<Record<ModelName, NaiveModel>>;
}

/** Credits of every model. Takes what the engine takes, trusts none of its order. */
export function naiveAttribute(input: AttributionInput): NaiveResult {
  const { deal, ruleSet } = input;
  const blocked = deal.blockedReason !== null || (deal.amountMinor !== null && deal.currency === null);
  const state = blocked
    ? 'blocked'
    : deal.state === 'open'
      ? 'projected'
      : deal.state === 'won'
        ? 'earned'
        : 'lost';
  const money = state === 'blocked' || state === 'lost' ? null : deal.amountMinor;
  const touches = blocked ? [] : findTouches(input);
  const settle = (weights: Weights): NaiveModel => handOut(weights, ruleSet.houseSharePpm, money);
  return {
    state,
    models: {
      equal_split: settle(equal(touches)),
      first_touch: settle(winnerTakesAll(touches[0])),
      last_touch: settle(winnerTakesAll(touches[touches.length - 1])),
      time_decay: settle(decay(touches, ruleSet.timeDecayLambdaPpm)),
      role_based: settle(roles(touches, ruleSet.roleWeights)),
    },
  };
}

/** What counted, of whom: for checks of the evidence itself. */
export function naiveTouches(input: AttributionInput): readonly Touch[] {
  const { deal } = input;
  const blocked = deal.blockedReason !== null || (deal.amountMinor !== null && deal.currency === null);
  return blocked ? [] : findTouches(input);
}

/** Partners with a sign of them from before the deal, or recorded on the deal as its referrer or registrant. */
export function naiveSourcers(input: AttributionInput): ReadonlySet<string> {
  const created = new Date(input.deal.createdAt).getTime();
  const sourcers = new Set<string>();
  for (const touch of naiveTouches(input)) {
    const kind = input.activities.find((activity) => activity.id === touch.activityId)?.kind;
    const onTheDeal = kind === 'association' || kind === 'field';
    if (touch.at < created || touch.type === 'deal_registration' || (touch.type === 'referral' && onTheDeal))
      sourcers.add(touch.partnerId);
  }
  return sourcers;
}

export interface Touch {
  readonly partnerId: string;
  readonly type: TouchpointType;
  readonly at: number;
  readonly activityId: string;
}

const TYPE_ORDER: readonly TouchpointType[] = [
  'referral',
  'deal_registration',
  'introduction',
  'demo',
  'proposal',
  'negotiation',
  'content_share',
  'meeting',
  'call',
  'email',
  'note',
  'task',
];

function findTouches(input: AttributionInput): Touch[] {
  const touches: Touch[] = [];
  for (const partner of input.partners) {
    for (const activity of input.activities) {
      if (touches.some((touch) => touch.activityId === activity.id && touch.partnerId === partner.id))
        continue;
      if (activity.outcome !== 'done' || partner.status !== 'active') continue;
      const age = daysBetween(activity.occurredOn, input.anchorOn);
      const dated = !['association', 'field'].includes(activity.kind);
      if (dated && (age < 0 || age > input.ruleSet.windowDays)) continue;
      if (!dated && input.deal.state === 'open' && age < 0) continue;
      const accounts = input.links
        .filter((link) => link.partnerId === partner.id)
        .filter((link) => link.fromOn === null || daysBetween(link.fromOn, activity.occurredOn) >= 0)
        .filter((link) => link.toOn === null || daysBetween(activity.occurredOn, link.toOn) > 0)
        .map((link) => link.accountId);
      if (!accounts.some((account) => activity.accountIds.includes(account))) continue;
      if (accounts.some((account) => input.deal.customerAccountIds.includes(account))) continue;
      const rule = input.ruleSet.evidenceRules.find((one) => accepts(one, activity, partner.type));
      if (!rule) continue;
      const at = new Date(activity.occurredAt).getTime();
      touches.push({ partnerId: partner.id, type: rule.touchpoint, at, activityId: activity.id });
    }
  }
  const key = (touch: Touch): string[] => [
    String(touch.at + 1e14).padStart(16, '0'),
    String(TYPE_ORDER.indexOf(touch.type)).padStart(2, '0'),
    touch.partnerId,
    touch.activityId,
  ];
  return touches.sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    const differs = x.findIndex((part, i) => part !== y[i]);
    return differs < 0 ? 0 : (x[differs] ?? '') < (y[differs] ?? '') ? -1 : 1;
  });
}

function daysBetween(from: string, to: string): number {
  return Math.round(
    (new Date(`${to}T12:00:00Z`).getTime() - new Date(`${from}T12:00:00Z`).getTime()) / 86_400_000,
  );
}

function accepts(rule: EvidenceRule, activity: ActivityInput, partnerType: string): boolean {
  if (rule.kind !== activity.kind) return false;
  if (rule.partnerTypes && !rule.partnerTypes.some((type) => type === partnerType)) return false;
  if (!rule.labelWords) return true;
  const pad = (text: string): string =>
    ` ${text
      .toLowerCase()
      .replace(/[^\p{L}\p{M}\p{N}]+/gu, ' ')
      .trim()} `;
  const label = pad(activity.label ?? '');
  return rule.labelWords.some((word) => pad(word).trim() !== '' && label.includes(pad(word)));
}

/** Partner → weight as an exact fraction [numerator, denominator]. */
type Weights = ReadonlyMap<string, readonly [bigint, bigint]>;

function equal(touches: readonly Touch[]): Weights {
  const partners = new Set(touches.map((touch) => touch.partnerId));
  return new Map([...partners].map((id) => [id, [1n, BigInt(partners.size)] as const]));
}

function winnerTakesAll(touch: Touch | undefined): Weights {
  return new Map(touch ? [[touch.partnerId, [1n, 1n] as const]] : []);
}

function decay(touches: readonly Touch[], lambdaPpm: number): Weights {
  const newest = Math.floor((touches[touches.length - 1]?.at ?? 0) / 1000);
  const sums = new Map<string, readonly [bigint, bigint]>();
  for (const touch of touches) {
    const age = BigInt(newest - Math.floor(touch.at / 1000));
    const weight = roundedExponential(BigInt(lambdaPpm) * age, 86_400_000_000n);
    const before = sums.get(touch.partnerId) ?? ([0n, 1n] as const);
    sums.set(touch.partnerId, [before[0] + weight, 1n]);
  }
  return sums;
}

/** 1 / e^x rounded half up to 18 decimals, by the series of e^(x/2^m) on 60 decimals, all terms positive. */
function roundedExponential(numerator: bigint, denominator: bigint): bigint {
  const unit = 10n ** 60n;
  // e^50 > 10^21: beyond that nothing is left at 18 decimals.
  if (numerator > 50n * denominator) return 0n;
  const x = (numerator * unit) / (denominator * 64n);
  let sum = unit;
  let term = unit;
  for (let n = 1n; term > 0n; n++) {
    term = (term * x) / unit / n;
    sum += term;
  }
  for (let i = 0; i < 6; i++) sum = (sum * sum) / unit;
  const scaled = (10n ** 18n * unit * 2n) / sum;
  return (scaled + 1n) / 2n;
}

function roles(touches: readonly Touch[], points: AttributionInput['ruleSet']['roleWeights']): Weights {
  const sums = new Map<string, readonly [bigint, bigint]>();
  for (const partnerId of new Set(touches.map((touch) => touch.partnerId))) {
    let sum = 0;
    for (const type of TYPE_ORDER) {
      if (touches.some((touch) => touch.partnerId === partnerId && touch.type === type))
        sum += points[type] ?? 0;
    }
    sums.set(partnerId, [BigInt(sum), 1n]);
  }
  return [...sums.values()].every(([sum]) => sum === 0n) ? equal(touches) : sums;
}

/** Normalises, takes off the house share, and hands out basis points and money unit by unit. */
function handOut(weights: Weights, housePpm: number, money: bigint | null): NaiveModel {
  const nothing = { credits: [], unattributedBps: 10_000, unattributedMoney: money };
  const earners = [...weights].filter(([, [n]]) => n > 0n).sort(([a], [b]) => (a < b ? -1 : 1));
  if (earners.length === 0 || housePpm >= 1_000_000) return nothing;
  let total: readonly [bigint, bigint] = [0n, 1n];
  for (const [, [n, d]] of earners) total = [total[0] * d + n * total[1], total[1] * d];
  const million = 1_000_000n;
  const house = BigInt(housePpm);
  const shares = earners.map(
    ([, [n, d]]) => [n * total[1] * (million - house), d * total[0] * million] as readonly [bigint, bigint],
  );
  const parties = [...shares, [house, million] as const];
  const bps = apportion(10_000n, parties);
  const parts = money === null ? null : apportion(money, parties);
  return {
    credits: earners.map(([partnerId], i) => ({ partnerId, bps: Number(bps[i]), money: parts?.[i] ?? null })),
    unattributedBps: Number(bps[earners.length]),
    unattributedMoney: parts?.[earners.length] ?? null,
  };
}

/** Rounds every quota towards zero, then gives each unit left over to whoever is short of the most, earlier first. */
function apportion(total: bigint, shares: readonly (readonly [bigint, bigint])[]): bigint[] {
  const sign = total < 0n ? -1n : 1n;
  const units = shares.map(([n, d]) => (total * sign * n) / d);
  const served = new Set<number>();
  let left = total * sign - units.reduce((sum, unit) => sum + unit, 0n);
  while (left > 0n) {
    let neediest = -1;
    let worst: readonly [bigint, bigint] = [-1n, 1n];
    for (const [i, [n, d]] of shares.entries()) {
      const short = [total * sign * n - (units[i] ?? 0n) * d, d] as const;
      if (!served.has(i) && short[0] * worst[1] > worst[0] * short[1]) {
        neediest = i;
        worst = short;
      }
    }
    served.add(neediest);
    units[neediest] = (units[neediest] ?? 0n) + 1n;
    left--;
  }
  return units.map((unit) => unit * sign);
}
