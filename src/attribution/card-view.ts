import { z } from 'zod';
import { formatMinor, formatPercent } from './money.ts';
import {
  type ActivityInput,
  type AttributionResult,
  type Credit,
  EVIDENCE_KINDS,
  EXCLUSION_REASONS,
  type Exclusion,
  type ExclusionReason,
  MODELS,
  type ModelName,
  TOUCHPOINT_TYPES,
} from './types.ts';

/** `12.50`: percent with exactly two decimals. */
const percent = z.string().regex(/^\d{1,3}\.\d{2}$/);
const day = z.iso.date();
const instant = z.iso.datetime();
/** Where a person opens the record in the CRM; null when it has no page of its own. */
const deepLink = z.url({ protocol: /^https?$/ }).nullable();

const money = z.object({
  /** Whole minor units as text: JSON numbers are floats. */
  amountMinor: z.string().regex(/^-?\d+$/),
  currency: z.string().length(3),
  exponent: z.int().min(0).max(8),
});
const state = z.enum(['projected', 'earned', 'lost', 'blocked']);

const evidence = z.object({
  url: deepLink,
  kind: z.enum(EVIDENCE_KINDS),
  type: z.enum(TOUCHPOINT_TYPES),
  occurredOn: day,
  /** Its part of the deal, rounded for reading: parts need not sum to the credit's percent. */
  sharePercent: percent,
});
const credit = z.object({
  partner: z.object({ id: z.string(), name: z.string(), url: deepLink }),
  sharePercent: percent,
  money: money.nullable(),
  role: z.enum(['sourced', 'influenced']),
  state,
  reason: z.string(),
  evidence: z.array(evidence),
});
const model = z.object({
  name: z.enum(MODELS),
  /** For people, e.g. `Time decay`. */
  label: z.string(),
  /** Largest first. */
  credits: z.array(credit),
  unattributed: z.object({ sharePercent: percent, money: money.nullable() }),
});
const exclusion = z.object({
  partner: z.object({ id: z.string(), name: z.string() }),
  kind: z.enum(EVIDENCE_KINDS),
  occurredOn: day,
  reason: z.enum(EXCLUSION_REASONS),
  /** The reason as a sentence. */
  words: z.string(),
  url: deepLink,
});
const writeBack = z.object({
  status: z.enum(['written', 'pending', 'rejected', 'none']),
  /** What the CRM said, in plain words, when it rejected a row. */
  message: z.string().nullable(),
  at: instant.nullable(),
});

/** The one contract of all cards. JSON-safe; never commission or rates. Version 1 only grows optional fields. */
export const CardViewSchema = z.discriminatedUnion('status', [
  z.object({
    version: z.literal(1),
    status: z.literal('ready'),
    deal: z.object({
      id: z.string(),
      externalId: z.string(),
      name: z.string().nullable(),
      state,
      /** Why the result is held back, as a sentence; null unless `state` is blocked. */
      blockedReason: z.string().nullable(),
      money: money.nullable(),
    }),
    modelOfRecord: z.enum(MODELS),
    models: z.array(model),
    exclusions: z.array(exclusion),
    writeBack,
    /** Something to know about the result as a whole; null = nothing. */
    notice: z.string().nullable(),
    asOf: instant,
    /** The first day on which the result may change by itself. */
    validUntil: day.nullable(),
    may: z.object({ claim: z.boolean(), simulate: z.boolean() }),
  }),
  z.object({
    version: z.literal(1),
    /** The deal is not known here (yet), no partner is linked, no result was computed yet, the CRM needs a new consent. */
    status: z.enum(['unknown_deal', 'not_linked', 'not_computed', 'reconnect_needed']),
    /** A sentence for the person in front of the card. */
    message: z.string(),
    asOf: instant,
  }),
]);
export type CardView = z.infer<typeof CardViewSchema>;
export type ReadyCardView = Extract<CardView, { status: 'ready' }>;
export type CardMoney = z.infer<typeof money>;

/** What a card is made of: a result, the input it came from, and the names and links that inputs never hold. */
export interface CardParts {
  readonly deal: { readonly id: string; readonly externalId: string; readonly name: string | null };
  readonly amountMinor: bigint | null;
  readonly currency: string | null;
  /** Minor-unit digits of the currency; null = not known, and then no money is shown. */
  readonly exponent: number | null;
  readonly blockedReason: string | null;
  readonly result: AttributionResult;
  readonly modelOfRecord: ModelName;
  readonly windowDays: number;
  /** Those of the result's input. */
  readonly activities: readonly ActivityInput[];
  /** Activity id → its page in the CRM. */
  readonly activityUrls: ReadonlyMap<string, string>;
  readonly partners: ReadonlyMap<string, { readonly name: string; readonly url: string | null }>;
  readonly writeBack: ReadyCardView['writeBack'];
  readonly notice: string | null;
  readonly asOf: string;
  readonly may: ReadyCardView['may'];
}

