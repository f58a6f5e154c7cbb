import { z } from 'zod';
import { EVIDENCE_KINDS, MODELS, PARTNER_TYPES, type RuleSet, TOUCHPOINT_TYPES } from './types.ts';

const PPM = 1_000_000;
/** Ten years; days before the anchor stay four-digit years. */
const LONGEST_WINDOW_DAYS = 3650;
/** 10 per day: a touchpoint one day older weighs 0.005 %. More is a slip of the decimal point. */
const STEEPEST_LAMBDA_PPM = 10 * PPM;
const MOST_POINTS = 1_000_000;

const touchpointType = z.enum(TOUCHPOINT_TYPES, { error: ({ input }) => notATouchpointType(input) });

function notATouchpointType(input: unknown): string {
  return `${JSON.stringify(input)} is not a touchpoint type; use one of ${TOUCHPOINT_TYPES.join(', ')}`;
}

const evidenceRule = z.strictObject({
  id: z.string().min(1, 'a rule needs an id').max(100),
  kind: z.enum(EVIDENCE_KINDS, { error: `must be one of ${EVIDENCE_KINDS.join(', ')}` }),
  labelWords: z
    .array(
      z
        .string()
        .regex(/[\p{L}\p{N}]/u, 'a label word needs a letter or a digit')
        .max(100),
    )
    .min(1)
    .exactOptional(),
  partnerTypes: z
    .array(z.enum(PARTNER_TYPES, { error: `must be one of ${PARTNER_TYPES.join(', ')}` }))
    .min(1)
    .exactOptional(),
  touchpoint: touchpointType,
});

const points = z
  .int('points must be a whole number')
  .min(0, 'points must not be negative')
  .max(MOST_POINTS, `points must not exceed ${MOST_POINTS}`);

/** A rule set as stored (jsonb). Every problem names its field; nothing is filled in by default. */
export const RuleSetSchema = z.strictObject({
  version: z
    .int()
    .min(1, 'versions count from 1')
    .max(2 ** 31 - 1),
  evidenceRules: z
    .array(evidenceRule)
    .min(1, 'without a rule nothing counts as evidence')
    .max(500)
    .refine(
      (rules) => new Set(rules.map(({ id }) => id)).size === rules.length,
      'two rules have the same id',
    ),
  windowDays: z
    .int('days must be a whole number')
    .min(0, 'the attribution window must not be negative')
    .max(LONGEST_WINDOW_DAYS, `the attribution window must not exceed ${LONGEST_WINDOW_DAYS} days`),
  modelOfRecord: z.enum(MODELS, { error: `must be one of ${MODELS.join(', ')}` }),
  timeDecayLambdaPpm: z
    .int('λ must be a whole number of parts per million per day')
    .min(0, 'λ must not be negative')
    .max(STEEPEST_LAMBDA_PPM, `λ must not exceed ${STEEPEST_LAMBDA_PPM} ppm (10 per day)`),
  roleWeights: z
    .partialRecord(touchpointType, points)
    .refine(
      (weights) => !Object.values(weights).every((weight) => weight === 0),
      'the role weights are all zero',
    ),
  houseSharePpm: z
    .int('the house share must be a whole number of parts per million')
    .min(0, 'the house share must not be negative')
    .max(PPM, 'the house share must not exceed the whole deal'),
});

export interface RuleSetProblem {
  /** Path of the field, e.g. `evidenceRules.3.touchpoint`. */
  readonly field: string;
  readonly message: string;
}
export type ParsedRuleSet =
  | { readonly ok: true; readonly ruleSet: RuleSet }
  | { readonly ok: false; readonly problems: readonly RuleSetProblem[] };

/** Parses what was stored or sent; every problem at once, each naming the field it is about. */
export function parseRuleSet(body: unknown): ParsedRuleSet {
  const parsed = RuleSetSchema.safeParse(body);
  if (parsed.success) return { ok: true, ruleSet: parsed.data };
  return {
    ok: false,
    problems: parsed.error.issues.flatMap(toProblems),
  };
}

function toProblems(issue: z.core.$ZodIssue): readonly RuleSetProblem[] {
  const field = issue.path.join('.');
  if (issue.code !== 'unrecognized_keys') return [{ field, message: issue.message }];
  const message = field === 'roleWeights' ? notATouchpointType : () => 'a rule set has no such field';
  return issue.keys.map((key) => ({ field: [...issue.path, key].join('.'), message: message(key) }));
}
