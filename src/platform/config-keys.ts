import { z } from 'zod';
import { parseMasterKeys } from './crypto.ts';

export interface Key<S extends z.ZodType> {
  /** A sentence: what it is for. */
  readonly what: string;
  readonly schema: S;
  readonly fallback?: string;
  readonly secret?: boolean;
}

const text = z.string();
const whole = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be a whole number from ${min} to ${max}`);
const oneOf = <const T extends readonly [string, ...string[]]>(words: T) =>
  z.enum(words, {
    error: (issue) => (issue.input === undefined ? undefined : `must be one of ${words.join(', ')}`),
  });
const webUrl = z
  .string()
  .refine(isSafeWebUrl, 'must be an https URL without query or password (http is allowed for localhost only)')
  .transform((value) => value.replace(/\/+$/, ''));
const databaseUrl = z
  .string()
  .refine((value) => /^postgres(ql)?:\/\/.+/.test(value) && URL.canParse(value), 'must be a postgres:// URL');
const list = z
  .string()
  .transform((value) =>
    value
      .split(',')
      .map((part) => part.trim())
      .filter(Boolean),
  )
  .refine((parts) => parts.length > 0, 'must be a list with commas');
const headroom = z
  .string()
  .refine((value) => /^0(\.\d+)?$/.test(value), 'must be a share from 0 to 0.99')
  .transform(Number);
const masterKeys = z.string().transform((value, context) => {
  const keys = parseMasterKeys(value);
  if (typeof keys !== 'string') return keys;
  context.addIssue(keys);
  return z.NEVER;
});

/** What can be configured, in the order of the README's table. */
export const KEYS = {
  PORT: { what: 'Port of the HTTP server.', schema: whole(1, 65_535), fallback: '8080' },
  HOST: {
    what: 'Address the HTTP server listens on; 0.0.0.0 in a container.',
    schema: text,
    fallback: '127.0.0.1',
  },
  PUBLIC_URL: {
    what: 'Base URL under which CRMs and browsers reach this service; webhook signatures and OAuth redirects are checked against it.',
    schema: webUrl,
  },
  ROLE: {
    what: 'What this process does: all, web (HTTP only) or worker (jobs only).',
    schema: oneOf(['all', 'web', 'worker']),
    fallback: 'all',
  },
  DATABASE_URL: {
    what: 'PostgreSQL as the app role (no superuser, no BYPASSRLS). Without it an embedded server is started.',
    schema: databaseUrl.optional(),
    secret: true,
  },
  DATABASE_OWNER_URL: {
    what: 'The same database as its owner, for migrations and the job queue. Set both or neither; a process with ROLE=web needs DATABASE_URL only.',
    schema: databaseUrl.optional(),
    secret: true,
  },
  DATA_DIR: {
    what: 'Folder of the embedded PostgreSQL. Without it $XDG_DATA_HOME/tributary or ~/.local/share/tributary.',
    schema: text.optional(),
  },
  XDG_DATA_HOME: { what: 'The desktop standard’s data folder; see DATA_DIR.', schema: text.optional() },
  MASTER_KEYS: {
    what: 'Keys that encrypt the CRM tokens at rest, as v2:base64,v1:base64; the first encrypts, all decrypt. Make one with `npm run keys -- new`.',
    schema: masterKeys,
    secret: true,
  },
  HUBSPOT_CLIENT_ID: { what: 'Client id of the HubSpot app.', schema: text },
  HUBSPOT_CLIENT_SECRET: { what: 'Client secret of the HubSpot app.', schema: text, secret: true },
  HUBSPOT_WEBHOOK_SECRETS: {
    what: 'Secrets HubSpot may sign webhooks with, separated by commas, while one is rotated. Without it the client secret.',
    schema: list.optional(),
    secret: true,
  },
  HUBSPOT_APP_ID: {
    what: 'Id of the HubSpot app: tells our own changes from others’ in webhooks.',
    schema: text.optional(),
  },
  HUBSPOT_API_URL: { what: 'Base URL of HubSpot’s API.', schema: webUrl, fallback: 'https://api.hubapi.com' },
  HUBSPOT_APP_URL: {
    what: 'Base URL of HubSpot’s web app, for the consent screen. Links to records use the address the portal itself names.',
    schema: webUrl,
    fallback: 'https://app.hubspot.com',
  },
  HUBSPOT_RATE_PER_10S: {
    what: 'Calls per ten seconds and portal that HubSpot allows the app.',
    schema: whole(1, 10_000),
    fallback: '110',
  },
  HUBSPOT_SEARCH_PER_SECOND: {
    what: 'Search calls per second and portal.',
    schema: whole(1, 100),
    fallback: '4',
  },
  HUBSPOT_ASSOCIATIONS_PER_10S: {
    what: 'Association calls per ten seconds and portal; HubSpot allows 150 on Professional and Enterprise.',
    schema: whole(1, 10_000),
    fallback: '100',
  },
  HUBSPOT_RATE_HEADROOM: {
    what: 'Share of these rates that is left unused.',
    schema: headroom,
    fallback: '0.05',
  },
  HUBSPOT_WRITE_VERSION: {
    what: 'API version (YYYY-MM) of writing calls, for portals whose own validation refuses the current one.',
    schema: z
      .string()
      .regex(/^20\d\d-(03|09)$/, 'must be a HubSpot API version like 2026-09')
      .optional(),
  },
  SANDBOX_PORT: {
    what: 'Port of the sandbox CRM in the demo; without it a free one.',
    schema: whole(1, 65_535).optional(),
  },
  LOG_LEVEL: {
    what: 'Least severe log line: debug, info, warn, error or fatal.',
    schema: oneOf(['debug', 'info', 'warn', 'error', 'fatal']),
    fallback: 'info',
  },
  METRICS_TOKEN: {
    what: 'Bearer token that /metrics asks for; without it /metrics is open.',
    schema: text.optional(),
    secret: true,
  },
  RETENTION_UNINSTALLED_DAYS: {
    what: 'Days until the data of an uninstalled connection is deleted.',
    schema: whole(0, 3650),
    fallback: '30',
  },
  RETENTION_INBOX_DAYS: {
    what: 'Days until processed webhook notices are deleted.',
    schema: whole(1, 3650),
    fallback: '30',
  },
  POLL_INTERVAL_SECONDS: {
    what: 'Seconds between two reads of what changed, in case a webhook was lost.',
    schema: whole(10, 86_400),
    fallback: '300',
  },
  RECONCILE_INTERVAL_SECONDS: {
    what: 'Seconds between two full comparisons with the CRM.',
    schema: whole(60, 2_592_000),
    fallback: '86400',
  },
  WORKER_CONCURRENCY: { what: 'Jobs that one process runs at once.', schema: whole(1, 64), fallback: '4' },
} as const satisfies Record<string, Key<z.ZodType>>;

export type KeyName = keyof typeof KEYS;
/** Parsed values by key. */
export type Values<K extends KeyName> = { readonly [Name in K]: z.output<(typeof KEYS)[Name]['schema']> };

function isSafeWebUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const url = new URL(value);
  if (url.username || url.password || url.search || url.hash) return false;
  if (url.protocol === 'https:') return true;
  return (
    url.protocol === 'http:' && /^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname)
  );
}
