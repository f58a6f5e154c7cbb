/**
 * What we tell Prometheus. No organization or connection in a label: those belong into logs.
 * Durations are seconds; names follow OpenTelemetry's semantic conventions where it has one.
 */
export interface Metrics {
  /** `route` is the pattern, e.g. `/webhooks/:provider`, never the path. */
  httpRequest(request: {
    readonly method: string;
    readonly route: string;
    readonly status: number;
    readonly seconds: number;
  }): void;
  /** From the request's arrival to the answer, durable write included. */
  webhookAcked(provider: string, seconds: number): void;
  crmCall(call: {
    readonly provider: string;
    readonly operation: string;
    readonly outcome: string;
    readonly ms: number;
  }): void;
  tokenRefreshed(outcome: 'ok' | 'reconnect_needed' | 'later' | 'misconfigured'): void;

  inboxOldestUnprocessed(seconds: number): void;
  syncLag(provider: string, seconds: number): void;
  queueOldestReady(seconds: number): void;
  jobsLockedByDeadPool(count: number): void;
  /** Work that waits for a person, by kind of work, e.g. `write_back`. */
  workSetAside(kind: string, count: number): void;

  /** `read` runs before every scrape and sets the gauges that are read from the database. */
  onScrape(read: () => Promise<void>): void;
  /** The text that Prometheus reads. A reader that fails is counted; the other figures still come. */
  render(): Promise<{ readonly contentType: string; readonly body: string }>;
}
