import type { ParseArgsOptionsConfig } from 'node:util';
import type { By } from '../../identity/actor.ts';
import type { Environment } from '../../platform/config.ts';
import type { Database } from '../../platform/db/client.ts';

export interface AdminIo {
  readonly env: Environment;
  readonly now: () => Date;
  /** The answer, for scripts: one value a line. */
  out(text: string): void;
  /** What a person should know besides. */
  err(text: string): void;
}

/** Given options by name; a flag is `true`. What was not given is not there. */
export type Given = Readonly<Record<string, string | boolean | undefined>>;

interface CommandShape {
  readonly name: string;
  /** The options, as the usage shows them. */
  readonly usage: string;
  readonly what: string;
  readonly options: ParseArgsOptionsConfig;
  readonly required: readonly string[];
}
/** A command that works on the database as the app role does. */
export interface TenantCommand extends CommandShape {
  run(given: Given, context: { readonly db: Database; readonly by: By; readonly io: AdminIo }): Promise<void>;
}
/** A command that comes before there is a database to work on. */
export interface BareCommand extends CommandShape {
  runBare(given: Given, io: AdminIo): Promise<void>;
}
export type AdminCommand = TenantCommand | BareCommand;

/** The command was called wrongly: the usage is shown, and the exit code is 2. */
export class BadUsage extends Error {
  override readonly name = 'BadUsage';
}

/** The command cannot be done; the message says why in a sentence, and the exit code is 1. */
export class CannotDo extends Error {
  override readonly name = 'CannotDo';
}

export function textOf(given: Given, name: string): string {
  const value = given[name];
  if (typeof value !== 'string' || value.trim() === '') throw new BadUsage(`--${name} needs a value.`);
  return value.trim();
}

export function oneOf<const T extends string>(given: Given, name: string, words: readonly T[]): T {
  const value = textOf(given, name);
  const word = words.find((known) => known === value);
  if (word === undefined) throw new BadUsage(`--${name} must be one of ${words.join(', ')}.`);
  return word;
}

/** A whole number from 1 on; null when it was not given. */
export function countOf(given: Given, name: string): number | null {
  if (given[name] === undefined) return null;
  const value = textOf(given, name);
  if (!/^[1-9]\d{0,4}$/.test(value)) throw new BadUsage(`--${name} must be a whole number from 1 to 99999.`);
  return Number(value);
}
