import { z } from 'zod';
import type { RuleSet } from '../../src/attribution/types.ts';
import type { CardSeen } from '../oracle/portal-drift.ts';
import type { OraclePartner } from '../oracle/portal-oracle.ts';

const Connection = z.object({
  id: z.string(),
  status: z.string(),
  statusReason: z.string().nullable(),
  partnerFields: z.array(z.string()),
  writeBack: z.object({ rung: z.string() }).nullable(),
  backfilled: z.boolean(),
  positions: z.array(
    z.object({ kind: z.string(), backfill: z.enum(['waiting', 'running', 'done']), rowsRead: z.number() }),
  ),
});
export type ConnectionSeen = z.infer<typeof Connection>;
const Suggestion = z.object({
  connectionId: z.string(),
  accountExternalId: z.string(),
  name: z.string().nullable(),
});
export type SuggestionSeen = z.infer<typeof Suggestion>;

/** Tributary's REST API with one tenant's key, over HTTP as anybody's program would. */
export interface Api {
  call(method: string, path: string, body?: unknown): Promise<unknown>;
  /** Null before the install. */
  connection(): Promise<ConnectionSeen | null>;
  suggestions(): Promise<readonly SuggestionSeen[]>;
  partners(): Promise<readonly OraclePartner[]>;
  ruleSet(): Promise<RuleSet>;
  /** Null when Tributary knows no such deal. */
  deal(connectionId: string, externalId: string): Promise<CardSeen | null>;
}

export function createApi(publicUrl: string, apiKey: string): Api {
  const send = (method: string, path: string, body?: unknown) =>
    fetch(`${publicUrl}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${apiKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const call: Api['call'] = async (method, path, body) => {
    const response = await send(method, path, body);
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} was answered with ${response.status}: ${text}`);
    return text === '' ? null : JSON.parse(text);
  };
  return {
    call,
    async connection() {
      const { connections } = z
        .object({ connections: z.array(Connection) })
        .parse(await call('GET', '/v1/connections'));
      return connections[0] ?? null;
    },
    async suggestions() {
      const answer = await call('GET', '/v1/partner-suggestions?limit=500');
      return z.object({ suggestions: z.array(Suggestion) }).parse(answer).suggestions;
    },
    async partners() {
      const { partners } = (await call('GET', '/v1/partners?limit=200')) as { partners: { id: string }[] };
      return Promise.all(
        partners.map(({ id }) => call('GET', `/v1/partners/${id}`) as Promise<OraclePartner>),
      );
    },
    ruleSet: async () => (await call('GET', '/v1/rule-set')) as RuleSet,
    async deal(connectionId, externalId) {
      const query = new URLSearchParams({ connectionId, externalId });
      const response = await send('GET', `/v1/deals?${query}`);
      if (response.status === 404) {
        await response.body?.cancel();
        return null;
      }
      if (!response.ok) throw new Error(`GET /v1/deals?${query} was answered with ${response.status}`);
      return (await response.json()) as CardSeen;
    },
  };
}
