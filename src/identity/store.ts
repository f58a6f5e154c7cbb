import { eq, sql } from 'drizzle-orm';
import { createDefaultRuleSet } from '../attribution/default-rule-set.ts';
import { applyRuleSet } from '../attribution/rule-set-store.ts';
import { type Database, query, type Tx, toInstant, withOrganization } from '../platform/db/client.ts';
import { Rejected } from '../platform/errors.ts';
import type { By } from './actor.ts';
import { recordAudit } from './audit-store.ts';
import { members, organizations } from './tables.ts';

export interface Organization {
  readonly organizationId: string;
  readonly name: string;
  /** IANA zone, spelled as the zone database spells it. */
  readonly timeZone: string;
  readonly historyFromOn: string | null;
  readonly createdAt: string;
}

/**
 * Creates a tenant with the default rule set in force as version 1.
 * @throws Rejected `time_zone` when it is no IANA zone that both PostgreSQL and we know.
 */
export async function createOrganization(
  db: Database,
  organization: { readonly name: string; readonly timeZone: string; readonly historyFromOn?: string },
  by: By,
): Promise<Organization> {
  const organizationId = crypto.randomUUID();
  return withOrganization(db, organizationId, async (tx) => {
    const timeZone = await findTimeZone(tx, organization.timeZone);
    const row = {
      organizationId,
      name: organization.name,
      timeZone,
      historyFromOn: organization.historyFromOn ?? null,
      createdAt: by.now.toISOString(),
    };
    await tx.insert(organizations).values(row);
    await applyRuleSet(tx, organizationId, createDefaultRuleSet, by.now);
    await recordAudit(tx, {
      ...by,
      organizationId,
      action: 'organization.create',
      subject: `organization:${organizationId}`,
      details: { name: row.name, timeZone, historyFromOn: row.historyFromOn },
    });
    return row;
  });
}

/** Offsets (`+02:00`), abbreviations and POSIX rules are refused: they know nothing of summer time or of history. */
async function findTimeZone(tx: Tx, timeZone: string): Promise<string> {
  const [zone] = await query<{ name: string }>(
    tx,
    sql`select name from pg_timezone_names where lower(name) = lower(${timeZone}) and (name like '%/%' or name = 'UTC')`,
  );
  if (zone === undefined || !isKnownToUs(zone.name))
    throw new Rejected(
      'time_zone',
      `${timeZone} is not an IANA time zone; write it like Europe/Berlin or UTC.`,
    );
  return zone.name;
}

function isKnownToUs(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return true;
  } catch {
    return false;
  }
}

export async function findOrganization(tx: Tx, organizationId: string): Promise<Organization | null> {
  const [row] = await tx.select().from(organizations).where(eq(organizations.organizationId, organizationId));
  return row ? { ...row, createdAt: toInstant(row.createdAt) } : null;
}

/** Every organization, oldest first. For the operator's command line: one transaction each. */
export async function listOrganizations(db: Database): Promise<readonly Organization[]> {
  const ids = await db.doors<{ id: string }[]>`select id from ops.organization_ids() as id`;
  const found: Organization[] = [];
  for (const { id } of ids) {
    const organization = await withOrganization(db, id, (tx) => findOrganization(tx, id));
    if (organization) found.push(organization);
  }
  return found.sort((a, b) => a.createdAt.localeCompare(b.createdAt));
}

export const MEMBER_ROLES = ['owner', 'admin', 'analyst', 'viewer'] as const;
export type MemberRole = (typeof MEMBER_ROLES)[number];

/**
 * Adds a person. One address is one member, however it is written.
 * @throws Rejected `member_exists`
 */
export async function addMember(
  tx: Tx,
  member: { readonly organizationId: string; readonly email: string; readonly role: MemberRole },
  by: By,
): Promise<{ readonly id: string }> {
  const { organizationId, role } = member;
  const email = member.email.trim().toLowerCase();
  const [row] = await tx
    .insert(members)
    .values({ organizationId, email, role, createdAt: by.now.toISOString() })
    .onConflictDoNothing({ target: [members.organizationId, members.email] })
    .returning({ id: members.id });
  if (row === undefined)
    throw new Rejected('member_exists', `${email} is a member of this organization already.`);
  await recordAudit(tx, {
    ...by,
    organizationId,
    action: 'member.add',
    subject: `member:${row.id}`,
    details: { role },
  });
  return row;
}
