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

/**
 * Collects what concurrent requests bring and stores it with one commit for all of them: durable before ack, at twice
 * the rate of a commit each. A lone request is stored at once.
 */
export function createIntake(deps: { readonly doors: postgres.Sql; readonly clock: Clock }): Intake {
  const queue: Waiting[] = [];
  let inFlight = 0;

  const flush = async () => {
    if (queue.length === 0 || inFlight >= MAX_STATEMENTS_IN_FLIGHT) return;
    const taken = queue.splice(0, MAX_REQUESTS_PER_STATEMENT);
    inFlight++;
    try {
      const rows = JSON.stringify(taken.flatMap((t) => t.rows));
      await deps.doors`select ops.accept_notices(${rows}::text::jsonb, ${deps.clock.now().toISOString()}::timestamptz)`;
      for (const t of taken) t.resolve();
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
