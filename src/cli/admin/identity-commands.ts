import { z } from 'zod';
import type { Provider } from '../../../connectors/connector.ts';
import { API_SCOPES, type ApiScope, createApiKey, revokeApiKey } from '../../identity/api-key-store.ts';
import { createInstallLink } from '../../identity/install-link-store.ts';
import {
  addMember,
  createOrganization,
  findOrganization,
  listOrganizations,
  MEMBER_ROLES,
  type Organization,
} from '../../identity/store.ts';
import { parseKeys } from '../../platform/config.ts';
import { type Database, withOrganization } from '../../platform/db/client.ts';
import { BadUsage, CannotDo, countOf, type Given, oneOf, type TenantCommand, textOf } from './command.ts';

/** Those that this build can connect. */
const PROVIDERS = ['hubspot'] as const satisfies readonly Provider[];
const DAY_MS = 86_400_000;
const text = { type: 'string' } as const;

/** Organizations, members, keys and install links. */
export function createIdentityCommands(): readonly TenantCommand[] {
  return [createOrganizationCommand, listOrganizationsCommand, addMemberCommand, createKeyCommand]
    .concat([revokeKeyCommand, installLinkCommand])
    .map((create) => create());
}

const createOrganizationCommand = (): TenantCommand => ({
  name: 'create-organization',
  usage: '--name NAME --time-zone ZONE [--history-from YYYY-MM-DD]',
  what: 'Creates an organization with the default rules; ZONE is an IANA zone like Europe/Berlin. Prints its id.',
  options: { name: text, 'time-zone': text, 'history-from': text },
  required: ['name', 'time-zone'],
  run: async (given, { db, by, io }) => {
    const organization = await createOrganization(
      db,
      {
        name: textOf(given, 'name'),
        timeZone: textOf(given, 'time-zone'),
        ...(given['history-from'] === undefined ? {} : { historyFromOn: dayOf(given, 'history-from') }),
      },
      by,
    );
    io.err(`Created ${organization.name} (${organization.timeZone}). Its id:`);
    io.out(organization.organizationId);
  },
});

const listOrganizationsCommand = (): TenantCommand => ({
  name: 'list-organizations',
  usage: '',
  what: 'Prints id, time zone and name of every organization.',
  options: {},
  required: [],
  run: async (_given, { db, io }) => {
    for (const { organizationId, timeZone, name } of await listOrganizations(db))
      io.out(`${organizationId}\t${timeZone}\t${name}`);
  },
});

const addMemberCommand = (): TenantCommand => ({
  name: 'add-member',
  usage: `--organization ID|NAME --email ADDRESS --role ${MEMBER_ROLES.join('|')}`,
  what: 'Adds a person to an organization. Prints the member’s id.',
  options: { organization: text, email: text, role: text },
  required: ['organization', 'email', 'role'],
  run: async (given, { db, by, io }) => {
    const email = textOf(given, 'email');
    if (!z.email().safeParse(email).success) throw new BadUsage(`${email} is not an e-mail address.`);
    const role = oneOf(given, 'role', MEMBER_ROLES);
    const { organizationId } = await organizationOf(db, given);
    const member = await withOrganization(db, organizationId, (tx) =>
      addMember(tx, { organizationId, email, role }, by),
    );
    io.out(member.id);
  },
});

const createKeyCommand = (): TenantCommand => ({
  name: 'create-key',
  usage: `--organization ID|NAME --name NAME --scopes ${API_SCOPES.join(',')} [--expires-days N]`,
  what: 'Creates an API key and prints it: this once, it is stored as a hash only.',
  options: { organization: text, name: text, scopes: text, 'expires-days': text },
  required: ['organization', 'name', 'scopes'],
  run: async (given, { db, by, io }) => {
    const scopes = scopesOf(given);
    const days = countOf(given, 'expires-days');
    const expiresAt = days === null ? null : new Date(by.now.getTime() + days * DAY_MS);
    const name = textOf(given, 'name');
    const { organizationId, name: organization } = await organizationOf(db, given);
    const key = await withOrganization(db, organizationId, (tx) =>
      createApiKey(tx, { organizationId, name, scopes, expiresAt }, by),
    );
    io.err(
      `Key ${key.id} of ${organization} may ${scopes.join(', ')}; it ends ${expiresAt?.toISOString() ?? 'when revoked'}.`,
    );
    io.err('Keep it now, it is not shown again:');
    io.out(key.text);
  },
});

