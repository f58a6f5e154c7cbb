import http from 'node:http';
import { parentPort, workerData } from 'node:worker_threads';
import { signV3 } from '../sandbox/hubspot/signature.ts';
import type { Load, LoadResult } from './load.ts';

/** Runs in a thread of its own, so that making requests does not slow down the server that is measured. */
const load = workerData as Load;
const requests = Array.from({ length: load.requests }, (_, at) => toRequest(load, at));
parentPort?.postMessage(await sendAll(load, requests));

interface Prepared {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** A delivery of a hundred events as HubSpot writes and signs it; no event comes twice. */
function toRequest(spec: Load, at: number): Prepared {
  const first = spec.firstEvent + at * spec.eventsPerRequest;
  const events = Array.from({ length: spec.eventsPerRequest }, (_, n) => ({
    eventId: first + n,
    subscriptionId: 1_160_452,
    portalId: spec.portalId,
    appId: 7_906_213,
    occurredAt: spec.timestampMs - 60_000 + at * 20 + (n % 20),
    subscriptionType: 'object.propertyChange',
    attemptNumber: 0,
    objectId: 40_000_000_000 + (first + n),
    objectTypeId: '0-3',
    propertyName: 'amount',
    propertyValue: String(first + n),
    changeSource: 'CRM_UI',
    sourceId: 'userId:222222',
    isSensitive: false,
  }));
  const body = JSON.stringify(events);
  const { timestampMs, clientSecret } = spec;
  return {
    body: Buffer.from(body),
    headers: {
      'content-type': 'application/json',
      'x-hubspot-signature-v3': signV3({
        method: 'POST',
        url: spec.signedUrl,
        body,
        timestampMs,
        clientSecret,
      }),
      'x-hubspot-request-timestamp': String(timestampMs),
    },
  };
}

async function sendAll(spec: Load, prepared: readonly Prepared[]): Promise<LoadResult> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: spec.concurrency });
  const latenciesMs: number[] = [];
  const waiting = [...prepared];
  const startedAt = performance.now();
  const sender = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const sentAt = performance.now();
      await send(spec, agent, next);
      latenciesMs.push(performance.now() - sentAt);
    }
  };
  await Promise.all(Array.from({ length: spec.concurrency }, sender));
  const seconds = (performance.now() - startedAt) / 1000;
  agent.destroy();
  return { latenciesMs, perSecond: prepared.length / seconds };
}

function send(spec: Load, agent: http.Agent, { body, headers }: Prepared): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        host: '127.0.0.1',
        port: spec.port,
        path: spec.path,
        method: 'POST',
        agent,
        timeout: 10_000,
        headers: { ...headers, 'content-length': body.length },
      },
      (response) => {
        response.resume();
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode === 204) resolve();
          else reject(new Error(`${spec.path} answered ${response.statusCode}`));
        });
      },
    );
    request.on('timeout', () => request.destroy(new Error(`${spec.path} did not answer within 10 s`)));
    request.on('error', reject);
    request.end(body);
  });
}
