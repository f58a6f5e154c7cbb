/** One finished call. */
export interface LoggedCall {
  /** ISO instant by the sandbox's clock. */
  readonly at: string;
  readonly method: string;
  readonly path: string;
  /** `objects.list`, `objects.batchRead`, `search`, `associations.read`, `oauth.token`, `unknown` … */
  readonly operation: string;
  /** Object type of the call (`deals`), `deals>companies` for associations, empty where there is none. */
  readonly kind: string;
  readonly status: number;
  readonly portalId: number | null;
  /** Rows asked for in a batch, or given by a list or a search. */
  readonly rows: number;
}
export type CallFilter = Partial<Pick<LoggedCall, 'operation' | 'kind' | 'status' | 'portalId'>>;

export interface CallLog {
  /** Every call, in `full` mode only. */
  readonly calls: readonly LoggedCall[];
  add(call: LoggedCall): void;
  /** Works in both modes. */
  count(filter?: CallFilter): number;
  rows(filter?: CallFilter): number;
  /** Calls and rows per operation and kind, for printing. */
  summary(): readonly { operation: string; kind: string; status: number; calls: number; rows: number }[];
  reset(): void;
}

interface Tally {
  readonly call: LoggedCall;
  calls: number;
  rows: number;
}

/** @param mode asked at every call, so that a bench may switch to counting after its set-up. */
export function createCallLog(mode: () => 'full' | 'count'): CallLog {
  const calls: LoggedCall[] = [];
  const tallies = new Map<string, Tally>();
  const matching = (filter: CallFilter): Tally[] =>
    [...tallies.values()].filter((tally) =>
      Object.entries(filter).every(([name, value]) => tally.call[name as keyof CallFilter] === value),
    );
  return {
    calls,
    add(call) {
      if (mode() === 'full') calls.push(call);
      const key = `${call.operation} ${call.kind} ${call.status} ${call.portalId}`;
      const tally = tallies.get(key);
      if (tally === undefined) tallies.set(key, { call, calls: 1, rows: call.rows });
      else {
        tally.calls += 1;
        tally.rows += call.rows;
      }
    },
    count: (filter = {}) => matching(filter).reduce((sum, tally) => sum + tally.calls, 0),
    rows: (filter = {}) => matching(filter).reduce((sum, tally) => sum + tally.rows, 0),
    summary: () =>
      [...tallies.values()].map(({ call, calls: made, rows }) => ({
        operation: call.operation,
        kind: call.kind,
        status: call.status,
        calls: made,
        rows,
      })),
    reset() {
      calls.length = 0;
      tallies.clear();
    },
  };
}
