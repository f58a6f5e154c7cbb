import { sql } from 'drizzle-orm';
import { type ConnectionKey, query, rowsParameter, type Tx, textArray } from '../platform/db/client.ts';

/** `externalId` was merged into `survivorExternalId`, says the CRM. */
export interface Merge {
  readonly externalId: string;
  readonly survivorExternalId: string;
}

/** Whoever points at a merged-away record points at the one that answers for it now, however many merges ago that was. */
export async function repointMerged(
  tx: Tx,
  { organizationId, connectionId }: ConnectionKey,
  table: 'accounts' | 'contacts',
  merges: readonly Merge[],
): Promise<void> {
  if (merges.length === 0) return;
  const records = sql.raw(table);
  await tx.execute(sql`
    update ${records} r set merged_into_external_id = m.merged_into_external_id from ${records} m
    where r.organization_id = ${organizationId}::uuid and r.connection_id = ${connectionId}::uuid
      and m.organization_id = ${organizationId}::uuid and m.connection_id = ${connectionId}::uuid
      and m.external_id = any(${textArray(merges.map((merge) => merge.externalId))})
      and m.merged_into_external_id is not null and r.merged_into_external_id = m.external_id`);
}

/**
 * Before a survivor's own reading: it takes over the dated memberships of the people merged into it, so that whoever the
 * person worked for then keeps what was earned then. To be called before the merged ones are marked as such; a merge
 * that we know already hands over nothing again.
 * @returns survivors of people whose memberships we knew: theirs are no longer "from ever" when nothing older is known.
 */
export async function inheritMemberships(
  tx: Tx,
  { organizationId, connectionId }: ConnectionKey,
  merges: readonly Merge[],
): Promise<readonly string[]> {
  if (merges.length === 0) return [];
  const organization = sql`${organizationId}::uuid`;
  const connection = sql`${connectionId}::uuid`;
  const heirs = await query<{ loser: string; survivor: string }>(
    tx,
    sql`
    select c.external_id as loser, r.survivor
    from jsonb_to_recordset(${rowsParameter(merges.map((m) => ({ id: m.externalId, survivor: m.survivorExternalId })))}) as r(id text, survivor text)
    join contacts c on c.organization_id = ${organization} and c.connection_id = ${connection} and c.external_id = r.id
    where c.merged_into_external_id is distinct from r.survivor and (c.deleted_at is null or c.merged_into_external_id is not null)
    order by c.external_id for update of c`,
  );
  if (heirs.length === 0) return [];
  await tx.execute(sql`
    insert into contact_accounts (organization_id, connection_id, contact_external_id, account_external_id, from_at, to_at)
    select distinct ${organization}, ${connection}, h.survivor, m.account_external_id, m.from_at, m.to_at
    from jsonb_to_recordset(${rowsParameter(heirs)}) as h(loser text, survivor text)
    join contact_accounts m on m.organization_id = ${organization} and m.connection_id = ${connection} and m.contact_external_id = h.loser
    where not exists (select from contact_accounts k where k.organization_id = ${organization} and k.connection_id = ${connection}
      and k.contact_external_id = h.survivor and k.account_external_id = m.account_external_id
      and (k.from_at, k.to_at) is not distinct from (m.from_at, m.to_at))`);
  return [...new Set(heirs.map((heir) => heir.survivor))];
}
