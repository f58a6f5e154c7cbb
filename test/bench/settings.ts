import { type Config, parseConfig } from '../../src/platform/config.ts';
import { newMasterKey } from '../../src/platform/crypto.ts';

export const PUBLIC_URL = 'https://tributary.example';
export const CLIENT_SECRET = 'client-secret';
export const PORTAL = 1_000_001;
export const APP_ID = 7_906_213;

/** A configuration whose schedules do not fall into a measurement. */
export function benchConfig(env: Readonly<Record<string, string>> = {}): Config {
  return parseConfig({
    PUBLIC_URL,
    MASTER_KEYS: newMasterKey('v1'),
    HUBSPOT_CLIENT_ID: 'client-id',
    HUBSPOT_CLIENT_SECRET: CLIENT_SECRET,
    HUBSPOT_APP_ID: String(APP_ID),
    POLL_INTERVAL_SECONDS: '86400',
    RECONCILE_INTERVAL_SECONDS: '2592000',
    ...env,
  });
}
