import { createVirtualClock, type VirtualClock } from '../virtual-clock.ts';
import { installApp } from './install.ts';
import type { Knobs, PortalOptions, WebhookOptions } from './options.ts';
import { createHubSpotSandbox, type HubSpotSandbox } from './sandbox.ts';

/** Every field that the tests look into; which of them an answer has is what they assert. */
export interface AnswerBody {
  readonly id: string;
  readonly archived: boolean;
  readonly properties: Readonly<Record<string, string | null>>;
  readonly results: readonly ResultRow[];
  readonly errors: readonly ErrorRow[];
  readonly paging: { readonly next: { readonly after: string } };
  readonly total: number;
  readonly status: string;
  readonly category: string;
  readonly message: string;
  readonly policyName: string;
  readonly objectTypeId: string;
  readonly fullyQualifiedName: string;
  readonly [field: string]: unknown;
}
export interface ResultRow {
  readonly id: string;
  readonly properties: Readonly<Record<string, string | null>>;
  readonly propertiesWithHistory: Readonly<Record<string, unknown>>;
  readonly to: readonly { readonly toObjectId: string; readonly associationTypes: readonly unknown[] }[];
  readonly paging: { readonly next: { readonly after: string } };
  readonly [field: string]: unknown;
}
export interface ErrorRow {
  readonly code: string;
  readonly category: string;
  readonly subCategory: string;
  readonly context: unknown;
}
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Empty for an answer that is not JSON. */
  readonly body: AnswerBody;
}
export interface Bench {
  readonly sandbox: HubSpotSandbox;
  readonly clock: VirtualClock;
  readonly portalId: number;
  readonly accessToken: string;
  readonly refreshToken: string;
  call(method: string, path: string, body?: unknown, token?: string): Promise<Answer>;
}

export const START = new Date('2026-11-20T10:00:00.000Z');

/** A sandbox with one installed portal, no search lag and a virtual clock, spoken to over HTTP. */
export async function openSandbox(
  options: {
    readonly knobs?: Partial<Knobs>;
    readonly portal?: Partial<PortalOptions>;
    readonly webhooks?: WebhookOptions;
    readonly seed?: number;
  } = {},
): Promise<Bench> {
  const clock = createVirtualClock(START);
  const portalId = options.portal?.portalId ?? 891_472;
  const sandbox = createHubSpotSandbox({
    clock,
    seed: options.seed ?? 7,
    clientId: 'client-1',
    clientSecret: 'secret-1',
    redirectUrls: ['https://tributary.example/oauth/hubspot/callback'],
    portals: [{ ...options.portal, portalId }],
    knobs: { indexLagMs: { min: 0, max: 0 }, ...options.knobs },
    ...(options.webhooks === undefined ? {} : { webhooks: options.webhooks }),
  });
  const { accessToken, refreshToken } = await installApp(sandbox, portalId);
  return {
    sandbox,
    clock,
    portalId,
    accessToken,
    refreshToken,
    async call(method, path, body, token = accessToken) {
      const response = await sandbox.app.request(path, {
        method,
        headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      const isJson = response.headers.get('content-type')?.includes('json') === true;
      return {
        status: response.status,
        headers: response.headers,
        text,
        body: (isJson ? JSON.parse(text) : {}) as AnswerBody,
      };
    },
  };
}

export const objects = (type: string, rest = '') => `/crm/objects/2026-09/${type}${rest}`;
export const associations = (from: string, to: string, rest: string) =>
  `/crm/associations/2026-09/${from}/${to}/${rest}`;
