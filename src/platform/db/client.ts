import { type SQL, sql } from 'drizzle-orm';
import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';

/**
 * The app role's way to the database.
 *
 * `orm` is for tenant data and is only ever used through `withOrganization`. `doors` runs the named cross-tenant
 * functions of schema `ops` and nothing else. They are two clients because drizzle rewires the serialisers of the
 * client it is given.
 */
export interface Database {
  readonly orm: PostgresJsDatabase;
  readonly doors: postgres.Sql;
  close(): Promise<void>;
}

/** Where a CRM record lives: external ids are unique within one connection. */
export interface ConnectionKey {
  readonly organizationId: string;
  readonly connectionId: string;
}

/** A transaction that sees one organization. */
export type Tx = Parameters<Parameters<PostgresJsDatabase['transaction']>[0]>[0];

/** @param poolSize connections for tenant transactions; the doors have half as many of their own, at least one. */
export function openDatabase(url: string, poolSize = 10): Database {
  const options = {
    onnotice: () => {},
    connection: { application_name: 'tributary', TimeZone: 'UTC' },
  } as const;
  const tenants = postgres(url, { ...options, max: poolSize });
  const doors = postgres(url, { ...options, max: Math.max(1, Math.floor(poolSize / 2)) });
  return {
    orm: drizzle({ client: tenants, casing: 'snake_case' }),
    doors,
    close: async () => {
      await Promise.all([tenants.end({ timeout: 5 }), doors.end({ timeout: 5 })]);
    },
  };
}

/**
 * The single door to tenant data: everything `fn` does sees and touches `organizationId`'s rows only.
 * One transaction; keep it short and never hold it across a call to a CRM.
 */
export async function withOrganization<T>(
  db: Database,
  organizationId: string,
  fn: (tx: Tx) => Promise<T>,
): Promise<T> {
  return db.orm.transaction(async (tx) => {
    await tx.execute(sql`select set_config('app.organization_id', ${organizationId}, true)`);
    return fn(tx);
  });
}

/**
 * Rows of a hand-written statement. Column names come back as written; timestamps as PostgreSQL text (see `toInstant`),
 * bigints as text.
 */
export async function query<T>(tx: Tx, statement: SQL): Promise<readonly T[]> {
  return (await tx.execute(statement)) as unknown as readonly T[];
}

/** Rows as one parameter, for `jsonb_to_recordset(…)`: any number of rows in one statement. bigints become text. */
export function rowsParameter(rows: readonly object[]): SQL {
  const text = JSON.stringify(rows, (_key, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  );
  return sql`${text}::text::jsonb`;
}

/** A text array as one parameter. */
export function textArray(values: readonly string[]): SQL {
  return sql`(select coalesce(array_agg(value), '{}') from jsonb_array_elements_text(${JSON.stringify(values)}::text::jsonb))::text[]`;
}

/** A uuid array as one parameter. Compare ids as `id = any(…)`: `id::text = any(…)` reads the whole table. */
export function uuidArray(values: readonly string[]): SQL {
  return sql`(select coalesce(array_agg(value::uuid), '{}') from jsonb_array_elements_text(${JSON.stringify(values)}::text::jsonb))::uuid[]`;
}

/** PostgreSQL's `2026-11-20 10:00:00.123+00` (the session runs in UTC) as `2026-11-20T10:00:00.123Z`. */
export function toInstant(text: string): string {
  return new Date(text.replace(' ', 'T').replace(/\+00$/, 'Z')).toISOString();
}
export const toInstantOrNull = (text: string | null): string | null =>
  text === null ? null : toInstant(text);
