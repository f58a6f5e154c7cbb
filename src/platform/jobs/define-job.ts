import type { Task, TaskList } from 'graphile-worker';
import type { z } from 'zod';

/** A job is known by its name and carries ids only; both ends share this definition. */
export interface Job {
  readonly name: string;
  /** Parses the payload and does the work; throws only when the queue itself should try again. */
  run(payload: unknown, signal: AbortSignal): Promise<void>;
}

/** @throws ZodError at run time when a payload is not what the job was defined with: a bug, shown in the log. */
export function defineJob<S extends z.ZodType>(job: {
  readonly name: string;
  readonly schema: S;
  handle(payload: z.output<S>, signal: AbortSignal): Promise<void>;
}): Job {
  return { name: job.name, run: (payload, signal) => job.handle(job.schema.parse(payload), signal) };
}

export function toTaskList(jobs: readonly Job[]): TaskList {
  return Object.fromEntries(
    jobs.map((job): [string, Task] => [
      job.name,
      (payload, helpers) => job.run(payload, helpers.abortSignal ?? new AbortController().signal),
    ]),
  );
}
