import { Worker } from 'node:worker_threads';

/** A bounded number of signed webhook requests to a port of this machine. */
export interface Load {
  readonly port: number;
  readonly path: string;
  readonly requests: number;
  readonly concurrency: number;
  readonly eventsPerRequest: number;
  /** Every event's id is used once; two loads must not overlap. */
  readonly firstEvent: number;
  readonly portalId: number;
  readonly timestampMs: number;
  /** The public address that HubSpot was told. */
  readonly signedUrl: string;
  readonly clientSecret: string;
}
export interface LoadResult {
  readonly latenciesMs: readonly number[];
  readonly perSecond: number;
}

/** Prepares and signs first, then sends. @throws when any request is not answered with 204. */
export function sendLoad(load: Load): Promise<LoadResult> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./load-worker.ts', import.meta.url), { workerData: load });
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the load ended with code ${code}`)));
  });
}
