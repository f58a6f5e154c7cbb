import { Rejected, RetryLater } from '../../src/platform/errors.ts';
import type { HubSpotErrorBody } from './schema.ts';
import { ErrorSchema } from './schema.ts';

/** HubSpot's own answer, kept as the `cause` of what crosses the connector line. */
export class HubSpotFailure extends Error {
  override readonly name = 'HubSpotFailure';
  readonly status: number;
  readonly body: HubSpotErrorBody;
  readonly headers: Headers;
  constructor(operation: string, status: number, body: unknown, headers: Headers) {
    const parsed = ErrorSchema.safeParse(body);
    const known = parsed.success ? parsed.data : {};
    super(`${operation}: HubSpot answered ${status}${known.message ? ` ${known.message}` : ''}`);
    this.status = status;
    this.body = known;
    this.headers = headers;
  }
}

/** What to do after a failed try. `afterMs: null` = our own backoff. */
export type NextStep =
  | { readonly step: 'refresh_token' }
  | { readonly step: 'wait'; readonly afterMs: number | null; readonly executed: 'no' | 'perhaps' }
  | { readonly step: 'give_up'; readonly error: Error };

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/**
 * Decides after an HTTP failure, by status and `policyName`, never by message.
 * 429, 423 and 477 were refused before anything was done; a 5xx may have been carried out.
 * @param timeZone IANA zone of the account, for the daily quota; null when not yet described.
 */
export function decideNext(
  failure: HubSpotFailure,
  attempt: number,
  timeZone: string | null,
  now: Date,
): NextStep {
  const { status, body } = failure;
  const retryAfterMs = readRetryAfter(failure.headers);
  const later = (message: string, afterMs: number): NextStep => ({
    step: 'give_up',
    error: new RetryLater(message, afterMs, { cause: failure }),
  });
  if (status === 401) return { step: 'refresh_token' };
  if (status === 429 && body.policyName === 'DAILY') {
    return later(
      "HubSpot's daily call quota is used up until midnight in the account's zone.",
      msToMidnight(timeZone, now),
    );
  }
  if (status === 429)
    return { step: 'wait', afterMs: retryAfterMs ?? readRateWait(failure, attempt), executed: 'no' };
  if (status === 423)
    return { step: 'wait', afterMs: Math.max(2_000 * 2 ** (attempt - 1), retryAfterMs ?? 0), executed: 'no' };
  if (status === 477) {
    return later(
      'HubSpot is moving this account to another data centre.',
      Math.min(retryAfterMs ?? HOUR_MS, DAY_MS),
    );
  }
  if (status >= 500) return { step: 'wait', afterMs: retryAfterMs, executed: 'perhaps' };
  return { step: 'give_up', error: toRejected(failure) };
}

/** A 4xx that no retry mends, as a sentence that says who mends it. */
function toRejected(failure: HubSpotFailure): Rejected {
  const { status, body } = failure;
  if (status === 403) {
    const scopes = missingScopes(body);
    if (body.category === 'MISSING_SCOPES' || scopes.length > 0) {
      const named =
        scopes.length > 0 ? `the permission ${scopes.join(', ')}` : 'a permission that this call needs';
      const message = `HubSpot has not granted Tributary ${named}. Connect HubSpot again and accept it.`;
      return new Rejected('missing_scope', message, { cause: failure });
    }
    return new Rejected('forbidden', inPlainWords(failure, 'HubSpot does not allow this here'), {
      cause: failure,
    });
  }
  if (status === 404)
    return new Rejected('not_found', inPlainWords(failure, 'HubSpot does not know this'), { cause: failure });
  if (status === 409)
    return new Rejected('conflict', inPlainWords(failure, 'HubSpot has this already'), { cause: failure });
  const reason = status === 400 ? rejectionReason(body) : 'refused';
  return new Rejected(reason, inPlainWords(failure, `HubSpot refused this (${status})`), { cause: failure });
}

/** `portal_configuration`: the account's own rules (a required property) refuse the row, not its content. */
export function rejectionReason(body: HubSpotErrorBody): 'portal_configuration' | 'validation' {
  const codes = [
    body.message ?? '',
    ...(body.errors ?? []).flatMap((error) => [error.code ?? '', error.message ?? '']),
  ];
  // HubSpot gives required-property failures no code of their own everywhere: code and sentence are both looked at.
  return codes.some((text) =>
    /REQUIRED_(PROPERTY|FIELD)|required propert|propert\S* (is|are) required|MISSING_REQUIRED/i.test(text),
  )
    ? 'portal_configuration'
    : 'validation';
}

/** HubSpot's own sentences, without its JSON wrapping. */
export function plainMessage(body: HubSpotErrorBody): string | null {
  const parts = [body.message, ...(body.errors ?? []).map((error) => error.message)].flatMap(
    (text) => text ?? [],
  );
  const sentences = parts.map(unwrapValidation).filter((text) => text !== '');
  return sentences.length === 0 ? null : [...new Set(sentences)].join(' ').slice(0, 500);
}

/** `Property values were not valid: [{"message":"…"}]` → the inner messages. */
function unwrapValidation(message: string): string {
  const start = message.indexOf('[{');
  if (start < 0) return message.trim();
  try {
    const inner: unknown = JSON.parse(message.slice(start));
    const found = Array.isArray(inner)
      ? inner.flatMap((item: unknown) => {
          const text = (item as { message?: unknown }).message;
          return typeof text === 'string' ? text : [];
        })
      : [];
    return found.length > 0 ? found.join(' ') : message.trim();
  } catch {
    return message.trim();
  }
}

function inPlainWords(failure: HubSpotFailure, otherwise: string): string {
  const said = plainMessage(failure.body);
  return said === null ? `${otherwise}.` : `HubSpot says: ${said}`;
}

function missingScopes(body: HubSpotErrorBody): readonly string[] {
  const contexts = [body.context, ...(body.errors ?? []).map((error) => error.context)];
  const found = contexts.flatMap((context) => [
    ...(context?.requiredGranularScopes ?? []),
    ...(context?.requiredScopes ?? []),
    ...(context?.missingScopes ?? []),
  ]);
  return [...new Set(found)];
}

/** Seconds, or an HTTP date; null when absent or unreadable. */
function readRetryAfter(headers: Headers): number | null {
  const value = headers.get('retry-after');
  if (value === null || !/^\d+(\.\d+)?$/.test(value.trim())) return null;
  return Math.ceil(Number(value) * 1_000);
}

/** The ten-second window rolls, so that places come free all the time; the per-second one is short. */
function readRateWait(failure: HubSpotFailure, attempt: number): number {
  if (failure.body.policyName === 'SECONDLY') return 1_000 * 2 ** (attempt - 1);
  const interval = Number(failure.headers.get('x-hubspot-ratelimit-interval-milliseconds') ?? 10_000);
  return ((Number.isFinite(interval) && interval > 0 ? interval : 10_000) / 4) * 2 ** (attempt - 1);
}

/** Milliseconds to the account's next midnight; an hour when its zone is not known. */
function msToMidnight(timeZone: string | null, now: Date): number {
  if (timeZone === null) return HOUR_MS;
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  }).formatToParts(now);
  const read = (type: string) => Number(parts.find((part) => part.type === type)?.value ?? 0);
  const sinceMidnightMs = ((read('hour') * 60 + read('minute')) * 60 + read('second')) * 1_000;
  // A minute of grace for a clock change or a counter that is reset late.
  return DAY_MS - sinceMidnightMs + MINUTE_MS;
}
