/**
 * The words of the attribution core. Everything here is plain data: the core gets it as arguments and returns it.
 * Instants are ISO 8601 UTC text, days are `YYYY-MM-DD` in the organization's zone, money is bigint minor units.
 */

export const MODELS = ['equal_split', 'first_touch', 'last_touch', 'time_decay', 'role_based'] as const;
export type ModelName = (typeof MODELS)[number];

export const TOUCHPOINT_TYPES = [
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
] as const;
export type TouchpointType = (typeof TOUCHPOINT_TYPES)[number];

export const PARTNER_TYPES = [
  'affiliate',
  'referral',
  'reseller',
  'integration',
  'technology',
  'distributor',
  'agency',
] as const;
export type PartnerType = (typeof PARTNER_TYPES)[number];

/** `association` = a label on the deal–company association; `field` = a partner property on the deal. */
export const EVIDENCE_KINDS = ['meeting', 'call', 'email', 'note', 'task', 'association', 'field'] as const;
export type EvidenceKind = (typeof EVIDENCE_KINDS)[number];

export interface DealInput {
  readonly id: string;
  readonly state: 'open' | 'won' | 'lost';
  /** null = the deal names no amount. */
  readonly amountMinor: bigint | null;
  readonly currency: string | null;
  readonly createdOn: string;
  readonly createdAt: string;
  readonly wonAt: string | null;
  /** The deal's own customer: our account ids of its primary company. */
  readonly customerAccountIds: readonly string[];
  /** Something the CRM did not tell us that the result needs; the last result is kept. */
  readonly blockedReason: string | null;
}

export interface ActivityInput {
  readonly id: string;
  readonly kind: EvidenceKind;
  /** Association label, field name or the portal's activity type. */
  readonly label: string | null;
  readonly occurredAt: string;
  /** `occurredAt` as a calendar day in the organization's zone. */
  readonly occurredOn: string;
  readonly loggedAt: string;
  readonly outcome: 'done' | 'planned' | 'cancelled' | 'no_show' | 'bounced' | 'failed' | 'unknown';
  readonly direction: 'inbound' | 'outbound' | null;
  /** Our ids of the accounts whose people took part, judged at the activity's date. */
  readonly accountIds: readonly string[];
}

/** Effective-dated: counts for activities with `fromOn <= occurredOn < toOn`; null = open-ended. */
export interface LinkInput {
  /** Ours, for the caller's use: a link's id never changes a result and is not part of the canonical input. */
  readonly id?: string;
  readonly partnerId: string;
  readonly accountId: string;
  readonly fromOn: string | null;
  readonly toOn: string | null;
}

export interface PartnerInput {
  readonly id: string;
  readonly type: PartnerType;
  readonly status: 'active' | 'inactive';
}

/** First matching rule wins. A missing criterion matches everything. Matching is case-insensitive, on whole words. */
export interface EvidenceRule {
  readonly id: string;
  readonly kind: EvidenceKind;
  /** Label, activity type or field name must contain one of these words. */
  readonly labelWords?: readonly string[];
  readonly partnerTypes?: readonly PartnerType[];
  readonly touchpoint: TouchpointType;
}

export interface RuleSet {
  readonly version: number;
  readonly evidenceRules: readonly EvidenceRule[];
  /** Evidence older than this many days before the anchor does not count. */
  readonly windowDays: number;
  /** Models the card shows, the first being computed for all; every one is computed and stored. */
  readonly modelOfRecord: ModelName;
  /** λ in parts per million per day: 100000 = 0.1/day. */
  readonly timeDecayLambdaPpm: number;
  /** Points per touchpoint type for role based attribution. */
  readonly roleWeights: Readonly<Partial<Record<TouchpointType, number>>>;
  /** Share of every deal kept by the house, in parts per million; 0 by default. */
  readonly houseSharePpm: number;
}

export interface AttributionInput {
  readonly deal: DealInput;
  readonly activities: readonly ActivityInput[];
  readonly links: readonly LinkInput[];
  readonly partners: readonly PartnerInput[];
  readonly ruleSet: RuleSet;
  /** Close day of a closed deal; for an open one the last day on which the answer could have changed. */
  readonly anchorOn: string;
}

export const EXCLUSION_REASONS = [
  'not_happened',
  'no_matching_rule',
  'before_window',
  'after_close',
  'link_not_in_force',
  'partner_inactive',
  'own_customer',
] as const;
export type ExclusionReason = (typeof EXCLUSION_REASONS)[number];

export interface Touchpoint {
  readonly activityId: string;
  readonly partnerId: string;
  readonly type: TouchpointType;
  readonly ruleId: string;
  readonly occurredAt: string;
}
/** A touchpoint as the models see it: what they need of its activity, read once. */
export interface CountedTouchpoint extends Touchpoint {
  readonly kind: EvidenceKind;
  readonly occurredOn: string;
  /** Epoch milliseconds of `occurredAt`. */
  readonly occurredAtMs: number;
}
export interface Exclusion {
  readonly activityId: string;
  readonly partnerId: string;
  readonly reason: ExclusionReason;
}

/** An exact share: `numerator / denominator`, in lowest terms, denominator > 0. */
export interface Share {
  readonly numerator: bigint;
  readonly denominator: bigint;
}
export interface Credit {
  readonly partnerId: string;
  readonly share: Share;
  /** Hundredths of a percent as the CRM shows it; over all credits and the unattributed rest they sum to 10000. */
  readonly shareBps: number;
  /** null when the deal names no amount, or was lost. */
  readonly amountMinor: bigint | null;
  readonly role: 'sourced' | 'influenced';
  /** The touchpoints that carried the share, heaviest first: activity id and its part of the deal. */
  readonly contributions: readonly { readonly activityId: string; readonly share: Share }[];
  /** One sentence a sales rep understands; no names, partners are said by the caller. */
  readonly reason: string;
}
export interface ModelResult {
  readonly credits: readonly Credit[];
  readonly unattributedBps: number;
  readonly unattributedMinor: bigint | null;
}
export interface AttributionResult {
  readonly engineVersion: number;
  /** open → projected, won → earned, lost → lost; blocked keeps the last credits elsewhere. */
  readonly state: 'projected' | 'earned' | 'lost' | 'blocked';
  readonly touchpoints: readonly Touchpoint[];
  readonly exclusions: readonly Exclusion[];
  readonly models: Readonly<Record<ModelName, ModelResult>>;
  /** For an open deal: the first day on which the same inputs may give another answer. */
  readonly validUntil: string | null;
}
