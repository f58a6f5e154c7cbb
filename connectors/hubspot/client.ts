import { Client } from '@hubspot/api-client';
import type { z } from 'zod';
import { RetryLater } from '../../src/platform/errors.ts';
import type { ConnectorContext } from '../connector.ts';
import { decideNext, HubSpotFailure } from './failures.ts';

/** HubSpot counts search and associations apart from everything else. */
export type Bucket = 'general' | 'search' | 'associations';

export interface HubSpotCall<T extends z.ZodType> {
  /** Low-cardinality name for metrics and messages, e.g. `deals.list`. */
  readonly operation: string;
  readonly bucket?: Bucket;
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly schema: T;
  /**
   * May the call be sent again when we cannot know whether it was carried out (5xx, network, deadline)?
   * True for reads, upserts by unique key, updates to a value, associations and archives. False for
   * creating a schema, property or group: the caller looks again before it repeats those.
   */
  readonly repeatable: boolean;
}
export type CallHubSpot = <T extends z.ZodType>(
  call: HubSpotCall<T>,
  signal: AbortSignal,
) => Promise<z.infer<T>>;

export interface ClientOptions {
  readonly deadlineMs?: number;
  /** Tries in all, the first included. */
  readonly tries?: number;
  /** In [0, 1); for jitter. */
  readonly random?: () => number;
}

/**
 * The only door to HubSpot for one connection. Every answer is parsed; every failure ends as RetryLater,
 * ReconnectNeeded (from the token source), Rejected, or a bug.
 *
 * The SDK's limiter and retry live in a process-wide singleton that every `new Client` replaces, so both stay
 * off; `apiRequest` neither throws on 4xx nor has a timeout nor knows a signal, so all three are ours.
 */
export function createHubSpotClient(ctx: ConnectorContext, options: ClientOptions = {}): CallHubSpot {
  const { deadlineMs = 20_000, tries = 4, random = Math.random } = options;
  const sdk = new Client({ accessToken: '', basePath: ctx.baseUrl, numberOfApiCallRetries: 0 });

  return async (call, signal) => {
    let refused: string | undefined;
    for (let attempt = 1; ; attempt += 1) {
      signal.throwIfAborted();
      await ctx.budget(call.bucket ?? 'general', 1, signal);
      const token = await ctx.token(refused === undefined ? {} : { refused });
      const startedAt = ctx.clock.now().getTime();
      const report = (outcome: 'ok' | 'retry' | 'rejected' | 'failed') =>
        ctx.onCall({ operation: call.operation, outcome, ms: ctx.clock.now().getTime() - startedAt });

      let body: unknown;
      try {
        sdk.setAccessToken(token);
        body = await sendOnce(sdk, call, deadlineMs, signal);
      } catch (cause) {
        if (signal.aborted) {
          report('failed');
          throw signal.reason;
        }
        const next = decideAfter(cause, attempt);
        if (next.step === 'give_up') {
          report(next.error instanceof RetryLater ? 'retry' : 'rejected');
          throw next.error;
        }
        if (next.step === 'refresh_token') {
          report('retry');
          // Asked once: a fresh token that is refused too is HubSpot's trouble, and no reason to disconnect anybody.
          if (refused !== undefined)
            throw new RetryLater(`${call.operation}: HubSpot refuses a fresh token.`, 300_000, { cause });
          refused = token;
          continue;
        }
        const waitMs = next.afterMs ?? Math.min(30_000, 500 * 2 ** (attempt - 1));
        const jitteredMs = Math.round(waitMs * (1 + 0.25 * random()));
        report('retry');
        const hopeless = next.executed === 'perhaps' && !call.repeatable;
        if (attempt >= tries || hopeless || waitMs > 60_000) {
          throw new RetryLater(
            `${call.operation}: HubSpot is not answering as it should.`,
            Math.max(jitteredMs, 10_000),
            { cause },
          );
        }
        await ctx.clock.sleep(jitteredMs, signal);
        continue;
      }

      const parsed = call.schema.safeParse(body);
      if (!parsed.success) {
        report('failed');
        throw new Error(`${call.operation}: HubSpot's answer does not have the documented shape.`, {
          cause: parsed.error,
        });
      }
      report('ok');
      return parsed.data;
    }
  };

  function decideAfter(cause: unknown, attempt: number) {
    return cause instanceof HubSpotFailure
      ? decideNext(cause, attempt, ctx.facts?.timeZone ?? null, ctx.clock.now())
      : ({ step: 'wait', afterMs: null, executed: 'perhaps' } as const);
  }
}

/** One request and its whole body, or a failure. The deadline is of the wall clock: the network knows no other. */
async function sendOnce(
  sdk: Client,
  call: HubSpotCall<z.ZodType>,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<unknown> {
  const deadline = AbortSignal.timeout(deadlineMs);
  const ended = AbortSignal.any([deadline, signal]);
  const work = (async () => {
    const response = await sdk.apiRequest({
      method: call.method ?? 'GET',
      path: call.path,
      ...(call.query === undefined ? {} : { qs: { ...call.query } }),
      ...(call.body === undefined ? {} : { body: call.body }),
    });
    const text = await response.text();
    if (!response.ok)
      throw new HubSpotFailure(call.operation, response.status, readJson(text), response.headers);
    return text === '' ? undefined : JSON.parse(text);
  })();
  // A failure after the deadline has nobody left to tell.
  work.catch(() => {});
  return await new Promise((resolve, reject) => {
    const onEnd = () =>
      reject(new Error(`${call.operation}: no answer within ${deadlineMs} ms`, { cause: ended.reason }));
    if (ended.aborted) return onEnd();
    ended.addEventListener('abort', onEnd, { once: true });
    work.then(resolve, reject).finally(() => ended.removeEventListener('abort', onEnd));
  });
}

/** An error page may be HTML. */
function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
