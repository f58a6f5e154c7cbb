import postgres from 'postgres';
import type { Cluster } from './cluster.ts';

export const DATABASE = 'tributary';

/**
 * Brings the cluster's roles and database to the state that a managed PostgreSQL must have too:
 * `tributary_owner` owns the database and runs migrations; `tributary_app` serves requests, and row-level security
 * holds for it. Safe to run at every start.
 */
export async function ensureRoles(superuserUrl: string, passwords: Cluster['passwords']): Promise<void> {
  const sql = postgres(superuserUrl, { max: 1, onnotice: () => {} });
  try {
    for (const role of ['tributary_owner', 'tributary_app'] as const) {
      const [found] = await sql`select 1 from pg_roles where rolname = ${role}`;
      if (!found) await sql`create role ${sql(role)}`;
      // `create role … password` takes no parameter; the password is hexadecimal, made by us.
      await sql`alter role ${sql(role)} login nosuperuser nobypassrls nocreatedb nocreaterole
        password ${sql.unsafe(`'${passwords[role].replace(/[^0-9a-f]/g, '')}'`)}`;
    }
    const [database] = await sql`select 1 from pg_database where datname = ${DATABASE}`;
    if (!database) await sql`create database ${sql(DATABASE)} owner tributary_owner`;
  } finally {
    await sql.end();
  }
}
