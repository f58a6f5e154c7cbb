import { parseArgs } from 'node:util';
import { ConfigError } from '../../platform/config.ts';
import { Rejected } from '../../platform/errors.ts';
import { openCliDatabase } from '../database.ts';
import { type AdminCommand, type AdminIo, BadUsage, CannotDo, type Given } from './command.ts';
import { createIdentityCommands } from './identity-commands.ts';
import { createRolesCommand } from './roles-command.ts';
import { createSetAsideCommands } from './set-aside-commands.ts';

/** @returns the exit code: 0 done, 1 it cannot be done, 2 called wrongly, 78 the configuration is wrong. */
export async function runAdmin(argv: readonly string[], io: AdminIo): Promise<number> {
  const commands = [...createIdentityCommands(), ...createSetAsideCommands(), createRolesCommand()];
  try {
    const command = findCommand(commands, argv);
    if (command === null) {
      io.out(usage(commands));
      return 0;
    }
    await run(command, parseGiven(command, argv), io);
    return 0;
  } catch (error) {
    if (error instanceof BadUsage) {
      io.err(`${error.message}\n\n${usage(commands)}`);
      return 2;
    }
    io.err(explain(error));
    return error instanceof ConfigError ? error.exitCode : 1;
  }
}

/** Null when somebody asks for help. A command's name may be two words. */
function findCommand(commands: readonly AdminCommand[], argv: readonly string[]): AdminCommand | null {
  if (['help', '--help', '-h'].includes(argv[0] ?? '')) return null;
  const found = commands.find(({ name }) => name === argv.slice(0, name.split(' ').length).join(' '));
  if (found) return found;
  throw new BadUsage(argv[0] === undefined ? 'Name a command.' : `There is no command ${argv[0]}.`);
}

function parseGiven(command: AdminCommand, argv: readonly string[]): Given {
  const args = argv.slice(command.name.split(' ').length);
  let values: Given;
  try {
    ({ values } = parseArgs({ args, options: command.options, strict: true }) as { values: Given });
  } catch (error) {
    throw new BadUsage(`${command.name}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const missing = command.required.filter((name) => values[name] === undefined);
  if (missing.length > 0)
    throw new BadUsage(`${command.name} needs ${missing.map((name) => `--${name}`).join(' and ')}.`);
  return values;
}

async function run(command: AdminCommand, given: Given, io: AdminIo): Promise<void> {
  if ('runBare' in command) return command.runBare(given, io);
  const db = openCliDatabase(io.env);
  try {
    await command.run(given, { db, by: { actor: { kind: 'operator', id: 'cli' }, now: io.now() }, io });
  } finally {
    await db.close();
  }
}

function usage(commands: readonly AdminCommand[]): string {
  const lines = commands.map(
    ({ name, usage: options, what }) => `  ${`${name} ${options}`.trim()}\n      ${what}`,
  );
  return `usage: npm run admin -- COMMAND …\n\n${lines.join('\n')}`;
}

/** What an operator can act on is one sentence; anything else is a bug and comes with its stack. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof CannotDo || error instanceof Rejected || error instanceof ConfigError)
    return error.message;
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const { code } = at as NodeJS.ErrnoException;
    if (code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === '28P01' || code === '3D000')
      return `The database cannot be reached: ${at.message}`;
    if (code === '42P01' || code === '3F000')
      return 'The database is not set up: start Tributary once, it applies the migrations.';
  }
  return error.stack ?? error.message;
}
