import { z } from 'zod';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/db/client.ts';
import { defineJob, type Job } from '../platform/jobs/define-job.ts';

const NOTICES_PER_STATEMENT = 1_000;

/** Waiting notices become fetch work of every organization linked to their account, in one statement per thousand. */
export function defineFanOutJob(deps: { readonly db: Database; readonly clock: Clock }): Job {
  return defineJob({
    name: 'fan-out',
    schema: z.object({}),
    handle: async (_payload, signal) => {
      for (;;) {
        const [row] = await deps.db.doors<{ taken: number }[]>`
          select ops.fan_out_notices(${NOTICES_PER_STATEMENT}, ${deps.clock.now().toISOString()}::timestamptz) as taken`;
        if (signal.aborted || (row?.taken ?? 0) < NOTICES_PER_STATEMENT) return;
      }
    },
  });
}
