import type { Clock } from '../../../src/platform/clock.ts';
import type { WebhookEvent } from './events.ts';
import type { Knobs, WebhookOptions } from './options.ts';
import type { Random } from './random.ts';
import { signedRequest } from './signature.ts';

/** One request that was tried. */
export interface Delivery {
  /** ISO instant by the sandbox's clock. */
  readonly at: string;
  readonly attemptNumber: number;
  readonly events: readonly WebhookEvent[];
  /** HTTP status, or why there was none. */
  readonly status: number | 'timeout' | 'failed';
  readonly ok: boolean;
}
interface Waiting {
  readonly events: readonly WebhookEvent[];
  readonly attemptNumber: number;
  readonly dueMs: number;
}

export interface WebhookQueue {
  push(event: WebhookEvent): void;
  nextEventId(): number;
  /** Delivers everything due now, retries that fall due meanwhile included. */
  flush(): Promise<readonly Delivery[]>;
  /** Delivers by itself from now on, by the clock; returns the way to stop. */
  start(): () => Promise<void>;
  /** Every request tried so far. */
  readonly deliveries: readonly Delivery[];
  /** Events given up after the last retry. */
  readonly lost: readonly WebhookEvent[];
  /** Events not yet delivered. */
  pending(): number;
  clear(): void;
}

/** HubSpot gives up on a request after this long. */
const ANSWER_MS = 5_000;
const MAX_RETRIES = 10;
const MINUTE_MS = 60_000;
/** Ten retries spread over 24 h; each is moved by up to a fifth either way. */
const RETRY_AFTER_MINUTES = [1, 5, 15, 30, 60, 120, 180, 240, 300, 360] as const;
const MAX_BATCH = 100;

export function createWebhookQueue(spec: {
  readonly clock: Clock;
  readonly random: Random;
  readonly knobs: Knobs;
  readonly clientSecret: string;
  readonly webhooks: WebhookOptions | undefined;
}): WebhookQueue {
  const { clock, random, knobs, webhooks } = spec;
  const nowMs = () => clock.now().getTime();
  const send = webhooks?.fetch ?? ((request: Request) => fetch(request));
  const deliveries: Delivery[] = [];
  const lost: WebhookEvent[] = [];
  let fresh: { readonly event: WebhookEvent; readonly dueMs: number }[] = [];
  let waiting: Waiting[] = [];
  let lastEventId = 3_000_000_000;
  let wake: (() => void) | null = null;

  const takeDue = (): Waiting[] => {
    const now = nowMs();
    const due = waiting.filter((batch) => batch.dueMs <= now);
    waiting = waiting.filter((batch) => batch.dueMs > now);
    const events = fresh.filter((each) => each.dueMs <= now).map((each) => each.event);
    fresh = fresh.filter((each) => each.dueMs > now);
    const ordered = knobs.webhooks.reorder ? random.shuffle(events) : events;
    const size = Math.min(MAX_BATCH, Math.max(1, knobs.webhooks.maxBatch));
    for (let at = 0; at < ordered.length; at += size) {
      due.push({ events: ordered.slice(at, at + size), attemptNumber: 0, dueMs: now });
    }
    return due;
  };

  const deliver = async (batch: Waiting): Promise<Delivery> => {
    const at = clock.now().toISOString();
    const status = await post(batch);
    const ok = typeof status === 'number' && status >= 200 && status < 300;
    const delivery = { at, attemptNumber: batch.attemptNumber, events: batch.events, status, ok };
    deliveries.push(delivery);
    if (!ok) retry(batch);
    return delivery;
  };

  const retry = (batch: Waiting): void => {
    if (batch.attemptNumber >= MAX_RETRIES) {
      lost.push(...batch.events);
      return;
    }
    const minutes = RETRY_AFTER_MINUTES[batch.attemptNumber] ?? 360;
    const jitter = 0.8 + random.next() * 0.4;
    const dueMs = nowMs() + Math.round(minutes * MINUTE_MS * jitter);
    waiting.push({ events: batch.events, attemptNumber: batch.attemptNumber + 1, dueMs });
  };

  const post = async (batch: Waiting): Promise<Delivery['status']> => {
    if (webhooks === undefined) return 'failed';
    const giveUp = new AbortController();
    const answered = new AbortController();
    const request = signedRequest({
      url: webhooks.targetUrl,
      body: JSON.stringify(batch.events.map((event) => ({ ...event, attemptNumber: batch.attemptNumber }))),
      timestampMs: nowMs(),
      clientSecret: spec.clientSecret,
      signal: giveUp.signal,
    });
    const deadline = clock.sleep(ANSWER_MS, answered.signal).then(
      () => {
        giveUp.abort(new Error('no answer within 5 s'));
        return 'timeout' as const;
      },
      () => 'failed' as const,
    );
    const answer = send(request).then(
      async (response) => {
        await response.arrayBuffer().catch(() => undefined);
        return response.status;
      },
      () => 'failed' as const,
    );
    try {
      return await Promise.race([answer, deadline]);
    } finally {
      answered.abort();
    }
  };

  const flush = async (): Promise<readonly Delivery[]> => {
    const done: Delivery[] = [];
    for (let due = takeDue(); due.length > 0; due = takeDue()) {
      const queue = [...due];
      const runner = async () => {
        for (let batch = queue.shift(); batch !== undefined; batch = queue.shift())
          done.push(await deliver(batch));
      };
      const width = Math.min(webhooks?.maxConcurrentRequests ?? 10, queue.length);
      await Promise.all(Array.from({ length: width }, runner));
    }
    return done;
  };

  const nextDueMs = (): number =>
    Math.min(...waiting.map((batch) => batch.dueMs), ...fresh.map((each) => each.dueMs));

  return {
    deliveries,
    lost,
    flush,
    pending: () => fresh.length + waiting.reduce((sum, batch) => sum + batch.events.length, 0),
    nextEventId() {
      // HubSpot: an eventId is not unique.
      if (!random.chance(knobs.webhooks.sharedEventId)) lastEventId += random.between(1, 9);
      return lastEventId;
    },
    push(event) {
      if (webhooks === undefined) return;
      const { min, max } = knobs.webhooks.delayMs;
      const copies = random.chance(knobs.webhooks.duplicate) ? 2 : 1;
      for (let copy = 0; copy < copies; copy += 1) {
        fresh.push({ event, dueMs: nowMs() + random.between(min, max) });
      }
      wake?.();
    },
    clear() {
      fresh = [];
      waiting = [];
      deliveries.length = 0;
      lost.length = 0;
    },
    start() {
      let running = true;
      const loop = async () => {
        while (running) {
          const abort = new AbortController();
          wake = () => abort.abort();
          const pauseMs = nextDueMs() - nowMs();
          if (pauseMs > 0) await pause(clock, pauseMs, abort.signal);
          // Events of one moment share a request, as they do when HubSpot batches.
          await new Promise<void>((resolve) => setImmediate(resolve));
          if (running) await flush();
        }
      };
      const finished = loop();
      return async () => {
        running = false;
        wake?.();
        await finished;
      };
    },
  };
}

/** Sleeps until `ms` are over or somebody wakes it; for ever when there is nothing to wait for. */
async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (Number.isFinite(ms)) {
    await clock.sleep(ms, signal).catch(() => undefined);
    return;
  }
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
