import { expect, test } from 'vitest';
import { createMetrics } from '../../src/platform/metrics-node.ts';

test('figures come out under the names that dashboards ask for', async () => {
  const metrics = createMetrics();
  metrics.httpRequest({ method: 'GET', route: '/livez', status: 200, seconds: 0.002 });
  metrics.webhookAcked('hubspot', 0.02);
  metrics.crmCall({ provider: 'hubspot', operation: 'search', outcome: 'retry', ms: 120 });
  metrics.tokenRefreshed('ok');
  metrics.onScrape(async () => {
    metrics.inboxOldestUnprocessed(1.5);
    metrics.syncLag('hubspot', 2);
    metrics.queueOldestReady(0);
    metrics.jobsLockedByDeadPool(0);
    metrics.workSetAside('write_back', 4);
  });
  const { body } = await metrics.render();
  for (const line of [
    'http_server_request_duration_seconds_count{http_request_method="GET",http_route="/livez",http_response_status_code="200"} 1',
    'webhook_ack_seconds_bucket{le="0.025",provider="hubspot"} 1',
    'crm_calls_total{provider="hubspot",op="search",outcome="retry"} 1',
    'http_client_request_duration_seconds_sum{provider="hubspot",op="search"} 0.12',
    'token_refresh_total{outcome="ok"} 1',
    'inbox_oldest_unprocessed_seconds 1.5',
    'sync_lag_seconds{provider="hubspot"} 2',
    'queue_oldest_ready_seconds 0',
    'jobs_locked_by_dead_pool 0',
    'work_set_aside{kind="write_back"} 4',
  ])
    expect(body.split('\n')).toContain(line);
});

test('a scrape works while the database does not, and says so; two registries share nothing', async () => {
  const metrics = createMetrics();
  metrics.tokenRefreshed('later');
  metrics.onScrape(() => Promise.reject(new Error('no database')));
  const { body } = await metrics.render();
  expect(body).toContain('metrics_read_failures_total 1');
  expect(body).toContain('token_refresh_total{outcome="later"} 1');
  expect((await createMetrics().render()).body).not.toContain('outcome="later"');
});
