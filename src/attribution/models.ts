import { decayWeight } from './exponential.ts';
import type { CountedTouchpoint, ModelName, RuleSet, TouchpointType } from './types.ts';

/** What a model needs to know besides the touchpoints. */
export type ModelParameters = Pick<RuleSet, 'timeDecayLambdaPpm' | 'roleWeights'>;

/** Integer weights: only their proportions mean anything. All zero = nobody earns credit. */
export interface Weighting {
  /** Of each partner among all partners. */
  readonly partners: ReadonlyMap<string, bigint>;
  /** Of each touchpoint among those of its own partner; same order as the touchpoints given. */
  readonly touchpoints: readonly bigint[];
  /** The model had nothing to go by and shared equally instead. */
  readonly fellBack: boolean;
}

/** Pure. Touchpoints come in total order (`compareTouchpoints`); none at all gives no weights. */
export type Model = (touchpoints: readonly CountedTouchpoint[], parameters: ModelParameters) => Weighting;

export const MODEL_TABLE: Readonly<Record<ModelName, Model>> = {
  equal_split: weighEqually,
  first_touch: weighFirst,
  last_touch: weighLast,
  time_decay: weighByDecay,
  role_based: weighByRole,
};

/**
 * Equal split: w(partner) = 1, however many touchpoints it has; each of them carries an equal part of it.
 * Source: the customer's model list ("equal split between all involved partners").
 */
function weighEqually(touchpoints: readonly CountedTouchpoint[]): Weighting {
  return {
    partners: new Map(touchpoints.map(({ partnerId }) => [partnerId, 1n])),
    touchpoints: touchpoints.map(() => 1n),
    fellBack: false,
  };
}

/** First touch: w = 1 for the first touchpoint in total order, 0 for all others. Source: the customer's model list. */
function weighFirst(touchpoints: readonly CountedTouchpoint[]): Weighting {
  return weighEach(touchpoints, (_, at) => (at === 0 ? 1n : 0n));
}

/** Last touch: w = 1 for the last touchpoint in total order, 0 for all others. Source: the customer's model list. */
function weighLast(touchpoints: readonly CountedTouchpoint[]): Weighting {
  return weighEach(touchpoints, (_, at) => (at === touchpoints.length - 1 ? 1n : 0n));
}

/**
 * Time decay: w(touchpoint) = e^(−λ·t), t = its age in whole seconds before the last counted touchpoint (both
 * instants cut to the second), λ per day; a partner has the sum over its touchpoints. Normalised decay does not
 * depend on the reference instant: e^(−λ(t+c)) = e^(−λt)·e^(−λc), and the common factor cancels. So the last
 * touchpoint is the reference, a stored share never drifts as days pass, and the sum is never 0.
 * Each weight is rounded half up to 10^−18. Source: exponential decay, λ = 0.1/day in the customer's model list.
 */
function weighByDecay(touchpoints: readonly CountedTouchpoint[], parameters: ModelParameters): Weighting {
  const last = toSeconds(touchpoints.at(-1)?.occurredAtMs ?? 0);
  return weighEach(touchpoints, ({ occurredAtMs }) =>
    decayWeight(parameters.timeDecayLambdaPpm, last - toSeconds(occurredAtMs)),
  );
}

function toSeconds(ms: number): number {
  return Math.floor(ms / 1000);
}

/**
 * Role based: w(partner) = Σ points over the distinct touchpoint types ("roles") it played, so a second demo adds
 * nothing; the earliest touchpoint of each role carries that role's points. Dividing by the sum over all partners
 * renormalises over the roles present. A type without points counts 0; when all points are 0, equal split.
 * Source: the customer's model list (referral 30, demo 25, proposal 25, negotiation 20).
 */
function weighByRole(touchpoints: readonly CountedTouchpoint[], parameters: ModelParameters): Weighting {
  const played = new Map<string, Set<TouchpointType>>();
  const weighting = weighEach(touchpoints, ({ partnerId, type }) => {
    const roles = played.get(partnerId);
    if (roles?.has(type)) return 0n;
    if (roles) roles.add(type);
    else played.set(partnerId, new Set([type]));
    return BigInt(parameters.roleWeights[type] ?? 0);
  });
  const nobody = [...weighting.partners.values()].every((weight) => weight === 0n);
  return nobody && touchpoints.length > 0 ? { ...weighEqually(touchpoints), fellBack: true } : weighting;
}

/** For models that weigh touchpoints: a partner has the sum of its touchpoints' weights. */
function weighEach(
  touchpoints: readonly CountedTouchpoint[],
  weigh: (touchpoint: CountedTouchpoint, at: number) => bigint,
): Weighting {
  const partners = new Map<string, bigint>();
  const weights = touchpoints.map((touchpoint, at) => {
    const weight = weigh(touchpoint, at);
    partners.set(touchpoint.partnerId, (partners.get(touchpoint.partnerId) ?? 0n) + weight);
    return weight;
  });
  return { partners, touchpoints: weights, fellBack: false };
}
