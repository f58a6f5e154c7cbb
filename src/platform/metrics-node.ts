import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Metrics } from './metrics.ts';

/** OpenTelemetry's advice for HTTP durations, in seconds. */
const HTTP_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** A registry of its own for every call: two apps in one process (tests, the demo) do not share figures. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const readers: (() => Promise<void>)[] = [];

  const httpSeconds = new Histogram({
    name: 'http_server_request_duration_seconds',
    help: 'Time to answer an HTTP request.',
    labelNames: ['http_request_method', 'http_route', 'http_response_status_code'],
    buckets: HTTP_BUCKETS,
    registers,
  });
  const ackSeconds = new Histogram({
    name: 'webhook_ack_seconds',
    help: 'Time from a webhook request to its answer, durable write included.',
    labelNames: ['provider'],
    buckets: HTTP_BUCKETS,
    registers,
  });
  const crmCalls = new Counter({
    name: 'crm_calls_total',
    help: 'Finished calls to a CRM.',
    labelNames: ['provider', 'op', 'outcome'],
    registers,
  });
  const crmSeconds = new Histogram({
    name: 'http_client_request_duration_seconds',
    help: 'Time of a call to a CRM.',
    labelNames: ['provider', 'op'],
    buckets: HTTP_BUCKETS,
    registers,
  });
  const refreshes = new Counter({
    name: 'token_refresh_total',
    help: 'Refreshes of a CRM access token.',
    labelNames: ['outcome'],
    registers,
  });
  const failedReads = new Counter({
    name: 'metrics_read_failures_total',
    help: 'Scrapes at which figures could not be read from the database.',
    registers,
  });
  const gauge = (name: string, help: string, labelNames: readonly string[] = []) =>
    new Gauge({ name, help, labelNames: [...labelNames], registers });
  const inboxOldest = gauge('inbox_oldest_unprocessed_seconds', 'Age of the oldest notice that waits.');
  const lag = gauge('sync_lag_seconds', 'Age of the oldest change that is not in our records yet.', [
    'provider',
  ]);
  const queueOldest = gauge('queue_oldest_ready_seconds', 'Age of the oldest job that could run.');
  const deadPoolJobs = gauge('jobs_locked_by_dead_pool', 'Jobs held by workers that are gone.');
  const setAside = gauge('work_set_aside', 'Work that waits for a person.', ['kind']);

  return {
    httpRequest: ({ method, route, status, seconds }) =>
      httpSeconds.observe(
        { http_request_method: method, http_route: route, http_response_status_code: status },
        seconds,
      ),
    webhookAcked: (provider, seconds) => ackSeconds.observe({ provider }, seconds),
    crmCall: ({ provider, operation, outcome, ms }) => {
      crmCalls.inc({ provider, op: operation, outcome });
      crmSeconds.observe({ provider, op: operation }, ms / 1000);
    },
    tokenRefreshed: (outcome) => refreshes.inc({ outcome }),
    inboxOldestUnprocessed: (seconds) => inboxOldest.set(seconds),
    syncLag: (provider, seconds) => lag.set({ provider }, seconds),
    queueOldestReady: (seconds) => queueOldest.set(seconds),
    jobsLockedByDeadPool: (count) => deadPoolJobs.set(count),
    workSetAside: (kind, count) => setAside.set({ kind }, count),
    onScrape: (read) => {
      readers.push(read);
    },
    render: async () => {
      const results = await Promise.allSettled(readers.map((read) => read()));
      failedReads.inc(results.filter(({ status }) => status === 'rejected').length);
      return { contentType: registry.contentType, body: await registry.metrics() };
    },
  };
}
