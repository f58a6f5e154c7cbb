import postgres from 'postgres';
import { randomToken } from '../../platform/crypto.ts';
import { type AdminIo, BadUsage, type BareCommand, CannotDo, type Given, textOf } from './command.ts';

const ROLES = ['tributary_owner', 'tributary_app'] as const;
const ATTRIBUTES = 'login nosuperuser nobypassrls nocreatedb nocreaterole';

/** The two roles and their rights on a managed PostgreSQL. */
export function createRolesCommand(): BareCommand {
  return {
    name: 'roles',
    usage: '--print [--database NAME] | --superuser-url postgres://…/NAME',
    what: 'Makes tributary_owner (migrations) and tributary_app (requests) on a managed PostgreSQL, or prints the SQL.',
    options: {
      print: { type: 'boolean' },
      database: { type: 'string' },
      'superuser-url': { type: 'string' },
    },
    required: [],
    runBare: async (given, io) => {
      if ((given.print === true) === (given['superuser-url'] !== undefined))
        throw new BadUsage('roles needs either --print or --superuser-url.');
      if (given.print === true) printRoles(given, io);
      else await makeRoles(given, io);
    },
  };
}

function printRoles(given: Given, io: AdminIo): void {
  const database = given.database === undefined ? 'tributary' : textOf(given, 'database');
  io.out(
    '-- Run as a role that may create roles, connected to the database itself. The passwords are fresh: keep them.',
  );
  for (const role of ROLES) io.out(`${createRole(role, randomToken())};`);
  for (const statement of grants(database)) io.out(`${statement};`);
}

async function makeRoles(given: Given, io: AdminIo): Promise<void> {
  const url = textOf(given, 'superuser-url');
  const database = URL.canParse(url) ? decodeURIComponent(new URL(url).pathname.slice(1)) : '';
  if (database === '')
    throw new BadUsage('--superuser-url must be postgres://user:password@host:port/database.');
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    const made = await sql.begin(async (tx) => {
      const passwords = new Map<string, string>();
      for (const role of ROLES) {
        const password = await makeRole(tx, role);
        if (password !== null) passwords.set(role, password);
      }
      const [here] = await tx<{ name: string }[]>`select current_database() as name`;
      for (const statement of grants(here?.name ?? '')) await tx.unsafe(statement);
      return passwords;
    });
    report(url, made, io);
  } finally {
    await sql.end();
  }
}

/** @returns the new role's password; null when the role was there, which keeps its own. */
async function makeRole(tx: postgres.TransactionSql, role: string): Promise<string | null> {
  const [found] = await tx<{ above: boolean }[]>`
    select rolsuper or rolbypassrls as above from pg_roles where rolname = ${role}`;
  // Only a true superuser may take these attributes away, and managed servers have none: say it instead.
  if (found?.above === true)
    throw new CannotDo(
      `The role ${role} is a superuser or bypasses row security; tenants would not be kept apart.`,
    );
  if (found) return null;
  const password = randomToken();
  await tx.unsafe(createRole(role, password));
  return password;
}

/** `create role … password` takes no parameter; the password is base64url, made by us. */
const createRole = (role: string, password: string) =>
  `create role ${role} ${ATTRIBUTES} password '${password}'`;

/** What migrations need (schemas, a trusted extension) and what requests need; migrations grant the tables. */
function grants(database: string): readonly string[] {
  const name = `"${database.replaceAll('"', '""')}"`;
  return [
    `grant connect, create, temporary on database ${name} to tributary_owner`,
    'grant usage, create on schema public to tributary_owner',
    `grant connect on database ${name} to tributary_app`,
    'grant usage on schema public to tributary_app',
  ];
}

function report(url: string, made: ReadonlyMap<string, string>, io: AdminIo): void {
  const keys = { tributary_app: 'DATABASE_URL', tributary_owner: 'DATABASE_OWNER_URL' } as const;
  for (const role of ROLES) {
    const target = new URL(url);
    target.username = role;
    target.password = made.get(role) ?? 'ITS-PASSWORD';
    if (!made.has(role)) io.err(`${role} was there already and keeps its password.`);
    io.out(`${keys[role]}=${target.href}`);
  }
}
