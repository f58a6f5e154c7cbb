import type { DesiredDeal, DesiredRow, RowOutcome, SchemaState } from '../connector.ts';
import type { CallHubSpot } from './client.ts';
import { associateRows } from './link-rows.ts';
import type { Answered, Landed } from './narrowing.ts';
import { sendNarrowed, toRejectedRow } from './narrowing.ts';
import { KEY_PROPERTY } from './our-fields.ts';
import type { UpsertResult } from './schema.ts';
import { BatchReadSchema, IgnoredSchema, UpsertSchema } from './schema.ts';

const ROWS_PER_CALL = 100;
/**
 * A row that was created and not associated before a crash is no longer new at the next try. Associating is
 * idempotent, so rows of the last day are associated again whenever they are written.
 */
const YOUNG_MS = 24 * 3_600_000;

export interface RowWriter {
  readonly call: CallHubSpot;
  readonly schema: SchemaState;
  readonly writeVersion: string;
  readonly now: Date;
  readonly signal: AbortSignal;
}

/**
 * Rows of our custom object: first those that must go, so that a deal's shares never sum to more than 100 %,
 * then upserts by key across deals, then associations of new rows to their deal and company.
 */
export async function writeRows(
  writer: RowWriter,
  deals: readonly DesiredDeal[],
): Promise<readonly RowOutcome[]> {
  const wanted = new Set(deals.flatMap((deal) => deal.rows.map((row) => row.key)));
  const going = deals.flatMap(({ dealExternalId, retire }) =>
    retire.filter((row) => !wanted.has(row.key)).map((row) => ({ dealExternalId, ...row })),
  );
  const retired = await retireRows(writer, going);
  const stuck = new Set(
    retired.filter((row) => row.result.status !== 'retired').map((row) => row.dealExternalId),
  );
  const rows = deals.flatMap((deal) =>
    deal.rows.map((row) => ({ dealExternalId: deal.dealExternalId, row })),
  );
  const held = rows.filter((row) => stuck.has(row.dealExternalId)).map(toHeld);
  const written = await upsertRows(
    writer,
    rows.filter((row) => !stuck.has(row.dealExternalId)),
  );
  return [...retired, ...held, ...written];
}

interface Going {
  readonly dealExternalId: string;
  readonly key: string;
  readonly crmRowId: string | null;
}

async function retireRows(writer: RowWriter, going: readonly Going[]): Promise<readonly RowOutcome[]> {
  const unknown = going.filter((row) => row.crmRowId === null).map((row) => row.key);
  const found = await findRowIds(writer, unknown);
  const ids = going.map((row) => row.crmRowId ?? found.get(row.key) ?? null);
  const standing = [...new Set(ids.flatMap((id) => id ?? []))];
  const landed = await sendNarrowed(
    standing,
    ROWS_PER_CALL,
    async (batch): Promise<readonly Landed<null>[]> => {
      await writer.call(
        {
          operation: 'attribution.archive',
          method: 'POST',
          path: `${pathOf(writer)}/batch/archive`,
          body: { inputs: batch.map((id) => ({ id })) },
          schema: IgnoredSchema,
          repeatable: true,
        },
        writer.signal,
      );
      return batch.map(() => ({ status: 'ok', value: null }));
    },
  );
  const byId = new Map(standing.map((id, at) => [id, landed[at]]));
  return going.map(({ dealExternalId, key }, at) => {
    const id = ids[at] ?? null;
    const fate = id === null ? undefined : byId.get(id);
    const result = fate && fate.status !== 'ok' ? fate : ({ status: 'retired', crmRowId: id } as const);
    return { dealExternalId, key, result };
  });
}

