import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { createOrganization } from '../../src/identity/store.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { SecretUnreadable } from '../../src/platform/crypto.ts';
import { withOrganization } from '../../src/platform/db/client.ts';
import { Rejected, RetryLater } from '../../src/platform/errors.ts';
import { defineJob, type Job } from '../../src/platform/jobs/define-job.ts';
import { defineLaneJob, type LaneHandler } from '../../src/platform/jobs/run-lane.ts';
import { type SupervisedWorker, superviseWorker } from '../../src/platform/jobs/supervise.ts';
import { claimWork, markWork } from '../../src/platform/jobs/work-store.ts';
import { memoryLog } from '../../src/platform/log.ts';
import { HOUR_MS, type Line, openLine } from './harness.ts';

let line: Line;
beforeAll(async () => {
  line = await openLine();
});
afterAll(() => line.close());
beforeEach(async () => {
  await line.sql`delete from work`;
  await line.sql`delete from graphile_worker._private_jobs`;
});

const newOrganization = async () => {
  const by = { actor: { kind: 'operator', id: 'test' }, now: line.clock.now() } as const;
  const { organizationId } = await createOrganization(line.db, { name: 'Org', timeZone: 'UTC' }, by);
  return organizationId;
};
const scopeOf = (organizationId: string) =>
  ({ organizationId, lane: 'recompute', scopeId: organizationId }) as const;
const mark = (organizationId: string, objects: readonly string[]) =>
  withOrganization(line.db, organizationId, (tx) =>
    markWork(tx, scopeOf(organizationId), objects, line.clock.now()),
  );
const lane = (handle: LaneHandler['handle'], batch = 10): Job =>
  defineLaneJob(
    { db: line.db, clock: line.clock, log: line.log, renewEveryMs: 50 },
    { lane: 'recompute', batch, handle },
  );
const rowsOf = (organizationId: string) =>
  line.sql`select object, attempts, set_aside_at is not null as aside, reason from work where organization_id = ${organizationId} order by object`;

test('work marked again while it is being done is done again', async () => {
  const organizationId = await newOrganization();
  await mark(organizationId, ['deal']);
  let runs = 0;
  const job = lane(async () => {
    if (++runs === 1) await mark(organizationId, ['deal']);
    return new Map();
  });
  await line.drain([job]);
  expect(runs).toBe(2);
  expect(await rowsOf(organizationId)).toHaveLength(0);
});

test('the sweep finds work whose wake-up was lost', async () => {
  const organizationId = await newOrganization();
  await mark(organizationId, ['deal']);
  await line.sql`delete from graphile_worker._private_jobs`;
  let runs = 0;
  const job = lane(async () => {
    runs++;
    return new Map();
  });
  await line.drain([job]);
  expect(runs).toBe(1);
});

test('what a dead holder leased is free when its lease is over, and its late answer changes nothing', async () => {
  const organizationId = await newOrganization();
  await mark(organizationId, ['deal']);
  await withOrganization(line.db, organizationId, (tx) =>
    claimWork(tx, scopeOf(organizationId), {
      claim: crypto.randomUUID(),
      limit: 10,
      now: line.clock.now(),
    }),
  );
  let runs = 0;
  const job = lane(async () => {
    runs++;
    return new Map();
  });
  await line.drain([job]);
  expect(runs).toBe(0);
  await line.sql`update work set lease_until = now() - interval '1 second' where lease_until is not null`;
  await line.drain([job]);
  expect(runs).toBe(1);
});

test('a schedule is never set aside, whatever goes wrong, and a wrong master key sets nothing aside', async () => {
  const organizationId = await newOrganization();
  await mark(organizationId, ['']);
  const failing = (error: Error) => lane(() => Promise.reject(error));
  for (let hour = 0; hour < 10; hour++) {
    await line.drain([failing(new SecretUnreadable('the key v1 is not there'))]);
    await line.clock.advance(HOUR_MS);
  }
  expect(await rowsOf(organizationId)).toMatchObject([{ aside: false }]);
  const schedule = defineLaneJob(line, {
    lane: 'recompute',
    batch: 1,
    everyMs: 24 * HOUR_MS,
    handle: () => Promise.reject(new Rejected('validation', 'no')),
  });
  await line.drain([schedule]);
  expect(await rowsOf(organizationId)).toMatchObject([{ aside: false, reason: 'no' }]);
});

test('a claim that was taken over aborts the handler that held it', async () => {
  const organizationId = await newOrganization();
  await mark(organizationId, ['deal']);
  const job = lane(async ({ signal }) => {
    await line.sql`update work set claim = gen_random_uuid() where organization_id = ${organizationId}`;
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    return new Map();
  });
  await line.drain([job]);
  expect(await rowsOf(organizationId)).toHaveLength(1);
});