/** Assembles the card of a deal. A partner without a name is shown as such. Throws RangeError for a foreign activity. */
export function toCardView(parts: CardParts): ReadyCardView {
  const { result } = parts;
  const shown: Shown = {
    parts,
    activities: new Map(parts.activities.map((activity) => [activity.id, activity])),
    types: new Map(result.touchpoints.map((at) => [`${at.activityId} ${at.partnerId}`, at.type])),
  };
  return {
    version: 1,
    status: 'ready',
    deal: {
      ...parts.deal,
      state: result.state,
      blockedReason:
        result.state === 'blocked' ? (parts.blockedReason ?? 'The CRM names no currency.') : null,
      money: toMoney(parts, parts.amountMinor),
    },
    modelOfRecord: parts.modelOfRecord,
    models: MODELS.map((name) => ({
      name,
      label: MODEL_LABELS[name],
      credits: result.models[name].credits.map((one) => toCredit(shown, one)),
      unattributed: {
        sharePercent: toPercent(result.models[name].unattributedBps),
        money: toMoney(parts, result.models[name].unattributedMinor),
      },
    })),
    exclusions: result.exclusions.map((one) => toExclusion(shown, one)),
    writeBack: parts.writeBack,
    notice: parts.notice,
    asOf: parts.asOf,
    validUntil: result.validUntil,
    may: parts.may,
  };
}

const MODEL_LABELS = {
  equal_split: 'Equal split',
  first_touch: 'First touch',
  last_touch: 'Last touch',
  time_decay: 'Time decay',
  role_based: 'Role based',
} as const satisfies Record<ModelName, string>;

interface Shown {
  readonly parts: CardParts;
  readonly activities: ReadonlyMap<string, ActivityInput>;
  readonly types: ReadonlyMap<string, AttributionResult['touchpoints'][number]['type']>;
}

function toCredit(shown: Shown, one: Credit): ReadyCardView['models'][number]['credits'][number] {
  const partner = shown.parts.partners.get(one.partnerId);
  return {
    partner: { id: one.partnerId, name: partner?.name ?? UNNAMED, url: partner?.url ?? null },
    sharePercent: toPercent(one.shareBps),
    money: toMoney(shown.parts, one.amountMinor),
    role: one.role,
    state: shown.parts.result.state,
    reason: one.reason,
    evidence: one.contributions.map(({ activityId, share }) => {
      const type = shown.types.get(`${activityId} ${one.partnerId}`);
      if (!type) throw new RangeError(`activity ${activityId} is no touchpoint of the result`);
      return { ...toActivity(shown, activityId), type, sharePercent: formatPercent(share, 2) };
    }),
  };
}

function toExclusion(shown: Shown, one: Exclusion): ReadyCardView['exclusions'][number] {
  return {
    partner: { id: one.partnerId, name: shown.parts.partners.get(one.partnerId)?.name ?? UNNAMED },
    ...toActivity(shown, one.activityId),
    reason: one.reason,
    words: sayExclusion(one.reason, shown.parts.windowDays),
  };
}

const UNNAMED = 'A partner without a name';

function toActivity(
  shown: Shown,
  id: string,
): Pick<ActivityInput, 'kind' | 'occurredOn'> & { url: string | null } {
  const activity = shown.activities.get(id);
  if (!activity) throw new RangeError(`activity ${id} is not part of the input`);
  return {
    url: shown.parts.activityUrls.get(id) ?? null,
    kind: activity.kind,
    occurredOn: activity.occurredOn,
  };
}

function sayExclusion(reason: ExclusionReason, windowDays: number): string {
  switch (reason) {
    case 'not_happened':
      return 'It did not happen, or not yet: only what took place counts.';
    case 'no_matching_rule':
      return 'No evidence rule counts this kind of activity.';
    case 'before_window':
      return `It is older than the attribution window of ${windowDays} days.`;
    case 'after_close':
      return 'It took place after the deal was closed.';
    case 'link_not_in_force':
      return 'The partner was not linked to this company on that day.';
    case 'partner_inactive':
      return 'The partner is inactive.';
    case 'own_customer':
      return 'The partner is the customer of this deal.';
  }
}

function toMoney({ currency, exponent }: CardParts, amountMinor: bigint | null): CardMoney | null {
  if (amountMinor === null || currency === null || exponent === null) return null;
  return { amountMinor: amountMinor.toString(), currency, exponent };
}

function toPercent(bps: number): string {
  return formatMinor(BigInt(bps), 2);
}
