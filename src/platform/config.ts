import type { z } from 'zod';
import { KEYS, type Key, type KeyName, type Values } from './config-keys.ts';
import type { MasterKey } from './crypto.ts';

/** The environment as the operating system gives it. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface Config {
  readonly port: number;
  readonly host: string;
  /** Public base URL of this service, without a slash at its end. */
  readonly publicUrl: string;
  readonly role: 'all' | 'web' | 'worker';
  readonly database: /** A web-only process needs no owner: it applies no migration and runs no job. */
    | { readonly kind: 'external'; readonly appUrl: string; readonly ownerUrl: string | null }
    | { readonly kind: 'embedded'; readonly dataDir: string | null; readonly xdgDataHome: string | null };
  /** The first encrypts, all decrypt. */
  readonly masterKeys: readonly MasterKey[];
  readonly hubspot: HubspotConfig;
  readonly sandboxPort: number | null;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'fatal';
  readonly metricsToken: string | null;
  readonly retention: { readonly uninstalledDays: number; readonly inboxDays: number };
  readonly pollIntervalMs: number;
  readonly reconcileIntervalMs: number;
  readonly workerConcurrency: number;
}
export interface HubspotConfig {
  readonly clientId: string;
  readonly clientSecret: string;
  /** Every secret that a webhook may be signed with: several while one is being rotated. */
  readonly webhookSecrets: readonly string[];
  readonly appId: string | null;
  readonly apiUrl: string;
  readonly appUrl: string;
  readonly writeVersion: string | null;
  readonly ratePer10s: number;
  readonly searchPerSecond: number;
  readonly associationsPer10s: number;
  /** Share of the rates that is left unused, 0 ≤ x < 1. */
  readonly rateHeadroom: number;
}

export interface ConfigProblem {
  readonly key: string;
  /** e.g. `is missing`, `must be a whole number from 1 to 65535`. Never holds a secret's value. */
  readonly problem: string;
  readonly what: string;
}

/** Everything that is wrong with the environment, at once. The process should end with `exitCode` (EX_CONFIG). */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly exitCode = 78;
  readonly problems: readonly ConfigProblem[];
  constructor(problems: readonly ConfigProblem[]) {
    const lines = problems.map(({ key, problem, what }) => `  ${key} ${problem}. ${what}`);
    super(
      `The configuration has ${problems.length} problem${problems.length === 1 ? '' : 's'}:\n${lines.join('\n')}`,
    );
    this.problems = problems;
  }
}

/** The only reader of `process.env`. */
export function readEnvironment(): Environment {
  return process.env;
}

/**
 * The whole configuration. An empty value counts as unset; nothing secret has a default.
 * @throws ConfigError with every problem.
 */
export function parseConfig(env: Environment): Config {
  const { values, problems } = readKeys(env, Object.keys(KEYS) as KeyName[]);
  const pair = (['DATABASE_URL', 'DATABASE_OWNER_URL'] as const).filter((key) => !given(env, key));
  const ownerNotNeeded = values.ROLE === 'web' && pair[0] === 'DATABASE_OWNER_URL';
  if (pair.length === 1 && pair[0] && !ownerNotNeeded)
    problems.push({ key: pair[0], problem: 'is missing while the other is set', what: KEYS[pair[0]].what });
  if (problems.length > 0) throw new ConfigError(problems);
  return toConfig(values as Values<KeyName>);
}

/**
 * A few keys only, for a command that needs no more: `parseKeys(env, ['MASTER_KEYS'])`.
 * @throws ConfigError with every problem among them.
 */
export function parseKeys<K extends KeyName>(env: Environment, keys: readonly K[]): Values<K> {
  const { values, problems } = readKeys(env, keys);
  if (problems.length > 0) throw new ConfigError(problems);
  return values as Values<K>;
}

export interface KeyDescription {
  readonly key: string;
  readonly what: string;
  readonly required: boolean;
  readonly default: string | null;
  readonly secret: boolean;
}

/** What can be configured, in order: the README's table is made from this. */
export function describeConfig(): readonly KeyDescription[] {
  return (Object.entries(KEYS) as [string, Key<z.ZodType>][]).map(
    ([key, { what, schema, fallback, secret }]) => ({
      key,
      what,
      required: fallback === undefined && !schema.safeParse(undefined).success,
      default: fallback ?? null,
      secret: secret ?? false,
    }),
  );
}

function readKeys(env: Environment, names: readonly KeyName[]) {
  const values: Partial<Record<KeyName, unknown>> = {};
  const problems: ConfigProblem[] = [];
  for (const name of names) {
    const { what, schema, fallback, secret }: Key<z.ZodType> = KEYS[name];
    const value = given(env, name) ?? fallback;
    const result = schema.safeParse(value);
    if (result.success) values[name] = result.data;
    else if (value === undefined) problems.push({ key: name, problem: 'is missing', what });
    else {
      const is = secret ? '' : ` (is ${JSON.stringify(value)})`;
      problems.push({ key: name, problem: `${result.error.issues[0]?.message ?? 'is wrong'}${is}`, what });
    }
  }
  return { values, problems };
}

/** `KEY=` in an env file means that it is not set. */
function given(env: Environment, name: string): string | undefined {
  return env[name]?.trim() || undefined;
}

function toConfig(values: Values<KeyName>): Config {
  const { DATABASE_URL: appUrl, DATABASE_OWNER_URL: ownerUrl } = values;
  return {
    port: values.PORT,
    host: values.HOST,
    publicUrl: values.PUBLIC_URL,
    role: values.ROLE,
    database: appUrl
      ? { kind: 'external', appUrl, ownerUrl: ownerUrl ?? null }
      : { kind: 'embedded', dataDir: values.DATA_DIR ?? null, xdgDataHome: values.XDG_DATA_HOME ?? null },
    masterKeys: values.MASTER_KEYS,
    hubspot: {
      clientId: values.HUBSPOT_CLIENT_ID,
      clientSecret: values.HUBSPOT_CLIENT_SECRET,
      webhookSecrets: values.HUBSPOT_WEBHOOK_SECRETS ?? [values.HUBSPOT_CLIENT_SECRET],
      appId: values.HUBSPOT_APP_ID ?? null,
      apiUrl: values.HUBSPOT_API_URL,
      appUrl: values.HUBSPOT_APP_URL,
      writeVersion: values.HUBSPOT_WRITE_VERSION ?? null,
      ratePer10s: values.HUBSPOT_RATE_PER_10S,
      searchPerSecond: values.HUBSPOT_SEARCH_PER_SECOND,
      associationsPer10s: values.HUBSPOT_ASSOCIATIONS_PER_10S,
      rateHeadroom: values.HUBSPOT_RATE_HEADROOM,
    },
    sandboxPort: values.SANDBOX_PORT ?? null,
    logLevel: values.LOG_LEVEL,
    metricsToken: values.METRICS_TOKEN ?? null,
    retention: { uninstalledDays: values.RETENTION_UNINSTALLED_DAYS, inboxDays: values.RETENTION_INBOX_DAYS },
    pollIntervalMs: values.POLL_INTERVAL_SECONDS * 1000,
    reconcileIntervalMs: values.RECONCILE_INTERVAL_SECONDS * 1000,
    workerConcurrency: values.WORKER_CONCURRENCY,
  };
}
