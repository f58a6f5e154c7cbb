import { and, eq, sql } from 'drizzle-orm';
import { markRecompute } from '../attribution/dirty-store.ts';
import type { By } from '../identity/actor.ts';
import { recordAudit } from '../identity/audit-store.ts';
import { query, type Tx } from '../platform/db/client.ts';
import { markPartnerWriteBack } from '../sync/set-aside-store.ts';
import { partnerLinks } from './tables.ts';

/** `[fromOn, toOn)` in days of the organization's zone; null = open. */
export interface PartnerLink {
  readonly id: string;
  readonly partnerId: string;
  readonly connectionId: string;
  readonly accountExternalId: string;
  readonly accountName: string | null;
  readonly fromOn: string | null;
  readonly toOn: string | null;
  readonly withChildren: boolean;
}

const columns = sql`l.id, l.partner_id as "partnerId", a.connection_id as "connectionId", a.external_id as "accountExternalId",
  a.name as "accountName", l.from_on::text as "fromOn", l.to_on::text as "toOn", l.with_children as "withChildren"
  from partner_links l join accounts a on a.organization_id = l.organization_id and a.id = l.account_id`;

export async function listLinks(
  tx: Tx,
  organizationId: string,
  partnerId: string,
): Promise<readonly PartnerLink[]> {
  return query<PartnerLink>(
    tx,
    sql`select ${columns} where l.organization_id = ${organizationId}::uuid and l.partner_id = ${partnerId}::uuid
      order by l.from_on nulls first, l.id`,
  );
}

async function findLink(tx: Tx, organizationId: string, id: string): Promise<PartnerLink | null> {
  const [link] = await query<PartnerLink>(
    tx,
    sql`select ${columns} where l.organization_id = ${organizationId}::uuid and l.id = ${id}::uuid for update of l`,
  );
  return link ?? null;
}

export async function findLinkIds(
  tx: Tx,
  organizationId: string,
  partnerId: string,
): Promise<readonly string[]> {
  const rows = await tx
    .select({ id: partnerLinks.id })
    .from(partnerLinks)
    .where(and(eq(partnerLinks.organizationId, organizationId), eq(partnerLinks.partnerId, partnerId)));
  return rows.map((row) => row.id);
}

export interface WantedLink {
  readonly connectionId: string;
  readonly accountExternalId: string;
  readonly fromOn: string | null;
  readonly toOn: string | null;
  readonly withChildren: boolean;
}
export type LinkResult =
  | { readonly status: 'linked'; readonly link: PartnerLink }
  | { readonly status: 'no-account' }
  /** The company is a partner's already on one of these days. */
  | { readonly status: 'overlap'; readonly partnerName: string; readonly other: PartnerLink | null };

/** Says that a company is the partner in a span of days. A company that was merged away stands for its survivor. */
export async function createLink(
  tx: Tx,
  organizationId: string,
  partnerId: string,
  wanted: WantedLink,
  { actor, now }: By,
): Promise<LinkResult> {
  const accountId = await findAccountId(tx, organizationId, wanted);
  if (accountId === null) return { status: 'no-account' };
  const id = crypto.randomUUID();
  const { fromOn, toOn, withChildren } = wanted;
  const row = { organizationId, id, partnerId, accountId, fromOn, toOn, withChildren };
  try {
    // A savepoint: when the constraint says no, the transaction can still look whose the company is.
    await tx.transaction((inner) =>
      inner.insert(partnerLinks).values({ ...row, createdAt: now.toISOString() }),
    );
  } catch (error) {
    if (!isOverlap(error)) throw error;
    return findOverlap(tx, organizationId, accountId, wanted);
  }
  const link = await findLink(tx, organizationId, id);
  if (link === null) throw new Error('a link that was just made is not there');
  await recordAudit(tx, {
    organizationId,
    actor,
    action: 'partner-link.create',
    subject: `partner-link:${id}`,
    details: { ...link },
    now,
  });
  await markRecompute(tx, organizationId, { linkIds: [id] }, { now });
  await markPartnerWriteBack(tx, organizationId, partnerId, now);
  return { status: 'linked', link };
}

/** Held until the transaction ends, as accepting suggestions does: of two links of one company the second sees the first. */
async function findAccountId(
  tx: Tx,
  organizationId: string,
  { connectionId, accountExternalId }: WantedLink,
): Promise<string | null> {
  const [account] = await query<{ id: string }>(
    tx,
    sql`select s.id from accounts a join accounts s on s.organization_id = a.organization_id and s.connection_id = a.connection_id
        and s.external_id = coalesce(a.merged_into_external_id, a.external_id)
      where a.organization_id = ${organizationId}::uuid and a.connection_id = ${connectionId}::uuid
        and a.external_id = ${accountExternalId} and s.deleted_at is null for update of s`,
  );
  return account?.id ?? null;
}

async function findOverlap(
  tx: Tx,
  organizationId: string,
  accountId: string,
  { fromOn, toOn }: WantedLink,
): Promise<LinkResult> {
  const [other] = await query<PartnerLink & { readonly partnerName: string }>(
    tx,
    sql`select p.name as "partnerName", x.* from (select ${columns} where l.organization_id = ${organizationId}::uuid
        and l.account_id = ${accountId}::uuid
        and daterange(l.from_on, l.to_on) && daterange(${fromOn}::date, ${toOn}::date)) x
      join partners p on p.organization_id = ${organizationId}::uuid and p.id = x."partnerId" order by x."fromOn" nulls first limit 1`,
  );
  if (other === undefined) return { status: 'overlap', partnerName: 'another partner', other: null };
  const { partnerName, ...link } = other;
  return { status: 'overlap', partnerName, other: link };
}

export type EndResult =
  | { readonly status: 'ended'; readonly link: PartnerLink }
  | { readonly status: 'no-link' }
  /** It would have ended before it began. */
  | { readonly status: 'before-start'; readonly fromOn: string }
  /** It ends sooner already; a longer one is a new link. */
  | { readonly status: 'ended-before'; readonly toOn: string };

/** Ends a link: `toOn` is the first day on which the company is not the partner any more. Ending twice changes nothing. */
export async function endLink(
  tx: Tx,
  organizationId: string,
  id: string,
  toOn: string,
  { actor, now }: By,
): Promise<EndResult> {
  const link = await findLink(tx, organizationId, id);
  if (link === null) return { status: 'no-link' };
  if (link.toOn === toOn) return { status: 'ended', link };
  if (link.toOn !== null && link.toOn < toOn) return { status: 'ended-before', toOn: link.toOn };
  if (link.fromOn !== null && link.fromOn >= toOn) return { status: 'before-start', fromOn: link.fromOn };
  // Before the change: the deals that the link reaches now are those whose result it may take away.
  await markRecompute(tx, organizationId, { linkIds: [id] }, { now });
  await markPartnerWriteBack(tx, organizationId, link.partnerId, now);
  await tx
    .update(partnerLinks)
    .set({ toOn })
    .where(and(eq(partnerLinks.organizationId, organizationId), eq(partnerLinks.id, id)));
  await recordAudit(tx, {
    organizationId,
    actor,
    action: 'partner-link.end',
    subject: `partner-link:${id}`,
    details: { partnerId: link.partnerId, was: link.toOn, toOn },
    now,
  });
  return { status: 'ended', link: { ...link, toOn } };
}

/** PostgreSQL's `exclusion_violation`. */
function isOverlap(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause)
    if ('code' in at && at.code === '23P01') return true;
  return false;
}
