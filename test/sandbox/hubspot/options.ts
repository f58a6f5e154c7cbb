import type { Clock } from '../../../src/platform/clock.ts';

/** One subscription of the app, as written in its webhooks configuration. */
export interface Subscription {
  /** `object.propertyChange`, `deal.merge`, `contact.privacyDeletion` … */
  readonly subscriptionType: string;
  /** Singular name or type id; needed by every `object.*` subscription. */
  readonly objectType?: string;
  /** One entry per property, no wildcard. */
  readonly propertyName?: string;
  readonly active?: boolean;
}

export interface WebhookOptions {
  /** Public URL that the app configured; the signature covers exactly this text. */
  readonly targetUrl: string;
  readonly subscriptions: readonly Subscription[];
  /** At most this many requests at once (10 unless the app says otherwise). */
  readonly maxConcurrentRequests?: number;
  /** How requests leave; the global fetch unless a test hands its app's own. */
  readonly fetch?: (request: Request) => Promise<Response>;
}

export interface PortalOptions {
  readonly portalId: number;
  readonly name?: string;
  readonly timeZone?: string;
  readonly homeCurrency?: string;
  readonly additionalCurrencies?: readonly string[];
  readonly edition?: 'enterprise' | 'professional';
  /** Overrides what the consent page grants: a portal that holds scopes back. */
  readonly grantedScopes?: readonly string[];
  /** Object type name → properties that the portal itself demands, e.g. `{ deals: ['region'] }`. */
  readonly requiredProperties?: Readonly<Record<string, readonly string[]>>;
  /** Object type name → properties that field permissions hide from the app. */
  readonly hiddenProperties?: Readonly<Record<string, readonly string[]>>;
}

export interface SandboxOptions {
  readonly clock: Clock;
  readonly seed?: number;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly appId?: number;
  readonly appName?: string;
  readonly redirectUrls: readonly string[];
  readonly requiredScopes?: readonly string[];
  readonly optionalScopes?: readonly string[];
  readonly webhooks?: WebhookOptions;
  readonly portals?: readonly PortalOptions[];
  readonly knobs?: Partial<Knobs>;
}

/** What tests and benches may turn while the sandbox runs. */
export interface Knobs {
  /** Every answer takes this long. */
  latencyMs: number;
  /** Calls of the general bucket per rolling 10 s and portal. */
  rateLimit: number;
  searchPerSecond: number;
  /** Calls of the associations bucket per rolling 10 s and portal. */
  associationsRateLimit: number;
  /** How long after a write search may still show the old row; drawn per write between the two. */
  indexLagMs: { readonly min: number; readonly max: number };
  /** Associations given per id before `paging` points on. */
  associationPageSize: number;
  /** The OpenAPI document says string, samples in the wild show numbers. */
  associationIds: 'string' | 'number';
  rotateRefreshTokens: boolean;
  /** HubSpot leaves open whether a PATCH checks required properties it does not touch. */
  requireOnUpdate: boolean;
  /** `40.00` is kept as `40`. */
  normaliseNumbers: boolean;
  /** What a batch read says of ids that are not there. */
  missingInBatchRead: 'errors' | 'omitted';
  /** HubSpot's reference is silent on mails without `sales-email-read`: their text is left out, or they are refused whole. */
  mailsWithoutScope: 'without_text' | 'refused';
  /** `count` keeps only counters, for benches of 100,000 rows. */
  log: 'full' | 'count';
  webhooks: WebhookKnobs;
  chaos: Chaos;
}

export interface WebhookKnobs {
  /** Time between a change and its event's first delivery. */
  delayMs: { readonly min: number; readonly max: number };
  /** Chance that an event is sent twice. */
  duplicate: number;
  /** Chance that two different events carry one eventId. */
  sharedEventId: number;
  /** Shuffle what is due before it is cut into requests. */
  reorder: boolean;
  /** Events per request, 1..100. */
  maxBatch: number;
}

/** Chances per call, drawn from the seed. */
export interface Chaos {
  serverError: number;
  locked: number;
  migrating: number;
  reset: number;
  slowBody: number;
  slowBodyMs: number;
  /** Chance that an error body lacks one of its optional fields. */
  sparseErrors: number;
}

export function defaultKnobs(): Knobs {
  return {
    latencyMs: 0,
    rateLimit: 110,
    searchPerSecond: 5,
    associationsRateLimit: 150,
    indexLagMs: { min: 2_000, max: 10_000 },
    associationPageSize: 500,
    associationIds: 'string',
    rotateRefreshTokens: false,
    requireOnUpdate: false,
    normaliseNumbers: true,
    missingInBatchRead: 'errors',
    mailsWithoutScope: 'without_text',
    log: 'full',
    webhooks: { delayMs: { min: 0, max: 0 }, duplicate: 0, sharedEventId: 0, reorder: false, maxBatch: 100 },
    chaos: {
      serverError: 0,
      locked: 0,
      migrating: 0,
      reset: 0,
      slowBody: 0,
      slowBodyMs: 3_000,
      sparseErrors: 0,
    },
  };
}

export const REQUIRED_SCOPES: readonly string[] = [
  'oauth',
  'crm.objects.deals.read',
  'crm.objects.deals.write',
  'crm.objects.companies.read',
  'crm.objects.contacts.read',
  'crm.objects.owners.read',
  'crm.schemas.deals.read',
  'crm.schemas.deals.write',
];
export const OPTIONAL_SCOPES: readonly string[] = [
  'crm.objects.custom.read',
  'crm.objects.custom.write',
  'crm.schemas.custom.read',
  'crm.schemas.custom.write',
  'crm.schemas.companies.read',
  'crm.schemas.contacts.read',
  'sales-email-read',
  'settings.currencies.read',
];
