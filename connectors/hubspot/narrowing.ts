import { Rejected, RetryLater } from '../../src/platform/errors.ts';
import { plainMessage, rejectionReason } from './failures.ts';
import type { HubSpotErrorBody } from './schema.ts';

/** What became of one row of a batch. */
export type Landed<R> =
  | { readonly status: 'ok'; readonly value: R }
  | { readonly status: 'rejected'; readonly reason: string; readonly message: string }
  | { readonly status: 'later'; readonly afterMs: number; readonly message: string };

/** What an answer says of one row; `unclear`: neither a result nor an error names it. */
export type Answered<R> = Landed<R> | { readonly status: 'unclear'; readonly error: HubSpotErrorBody | null };

type Refusal = Extract<Landed<never>, { status: 'rejected' }>;
type Send<I, R> = (batch: readonly I[]) => Promise<readonly Answered<R>[]>;

/** Refusals of one row's content; a missing scope or object concerns the whole connection. */
const ROW_REASONS: readonly string[] = ['validation', 'portal_configuration', 'conflict', 'refused'];
const CHUNKS_AT_ONCE = 3;
/** So many rows refused alone in the same words are the account's own rule, not the rows. */
const ROWS_MAKE_A_RULE = 2;
const AFTER_A_BREAK_MS = 1_000;

/**
 * Sends `items` in batches and tells of each what became of it, in order. A batch that HubSpot refuses as a
 * whole is halved until the refused rows stand alone, so that a bad row never takes good ones with it; a rule of the
 * account refuses all of them, and is not asked about each. What breaks off the sending after rows have landed leaves
 * the others for later, so that what landed is known; before any has landed it is thrown.
 */
export async function sendNarrowed<I, R>(
  items: readonly I[],
  batchSize: number,
  send: Send<I, R>,
): Promise<readonly Landed<R>[]> {
  const chunks = Array.from({ length: Math.ceil(items.length / batchSize) }, (_, at) =>
    items.slice(at * batchSize, (at + 1) * batchSize),
  );
  const landed: Landed<R>[] = [];
  const refusals: Refusal[] = [];
  for (let at = 0; at < chunks.length; at += CHUNKS_AT_ONCE) {
    const part = chunks.slice(at, at + CHUNKS_AT_ONCE);
    const answers = await Promise.allSettled(part.map((chunk) => sendHalving(chunk, send, refusals)));
    const broken = answers.find((answer) => answer.status === 'rejected');
    const some = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    if (broken !== undefined && ![...landed, ...some].some((row) => row.status === 'ok')) throw broken.reason;
    const message = broken?.reason instanceof Error ? broken.reason.message : 'The write was broken off.';
    const brokenOff = { status: 'later', afterMs: AFTER_A_BREAK_MS, message } as const;
    for (const [nth, answer] of answers.entries())
      landed.push(...(answer.status === 'fulfilled' ? answer.value : (part[nth] ?? []).map(() => brokenOff)));
    const later = some.find((row) => row.status === 'later') ?? (broken && brokenOff);
    // HubSpot asked for a pause: the rest would only hear the same.
    if (later?.status === 'later') return [...landed, ...items.slice(landed.length).map(() => later)];
  }
  return landed;
}

/** @param refusals of single rows so far, in all batches. */
async function sendHalving<I, R>(
  batch: readonly I[],
  send: Send<I, R>,
  refusals: Refusal[],
): Promise<readonly Landed<R>[]> {
  try {
    const answered = await send(batch);
    const landed: Landed<R>[] = [];
    for (const [at, row] of answered.entries())
      landed.push(row.status === 'unclear' ? await askAlone(batch, at, row.error, send, refusals) : row);
    return landed;
  } catch (error) {
    if (error instanceof RetryLater) {
      return batch.map(() => ({ status: 'later', afterMs: error.afterMs, message: error.message }));
    }
    if (!(error instanceof Rejected) || !ROW_REASONS.includes(error.reason)) throw error;
    if (batch.length === 1) {
      const refusal = { status: 'rejected', reason: error.reason, message: error.message } as const;
      refusals.push(refusal);
      return [refusal];
    }
    const rule = error.reason === 'portal_configuration' ? findRule(refusals) : null;
    if (rule !== null) return batch.map(() => rule);
    const middle = Math.ceil(batch.length / 2);
    const first = await sendHalving(batch.slice(0, middle), send, refusals);
    const second = await sendHalving(batch.slice(middle), send, refusals);
    return [...first, ...second];
  }
}

/** A row that the answer to its batch passes over is sent once more on its own; then its silence is a refusal. */
async function askAlone<I, R>(
  batch: readonly I[],
  at: number,
  error: HubSpotErrorBody | null,
  send: Send<I, R>,
  refusals: Refusal[],
): Promise<Landed<R>> {
  if (batch.length > 1) {
    const rule = findRule(refusals);
    if (rule !== null) return rule;
    const [alone] = await sendHalving(batch.slice(at, at + 1), send, refusals);
    if (alone !== undefined) return alone;
  }
  const refusal = toRejectedRow(error ?? {});
  refusals.push(refusal);
  return refusal;
}

function findRule(refusals: readonly Refusal[]): Refusal | null {
  const own = refusals.filter((refusal) => refusal.reason === 'portal_configuration');
  const alike = Map.groupBy(own, (refusal) => refusal.message).values();
  return [...alike].find((group) => group.length >= ROWS_MAKE_A_RULE)?.[0] ?? null;
}

/** An entry of `errors` in a 207 as the fate of its row. */
export function toRejectedRow(error: HubSpotErrorBody): Refusal {
  const said = plainMessage(error);
  return {
    status: 'rejected',
    reason: rejectionReason(error),
    message: said === null ? 'HubSpot refused this row and gave no reason.' : `HubSpot says: ${said}`,
  };
}