/** key → row id, of the rows that stand. */
async function findRowIds(writer: RowWriter, keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (let at = 0; at < keys.length; at += ROWS_PER_CALL) {
    const answer = await writer.call(
      {
        operation: 'attribution.batch_read',
        method: 'POST',
        path: `${pathOf(writer)}/batch/read`,
        body: {
          idProperty: KEY_PROPERTY,
          inputs: keys.slice(at, at + ROWS_PER_CALL).map((id) => ({ id })),
          properties: [KEY_PROPERTY],
          propertiesWithHistory: [],
        },
        schema: BatchReadSchema,
        repeatable: true,
      },
      writer.signal,
    );
    for (const row of answer.results) found.set(row.properties[KEY_PROPERTY] ?? '', row.id);
  }
  return found;
}

export interface Placed {
  readonly dealExternalId: string;
  readonly row: DesiredRow;
}

async function upsertRows(writer: RowWriter, rows: readonly Placed[]): Promise<readonly RowOutcome[]> {
  const unique = [...new Map(rows.map((placed) => [placed.row.key, placed])).values()];
  const landed = await sendNarrowed(unique, ROWS_PER_CALL, (batch) => upsertBatch(writer, batch));
  const fresh = unique.flatMap((placed, at) => {
    const fate = landed[at];
    if (fate?.status !== 'ok') return [];
    return [{ placed, rowId: fate.value.id, isYoung: isYoung(fate.value, writer.now) }];
  });
  const failed = await associateRows(writer, fresh);
  return unique.map(({ dealExternalId, row }, at) => {
    const fate = failed.get(row.key) ?? landed[at];
    if (fate === undefined) throw new Error(`No outcome for row ${row.key}.`);
    const result = fate.status === 'ok' ? ({ status: 'written', crmRowId: fate.value.id } as const) : fate;
    return { dealExternalId, key: row.key, result };
  });
}

async function upsertBatch(
  writer: RowWriter,
  batch: readonly Placed[],
): Promise<readonly Answered<UpsertResult>[]> {
  const answer = await writer.call(
    {
      operation: 'attribution.upsert',
      method: 'POST',
      path: `${pathOf(writer)}/batch/upsert`,
      body: {
        inputs: batch.map(({ row }) => ({
          idProperty: KEY_PROPERTY,
          id: row.key,
          properties: toProperties(row),
          objectWriteTraceId: row.key,
        })),
      },
      schema: UpsertSchema,
      repeatable: true,
    },
    writer.signal,
  );
  const written = new Map<string, UpsertResult>();
  for (const result of answer.results) {
    const key = result.properties[KEY_PROPERTY] ?? result.objectWriteTraceId;
    if (key) written.set(key, result);
  }
  const refused = new Map(
    answer.errors.flatMap((error) =>
      (error.context?.objectWriteTraceId ?? []).map((key) => [key, error] as const),
    ),
  );
  return batch.map(({ row }) => {
    const result = written.get(row.key);
    if (result !== undefined) return { status: 'ok', value: result };
    const error = refused.get(row.key);
    if (error !== undefined) return toRejectedRow(error);
    // HubSpot documents every field of an error as optional: one that names no row may be any row's.
    return { status: 'unclear', error: answer.errors[0] ?? null };
  });
}

/** A credit as HubSpot holds it. Empty text clears a property. */
export function toProperties(row: DesiredRow): Readonly<Record<string, string>> {
  return {
    [KEY_PROPERTY]: row.key,
    partner: row.partnerName,
    share: row.sharePercent,
    amount: row.amount ?? '',
    currency: row.currency ?? '',
    role: row.role,
    model: row.model,
    state: row.state,
    computed_at: row.computedAt,
    reason: row.reason,
    run_id: row.runId,
  };
}

function isYoung(result: UpsertResult, now: Date): boolean {
  return result.new === true || now.getTime() - new Date(result.createdAt).getTime() < YOUNG_MS;
}

function toHeld({ dealExternalId, row }: Placed): RowOutcome {
  const message = 'Rows of this deal that must go first could not be removed yet.';
  return { dealExternalId, key: row.key, result: { status: 'later', afterMs: 60_000, message } };
}

function pathOf(writer: RowWriter): string {
  return `/crm/objects/${writer.writeVersion}/${writer.schema.handle.objectTypeId}`;
}
