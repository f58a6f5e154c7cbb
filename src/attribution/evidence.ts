import { addDays, toEpochMs } from './days.ts';
import { compareText } from './money.ts';
import {
  type ActivityInput,
  type AttributionInput,
  type CountedTouchpoint,
  type EvidenceRule,
  type Exclusion,
  type ExclusionReason,
  type LinkInput,
  type PartnerInput,
  TOUCHPOINT_TYPES,
} from './types.ts';

export interface Evidence {
  /** In total order: instant, type as listed in TOUCHPOINT_TYPES, partner id, activity id. */
  readonly touchpoints: readonly CountedTouchpoint[];
  /** In the order of their activities (instant, id), then by partner id. */
  readonly exclusions: readonly Exclusion[];
}

/**
 * Asks of every activity which partners took part, and of every such pair whether it counts.
 * One activity gives one partner at most one touchpoint, however many of its accounts took part.
 * A pair that does not count is excluded with the first reason that holds, in this order: `not_happened` (not
 * done, or on an open deal dated after the anchor), `link_not_in_force`, `own_customer` (on that day
 * the partner was linked to the deal's own customer, so it is the customer, whoever took part), `partner_inactive`,
 * `no_matching_rule`, `after_close` (closed deals), `before_window`: the window is the days
 * [anchor − windowDays, anchor], both ends included. Labels and fields of a deal carry no date in a CRM and stand for
 * as long as they are there: no window ends them.
 * Expects a canonical input. Throws RangeError when a link names a partner that is not given.
 */
export function collectEvidence(input: AttributionInput): Evidence {
  const context = toContext(input);
  const touchpoints: CountedTouchpoint[] = [];
  const exclusions: Exclusion[] = [];
  for (const activity of input.activities) {
    const words = toWords(activity.label ?? '');
    for (const [partnerId, links] of findPartners(context, activity)) {
      const verdict = judge(context, activity, words, partnerId, links);
      if (typeof verdict === 'string') {
        exclusions.push({ activityId: activity.id, partnerId, reason: verdict });
      } else {
        touchpoints.push(toTouchpoint(activity, partnerId, verdict));
      }
    }
  }
  return { touchpoints: touchpoints.sort(compareTouchpoints), exclusions };
}

/** The total order of touchpoints: instant, type as listed in TOUCHPOINT_TYPES, partner id, activity id. */
export function compareTouchpoints(a: CountedTouchpoint, b: CountedTouchpoint): number {
  return (
    a.occurredAtMs - b.occurredAtMs ||
    TOUCHPOINT_TYPES.indexOf(a.type) - TOUCHPOINT_TYPES.indexOf(b.type) ||
    compareText(a.partnerId, b.partnerId) ||
    compareText(a.activityId, b.activityId)
  );
}

interface Context {
  readonly input: AttributionInput;
  readonly windowFromOn: string;
  readonly partners: ReadonlyMap<string, PartnerInput>;
  readonly linksByAccount: ReadonlyMap<string, readonly LinkInput[]>;
  /** Links of partners to the deal's own customer. */
  readonly customerLinks: readonly LinkInput[];
  readonly rules: readonly {
    readonly rule: EvidenceRule;
    readonly phrases: readonly (readonly string[])[] | null;
  }[];
}

function toContext(input: AttributionInput): Context {
  const linksByAccount = new Map<string, LinkInput[]>();
  for (const link of input.links) {
    const links = linksByAccount.get(link.accountId);
    if (links) links.push(link);
    else linksByAccount.set(link.accountId, [link]);
  }
  return {
    input,
    windowFromOn: addDays(input.anchorOn, -input.ruleSet.windowDays),
    partners: new Map(input.partners.map((partner) => [partner.id, partner])),
    linksByAccount,
    customerLinks: input.deal.customerAccountIds.flatMap((id) => linksByAccount.get(id) ?? []),
    rules: input.ruleSet.evidenceRules.map((rule) => ({
      rule,
      phrases: rule.labelWords?.map(toWords) ?? null,
    })),
  };
}

/** Partners that have or had a link to an account that took part, by partner id, each with those links. */
function findPartners(context: Context, activity: ActivityInput): [string, LinkInput[]][] {
  const found = new Map<string, LinkInput[]>();
  for (const accountId of activity.accountIds) {
    for (const link of context.linksByAccount.get(accountId) ?? []) {
      const links = found.get(link.partnerId);
      if (links) links.push(link);
      else found.set(link.partnerId, [link]);
    }
  }
  return [...found].sort(([a], [b]) => compareText(a, b));
}

function judge(
  context: Context,
  activity: ActivityInput,
  words: readonly string[],
  partnerId: string,
  links: readonly LinkInput[],
): EvidenceRule | ExclusionReason {
  const { deal, anchorOn } = context.input;
  const partner = context.partners.get(partnerId);
  if (!partner) throw new RangeError(`a link names partner ${partnerId}, which is not given`);
  const day = activity.occurredOn;
  if (activity.outcome !== 'done' || (deal.state === 'open' && day > anchorOn)) return 'not_happened';
  if (!links.some((link) => isInForce(link, day))) return 'link_not_in_force';
  if (context.customerLinks.some((link) => link.partnerId === partnerId && isInForce(link, day))) {
    return 'own_customer';
  }
  if (partner.status !== 'active') return 'partner_inactive';
  const rule = findRule(context, activity, words, partner);
  if (!rule) return 'no_matching_rule';
  if (isUndated(activity.kind)) return rule;
  if (day > anchorOn) return 'after_close';
  if (day < context.windowFromOn) return 'before_window';
  return rule;
}

/** What a CRM states of a deal without saying since when; the caller dates it at the deal's creation. */
export function isUndated(kind: ActivityInput['kind']): boolean {
  return kind === 'association' || kind === 'field';
}

function isInForce(link: LinkInput, day: string): boolean {
  return (link.fromOn === null || link.fromOn <= day) && (link.toOn === null || day < link.toOn);
}

function findRule(
  context: Context,
  activity: ActivityInput,
  words: readonly string[],
  partner: PartnerInput,
): EvidenceRule | undefined {
  return context.rules.find(
    ({ rule, phrases }) =>
      rule.kind === activity.kind &&
      (rule.partnerTypes === undefined || rule.partnerTypes.includes(partner.type)) &&
      (phrases === null || phrases.some((phrase) => containsPhrase(words, phrase))),
  )?.rule;
}

/** Lower-case runs of letters and digits, in order: `Deal_Registration no. 7` → deal, registration, no, 7. */
function toWords(text: string): readonly string[] {
  return text === '' ? [] : (text.toLowerCase().match(/[\p{L}\p{M}\p{N}]+/gu) ?? []);
}

function containsPhrase(words: readonly string[], phrase: readonly string[]): boolean {
  if (phrase.length === 0) return false;
  return words.some((_, at) => phrase.every((word, offset) => words[at + offset] === word));
}

function toTouchpoint(activity: ActivityInput, partnerId: string, rule: EvidenceRule): CountedTouchpoint {
  return {
    activityId: activity.id,
    partnerId,
    type: rule.touchpoint,
    ruleId: rule.id,
    occurredAt: activity.occurredAt,
    kind: activity.kind,
    occurredOn: activity.occurredOn,
    occurredAtMs: toEpochMs(activity.occurredAt),
  };
}
