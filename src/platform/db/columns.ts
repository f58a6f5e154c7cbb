import { sql } from 'drizzle-orm';
import { pgPolicy, timestamp, uuid } from 'drizzle-orm/pg-core';

/** First column of every table and of every key: the tenant boundary. */
export const organizationId = () => uuid().notNull();

/** Our own random id; never guessable from another tenant's. */
export const ownId = () => uuid().notNull().defaultRandom();

export const instant = () => timestamp({ withTimezone: true, mode: 'string' });

/**
 * The one policy shape: a row is there only for the organization the transaction was opened for.
 * `''` is what the setting leaves behind after a transaction; `nullif` turns it into "nobody" instead of an error.
 */
export const tenantPolicy = () => {
  const mine = sql`organization_id = (select nullif(current_setting('app.organization_id', true), '')::uuid)`;
  return pgPolicy('tenant', { for: 'all', to: 'public', using: mine, withCheck: mine });
};
