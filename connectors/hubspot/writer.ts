import type { ConnectorContext, DesiredDeal, RowOutcome, SchemaState, WrittenCredit } from '../connector.ts';
import { ASSOCIATION_READ_BATCH, readAssociationSet } from './associations.ts';
import type { CallHubSpot } from './client.ts';
import { readBatch } from './fetching.ts';
import { OBJECT_TYPE_IDS } from './kinds.ts';
import { DEAL_FIELDS, KEY_PROPERTY, OBJECT_FIELDS } from './our-fields.ts';
import type { HubSpotObject } from './schema.ts';
import { fromDealProperties, writeFields } from './write-fields.ts';
import { writeRows } from './write-rows.ts';

/**
 * Brings deals to their wanted state on the rung that the account has; rows of many deals share a call. Throws
 * what concerns the whole connection; what concerns a row is its outcome.
 * @param writeVersion API version of writing calls; an account may need another one than reads use.
 */
export async function writeCredits(
  ctx: ConnectorContext,
  call: CallHubSpot,
  schema: SchemaState,
  deals: readonly DesiredDeal[],
  writeVersion: string,
  signal: AbortSignal,
): Promise<readonly RowOutcome[]> {
  const writer = { call, schema, writeVersion, now: ctx.clock.now(), signal };
  if (schema.rung === 'custom_object') return await writeRows(writer, deals);
  if (schema.rung === 'deal_fields') return await writeFields(writer, deals);
  const message =
    schema.findings.map((finding) => finding.message).join(' ') || 'HubSpot gives us no place to write.';
  const result = { status: 'rejected', reason: 'no_place_to_write', message } as const;
  return deals.flatMap(({ dealExternalId, rows, retire }) =>
    [...rows, ...retire].map(({ key }) => ({ dealExternalId, key, result })),
  );
}

/**
 * What HubSpot holds of ours for these deals. Rows are found by their association to the deal, not by search,
 * whose index lags; after a merge they show under the deal that HubSpot moved them to.
 */
export async function readBackCredits(
  call: CallHubSpot,
  schema: SchemaState,
  dealExternalIds: readonly string[],
  signal: AbortSignal,
): Promise<readonly WrittenCredit[]> {
  if (schema.rung === 'none') return [];
  if (schema.rung === 'deal_fields') {
    const names = DEAL_FIELDS.map((field) => field.name);
    const rows = await readBatch(call, 'deals', dealExternalIds, names, false, signal);
    return rows.flatMap((row) => fromDealProperties(row.id, row.properties));
  }
  const objectTypeId = schema.handle.objectTypeId ?? '';
  const credits: WrittenCredit[] = [];
  for (let at = 0; at < dealExternalIds.length; at += ASSOCIATION_READ_BATCH) {
    const ids = dealExternalIds.slice(at, at + ASSOCIATION_READ_BATCH);
    const links = await readAssociationSet(
      call,
      'deals',
      'attribution',
      OBJECT_TYPE_IDS.deal,
      objectTypeId,
      ids,
      signal,
    );
    const placed = [...links].flatMap(([dealExternalId, ends]) =>
      ends.map(({ toObjectId }) => ({ dealExternalId, rowId: toObjectId })),
    );
    const names = OBJECT_FIELDS.map((field) => field.name);
    const rowIds = [...new Set(placed.map(({ rowId }) => rowId))];
    const rows = new Map(
      (await readBatch(call, objectTypeId, rowIds, names, false, signal)).map((row) => [row.id, row]),
    );
    for (const { dealExternalId, rowId } of placed) {
      const row = rows.get(rowId);
      if (row !== undefined) credits.push(toWrittenCredit(dealExternalId, row));
    }
  }
  return credits;
}

function toWrittenCredit(dealExternalId: string, { id, properties }: HubSpotObject): WrittenCredit {
  return {
    dealExternalId,
    key: properties[KEY_PROPERTY] ?? '',
    crmRowId: id,
    sharePercent: properties.share || null,
    amount: properties.amount || null,
    role: properties.role || null,
    model: properties.model || null,
    state: properties.state || null,
  };
}