test('one object that makes a handler fail is tried alone, then set aside; its neighbours are done', async () => {
  const organizationId = await newOrganization();
  await mark(organizationId, ['a', 'bad', 'c']);
  const done: string[] = [];
  const job = lane(async ({ items }) => {
    if (items.some(({ object }) => object === 'bad')) throw new TypeError('x is not a function');
    done.push(...items.map(({ object }) => object));
    return new Map();
  });
  for (let hour = 0; hour < 8; hour++) {
    await line.drain([job]);
    await line.clock.advance(HOUR_MS);
  }
  expect(done.sort()).toEqual(['a', 'c']);
  expect(await rowsOf(organizationId)).toMatchObject([
    { object: 'bad', aside: true, reason: 'internal error: x is not a function' },
  ]);
});

test('"later" never counts as a failure, and a refusal is set aside at once with its own words', async () => {
  const organizationId = await newOrganization();
  await mark(organizationId, ['deal']);
  const job = lane(async () => {
    throw new RetryLater('HubSpot is not answering', 10_000);
  });
  for (let n = 0; n < 12; n++) {
    await line.drain([job]);
    await line.clock.advance(10_000);
  }
  expect(await rowsOf(organizationId)).toMatchObject([{ object: 'deal', attempts: 0, aside: false }]);
  const refusing = lane(async () => {
    throw new Rejected('validation', 'The region is missing.');
  });
  await line.drain([refusing]);
  expect(await rowsOf(organizationId)).toMatchObject([{ aside: true, reason: 'The region is missing.' }]);
});

test('an organization with thousands of dirty deals does not make another’s one deal wait', async () => {
  const [busy, quiet] = [await newOrganization(), await newOrganization()];
  await mark(
    busy,
    Array.from({ length: 3_000 }, (_, n) => `deal-${String(n).padStart(4, '0')}`),
  );
  await mark(quiet, ['the one']);
  const order: string[] = [];
  const job = lane(async ({ organizationId, items }) => {
    order.push(...items.map(() => organizationId));
    return new Map();
  }, 100);
  await line.drain([job], 1);
  expect(order).toHaveLength(3_001);
  // The busy one's first turn is two batches; then the quiet one has its turn.
  expect(order.indexOf(quiet)).toBeLessThanOrEqual(200);
});

const TIMES = { beatMs: 50, silence: '400 milliseconds', graceMs: 200, settleMs: 200, sweepMs: 100 } as const;
const supervise = (jobs: readonly Job[], log = memoryLog()): Promise<SupervisedWorker> =>
  superviseWorker({
    ownerUrl: line.ownerUrl,
    db: line.db,
    clock: systemClock,
    log,
    jobs,
    concurrency: 1,
    times: TIMES,
  });
const probe = (handle: () => void): Job =>
  defineJob({ name: 'probe', schema: z.object({}), handle: async () => handle() });

test('the job of a worker process that was killed runs in another one after the silence limit', async () => {
  const child = spawn(
    process.execPath,
    [new URL('./fixtures/stuck-worker.ts', import.meta.url).pathname, line.ownerUrl, line.appUrl],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await line.sql`select graphile_worker.add_job('probe', '{}'::json)`;
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  const ran = Promise.withResolvers<void>();
  const log = memoryLog();
  const worker = await supervise([probe(ran.resolve)], log);
  await ran.promise;
  await worker.stop();
  expect(log.lines.map((entry) => entry.message)).toContain('unlocked jobs of dead pools');
  const [left] =
    await line.sql`select count(*)::int as n from graphile_worker._private_jobs where locked_at is not null`;
  expect(left?.n).toBe(0);
});

test('a worker that others have declared dead says so and ends', async () => {
  await line.sql`delete from ops.worker_heartbeats`;
  const worker = await supervise([probe(() => {})]);
  await expect
    .poll(
      async () =>
        (await line.sql`update ops.worker_heartbeats set fenced_at = now() where fenced_at is null`).count,
    )
    .toBeGreaterThan(0);
  expect(await worker.died).toContain('fenced');
  await worker.stop();
});

test('a rejection that nobody caught ends the worker with a reason, instead of leaving it half alive', async () => {
  const worker = await supervise([probe(() => {})]);
  process.emit('unhandledRejection', new Error('a rejection nobody caught'), Promise.resolve());
  expect(await worker.died).toBe('unhandled rejection');
  await worker.stop();
});
