import { Rejected, RetryLater } from '../../src/platform/errors.ts';
import { plainMessage, rejectionReason } from './failures.ts';
import type { HubSpotErrorBody } from './schema.ts';

/** What became of one row of a batch. */
export type Landed<R> =
  | { readonly status: 'ok'; readonly value: R }
  | { readonly status: 'rejected'; readonly reason: string; readonly message: string }
  | { readonly status: 'later'; readonly afterMs: number; readonly message: string };

/** Refusals of one row's content; a missing scope or object concerns the whole connection. */
const ROW_REASONS: readonly string[] = ['validation', 'portal_configuration', 'conflict', 'refused'];
const CHUNKS_AT_ONCE = 3;

/**
 * Sends `items` in batches and tells of each what became of it, in order. A batch that HubSpot refuses as a
 * whole is halved until the refused rows stand alone, so that a bad row never takes good ones with it.
 */
export async function sendNarrowed<I, R>(
  items: readonly I[],
  batchSize: number,
  send: (batch: readonly I[]) => Promise<readonly Landed<R>[]>,
): Promise<readonly Landed<R>[]> {
  const chunks = Array.from({ length: Math.ceil(items.length / batchSize) }, (_, at) =>
    items.slice(at * batchSize, (at + 1) * batchSize),
  );
  const landed: Landed<R>[] = [];
  for (let at = 0; at < chunks.length; at += CHUNKS_AT_ONCE) {
    const part = chunks.slice(at, at + CHUNKS_AT_ONCE);
    const answers = await Promise.all(part.map((chunk) => sendHalving(chunk, send)));
    landed.push(...answers.flat());
    const later = answers.flat().find((row) => row.status === 'later');
    // HubSpot asked for a pause: the rest would only hear the same.
    if (later?.status === 'later') return [...landed, ...items.slice(landed.length).map(() => later)];
  }
  return landed;
}

async function sendHalving<I, R>(
  batch: readonly I[],
  send: (batch: readonly I[]) => Promise<readonly Landed<R>[]>,
): Promise<readonly Landed<R>[]> {
  try {
    return await send(batch);
  } catch (error) {
    if (error instanceof RetryLater) {
      return batch.map(() => ({ status: 'later', afterMs: error.afterMs, message: error.message }));
    }
    if (!(error instanceof Rejected) || !ROW_REASONS.includes(error.reason)) throw error;
    if (batch.length === 1) return [{ status: 'rejected', reason: error.reason, message: error.message }];
    const middle = Math.ceil(batch.length / 2);
    const first = await sendHalving(batch.slice(0, middle), send);
    const second = await sendHalving(batch.slice(middle), send);
    return [...first, ...second];
  }
}

/** An entry of `errors` in a 207 as the fate of its row. */
export function toRejectedRow(error: HubSpotErrorBody): Landed<never> {
  const said = plainMessage(error);
  return {
    status: 'rejected',
    reason: rejectionReason(error),
    message: said === null ? 'HubSpot refused this row and gave no reason.' : `HubSpot says: ${said}`,
  };
}
