import type { AccountFacts, ConnectorContext, SchemaState } from '../../../connectors/connector.ts';

export interface Recorded {
  readonly waits: number[];
  readonly budget: string[];
  readonly calls: string[];
  readonly refused: string[];
}

/** A context whose clock jumps instead of sleeping, and which remembers what the connector asked of it. */
export function newContext(
  over: {
    readonly baseUrl?: string;
    readonly facts?: AccountFacts | null;
    readonly schema?: SchemaState | null;
    readonly partnerFields?: readonly string[];
    readonly startAt?: string;
    readonly token?: ConnectorContext['token'];
  } = {},
): { readonly ctx: ConnectorContext; readonly recorded: Recorded } {
  const recorded: Recorded = { waits: [], budget: [], calls: [], refused: [] };
  let nowMs = new Date(over.startAt ?? '2026-11-20T10:00:00Z').getTime();
  const ctx: ConnectorContext = {
    token: async (options) => {
      if (options?.refused !== undefined) recorded.refused.push(options.refused);
      return over.token ? await over.token(options) : options?.refused === undefined ? 'token-1' : 'token-2';
    },
    budget: async (bucket) => {
      recorded.budget.push(bucket);
    },
    clock: {
      now: () => new Date(nowMs),
      sleep: async (ms, signal) => {
        signal?.throwIfAborted();
        recorded.waits.push(ms);
        nowMs += ms;
      },
    },
    baseUrl: over.baseUrl ?? 'https://hubspot.test',
    onCall: ({ operation, outcome }) => recorded.calls.push(`${operation} ${outcome}`),
    facts: over.facts ?? null,
    partnerFields: over.partnerFields ?? [],
    schema: over.schema ?? null,
  };
  return { ctx, recorded };
}