const revokeKeyCommand = (): TenantCommand => ({
  name: 'revoke-key',
  usage: '--organization ID|NAME --key ID',
  what: 'Ends an API key at once.',
  options: { organization: text, key: text },
  required: ['organization', 'key'],
  run: async (given, { db, by, io }) => {
    const id = textOf(given, 'key');
    if (!isId(id)) throw new BadUsage('--key must be the id that create-key named.');
    const { organizationId } = await organizationOf(db, given);
    const revoked = await withOrganization(db, organizationId, (tx) =>
      revokeApiKey(tx, { organizationId, id }, by),
    );
    if (!revoked) throw new CannotDo(`There is no living key ${id} in this organization.`);
    io.err(`Revoked ${id}.`);
  },
});

const installLinkCommand = (): TenantCommand => ({
  name: 'install-link',
  usage: `--organization ID|NAME --provider ${PROVIDERS.join('|')} [--minutes N]`,
  what: 'Prints a link that connects one CRM account; it works once, for 30 minutes unless said otherwise.',
  options: { organization: text, provider: text, minutes: text },
  required: ['organization', 'provider'],
  run: async (given, { db, by, io }) => {
    const provider = oneOf(given, 'provider', PROVIDERS);
    const minutes = countOf(given, 'minutes');
    const { PUBLIC_URL } = parseKeys(io.env, ['PUBLIC_URL']);
    const { organizationId, name } = await organizationOf(db, given);
    const lifetime = minutes === null ? {} : { lifetimeMs: minutes * 60_000 };
    const link = await withOrganization(db, organizationId, (tx) =>
      createInstallLink(tx, { organizationId, provider, ...lifetime }, by),
    );
    io.err(`Connects a ${provider} account to ${name}; works once, until ${link.expiresAt}:`);
    io.out(`${PUBLIC_URL}/install/${link.token}`);
  },
});

/** By id or by exact name. */
export async function organizationOf(db: Database, given: Given): Promise<Organization> {
  const wanted = textOf(given, 'organization');
  if (isId(wanted)) {
    const organization = await withOrganization(db, wanted, (tx) => findOrganization(tx, wanted));
    if (organization === null) throw new CannotDo(`There is no organization ${wanted}.`);
    return organization;
  }
  const [organization, ...more] = (await listOrganizations(db)).filter(({ name }) => name === wanted);
  if (organization === undefined) throw new CannotDo(`There is no organization called ${wanted}.`);
  if (more.length > 0) throw new CannotDo(`Several organizations are called ${wanted}; name it by id.`);
  return organization;
}

const isId = (value: string): boolean => z.uuid().safeParse(value).success;

function dayOf(given: Given, name: string): string {
  const day = textOf(given, name);
  if (!z.iso.date().safeParse(day).success) throw new BadUsage(`--${name} must be a day like 2026-11-20.`);
  return day;
}

function scopesOf(given: Given): readonly ApiScope[] {
  const words = textOf(given, 'scopes')
    .split(',')
    .map((word) => word.trim());
  const scopes = API_SCOPES.filter((scope) => words.includes(scope));
  if (scopes.length === 0 || words.some((word) => !scopes.includes(word as ApiScope)))
    throw new BadUsage(`--scopes must be a list of ${API_SCOPES.join(', ')}.`);
  return scopes;
}
