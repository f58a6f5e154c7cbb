import type postgres from 'postgres';
import type { ChangeNotice, Provider } from '../../connectors/connector.ts';
import type { Clock } from '../platform/clock.ts';
import { ERASE } from './fetch-lane.ts';
import { toReference } from './ingest.ts';

/** Takes verified notices; resolves when they are durable. Rejects when they are not: the sender must try again. */
export type Intake = (provider: Provider, notices: readonly ChangeNotice[]) => Promise<void>;

interface Waiting {
  readonly rows: readonly object[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const MAX_REQUESTS_PER_STATEMENT = 500;
const MAX_STATEMENTS_IN_FLIGHT = 3;
/** Between two wake-ups while requests pour in; the first of a burst wakes at once. */
const WAKE_PAUSE_MS = 20;

/**
 * Collects what concurrent requests bring and stores it with one commit for all of them: durable before ack, at twice
 * the rate of a commit each. A lone request is stored at once. The fan-out is woken after the commit: all wake-ups are
 * one row, and transactions that touch it would wait for each other's commit. One that is lost is the sweep's.
 */
export function createIntake(deps: { readonly doors: postgres.Sql; readonly clock: Clock }): Intake {
  const queue: Waiting[] = [];
  let inFlight = 0;
  let unannounced = false;
  let waking = false;

  const wake = async () => {
    if (waking) return;
    waking = true;
    while (unannounced) {
      unannounced = false;
      await deps.doors`select ops.wake('fan-out', null, null)`.catch(() => {});
      if (unannounced) await deps.clock.sleep(WAKE_PAUSE_MS);
    }
    waking = false;
  };

  const flush = async () => {
    if (queue.length === 0 || inFlight >= MAX_STATEMENTS_IN_FLIGHT) return;
    const taken = queue.splice(0, MAX_REQUESTS_PER_STATEMENT);
    inFlight++;
    try {
      const rows = JSON.stringify(taken.flatMap((t) => t.rows));
      const [accepted] = await deps.doors<{ fresh: number }[]>`
        select ops.accept_notices(${rows}::text::jsonb, ${deps.clock.now().toISOString()}::timestamptz) as fresh`;
      for (const t of taken) t.resolve();
      unannounced ||= (accepted?.fresh ?? 0) > 0;
      if (unannounced) void wake();
    } catch (error) {
      for (const t of taken) t.reject(error);
    } finally {
      inFlight--;
      void flush();
    }
  };

  return (provider, notices) => {
    const rows = notices.flatMap((notice) => toRow(provider, notice) ?? []);
    if (rows.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      queue.push({ rows, resolve, reject });
      void flush();
    });
  };
}

/** Echoes and events we skip on purpose leave nothing behind. */
function toRow(provider: Provider, notice: ChangeNotice): object | null {
  if (notice.echo || notice.refs.length === 0) return null;
  return {
    provider,
    account: notice.accountExternalId,
    key: notice.deliveryKey,
    objects: notice.refs.map((ref) => (notice.erase ? `${ERASE}${toReference(ref)}` : toReference(ref))),
    occurred: notice.occurredAt,
  };
}
