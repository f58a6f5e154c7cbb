import { and, asc, eq, sql } from 'drizzle-orm';
import { markRecompute } from '../attribution/dirty-store.ts';
import type { PartnerType } from '../attribution/types.ts';
import type { By } from '../identity/actor.ts';
import { recordAudit } from '../identity/audit-store.ts';
import { query, type Tx, toInstant } from '../platform/db/client.ts';
import { markWork } from '../platform/jobs/work-store.ts';
import { findLinkIds } from './link-store.ts';
import { partners } from './tables.ts';

export const PARTNER_STATUSES = ['active', 'inactive'] as const;
export type PartnerStatus = (typeof PARTNER_STATUSES)[number];

export interface PartnerFields {
  readonly name: string;
  readonly type: PartnerType;
  readonly status: PartnerStatus;
  /** Parts per million of the credited money. */
  readonly defaultCommissionPpm: number;
}
export interface Partner extends PartnerFields {
  readonly id: string;
  readonly createdAt: string;
}

type Row = typeof partners.$inferSelect;
const toPartner = ({ organizationId: _, ...row }: Row): Partner => ({
  ...row,
  createdAt: toInstant(row.createdAt),
});
const byId = (organizationId: string, id: string) =>
  and(eq(partners.organizationId, organizationId), eq(partners.id, id));

/**
 * Oldest first, so that a partner who joins while somebody pages comes last.
 * @param page.after the last partner of the page before. @returns null when there is no such partner.
 */
export async function listPartners(
  tx: Tx,
  organizationId: string,
  page: { readonly after: string | null; readonly limit: number },
): Promise<{ readonly partners: readonly Partner[]; readonly next: string | null } | null> {
  const { after, limit } = page;
  if (after !== null && (await findPartner(tx, organizationId, after)) === null) return null;
  const isLater = sql`(created_at, id) > (select p.created_at, p.id from partners p
    where p.organization_id = ${organizationId}::uuid and p.id = ${after}::uuid)`;
  const rows = await tx
    .select()
    .from(partners)
    .where(and(eq(partners.organizationId, organizationId), after === null ? undefined : isLater))
    .orderBy(asc(partners.createdAt), asc(partners.id))
    .limit(limit + 1);
  const shown = rows.slice(0, limit).map(toPartner);
  return { partners: shown, next: rows.length > limit ? (shown.at(-1)?.id ?? null) : null };
}

export async function findPartner(tx: Tx, organizationId: string, id: string): Promise<Partner | null> {
  const [row] = await tx.select().from(partners).where(byId(organizationId, id));
  return row ? toPartner(row) : null;
}

export async function createPartners(
  tx: Tx,
  organizationId: string,
  wanted: readonly PartnerFields[],
  { actor, now }: By,
): Promise<readonly Partner[]> {
  if (wanted.length === 0) return [];
  const createdAt = now.toISOString();
  const created = wanted.map((fields) => ({ ...fields, id: crypto.randomUUID(), createdAt }));
  await tx.insert(partners).values(created.map((partner) => ({ organizationId, ...partner })));
  await recordAudit(
    tx,
    ...created.map(({ id, createdAt: _, ...details }) => ({
      organizationId,
      actor,
      action: 'partner.create',
      subject: `partner:${id}`,
      details,
      now,
    })),
  );
  return created;
}

/** Changes what is named. What decides credit (type, status) makes every deal of the partner's links be recomputed. */
export async function updatePartner(
  tx: Tx,
  organizationId: string,
  id: string,
  changes: { readonly [Field in keyof PartnerFields]?: PartnerFields[Field] | undefined },
  { actor, now }: By,
): Promise<Partner | null> {
  const [before] = await tx.select().from(partners).where(byId(organizationId, id)).for('update');
  if (before === undefined) return null;
  const changed = Object.fromEntries(
    Object.entries(changes).filter(
      ([field, value]) => value !== undefined && value !== before[field as keyof PartnerFields],
    ),
  ) as Partial<PartnerFields>;
  if (Object.keys(changed).length === 0) return toPartner(before);
  await tx.update(partners).set(changed).where(byId(organizationId, id));
  if (changed.type !== undefined || changed.status !== undefined)
    await markRecompute(tx, organizationId, { linkIds: await findLinkIds(tx, organizationId, id) }, { now });
  if (changed.name !== undefined) await markRewrite(tx, organizationId, id, now);
  const was = Object.fromEntries(
    Object.keys(changed).map((field) => [field, before[field as keyof PartnerFields]]),
  );
  await recordAudit(tx, {
    organizationId,
    actor,
    action: 'partner.change',
    subject: `partner:${id}`,
    details: { was, is: changed },
    now,
  });
  return toPartner({ ...before, ...changed });
}

/** Rows in a CRM carry the partner's name: where one stands, it is brought up to date. */
async function markRewrite(tx: Tx, organizationId: string, id: string, now: Date): Promise<void> {
  const rows = await query<{ scopeId: string; dealId: string }>(
    tx,
    sql`select r.connection_id as "scopeId", r.deal_id as "dealId" from credits c
      join crm_rows r on r.organization_id = ${organizationId}::uuid and r.deal_id = c.deal_id and not r.retired
      where c.organization_id = ${organizationId}::uuid and c.partner_id = ${id}::uuid group by 1, 2`,
  );
  for (const [scopeId, deals] of Map.groupBy(rows, (row) => row.scopeId)) {
    const scope = { organizationId, lane: 'write-back', scopeId } as const;
    await markWork(
      tx,
      scope,
      deals.map(({ dealId }) => dealId),
      now,
    );
  }
}
