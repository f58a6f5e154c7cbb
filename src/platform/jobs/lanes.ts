/**
 * The lanes of work. A lane's rows live in the table `work`; its job is a wake-up that says "look there".
 * The names are the graphile-worker task names, too.
 */
export const LANES = [
  /** object `kind:externalId`, scope connection: read the record's present truth. `erase/…` = privacy deletion. */
  'fetch',
  /** object deal id, scope organization: run the pure core again. */
  'recompute',
  /** object deal id, scope connection: bring the CRM to the desired state. */
  'write-back',
  /** object '' , scope connection: read everything, page by page. */
  'backfill',
  /** object '' , scope connection: read what changed since the watermark. */
  'poll',
  /** object '' , scope connection: compare both ends. */
  'reconcile',
  /** object '' , scope connection: preflight, schema and subscriptions; the daily health check. */
  'check-up',
  /** object '' , scope connection: uninstall, with or without our traces in the CRM. */
  'disconnect',
  /** object '' , scope organization: open deals whose window moved, and what has outlived its retention. */
  'daily',
] as const;
/** What somebody waits for in front of a screen; the other lanes read for minutes. */
export const LIVE_TASKS: readonly string[] = ['fan-out', 'fetch', 'recompute', 'write-back'];

export type Lane = (typeof LANES)[number];

export interface WorkScope {
  readonly organizationId: string;
  readonly lane: Lane;
  readonly scopeId: string;
}
