import type { DesiredDeal, DesiredRow, RowOutcome, WrittenCredit } from '../connector.ts';
import type { Answered } from './narrowing.ts';
import { sendNarrowed, toRejectedRow } from './narrowing.ts';
import { BatchUpdateSchema } from './schema.ts';
import type { RowWriter } from './write-rows.ts';

const DEALS_PER_CALL = 100;

/** The fallback rung: the wanted state of a deal's own properties, one update for every hundred deals. */
export async function writeFields(
  writer: RowWriter,
  deals: readonly DesiredDeal[],
): Promise<readonly RowOutcome[]> {
  const landed = await sendNarrowed(deals, DEALS_PER_CALL, (batch) => updateBatch(writer, batch));
  return deals.flatMap((deal, at) => {
    const fate = landed[at];
    if (fate === undefined) throw new Error(`No outcome for deal ${deal.dealExternalId}.`);
    const wanted = new Set(deal.rows.map((row) => row.key));
    const outcome = (key: string, status: 'written' | 'retired'): RowOutcome => ({
      dealExternalId: deal.dealExternalId,
      key,
      result: fate.status === 'ok' ? { status, crmRowId: null } : fate,
    });
    return [
      ...deal.retire.filter((row) => !wanted.has(row.key)).map((row) => outcome(row.key, 'retired')),
      ...deal.rows.map((row) => outcome(row.key, 'written')),
    ];
  });
}

async function updateBatch(
  writer: RowWriter,
  batch: readonly DesiredDeal[],
): Promise<readonly Answered<null>[]> {
  const answer = await writer.call(
    {
      operation: 'deals.update',
      method: 'POST',
      path: `/crm/objects/${writer.writeVersion}/deals/batch/update`,
      body: {
        inputs: batch.map((deal) => ({
          id: deal.dealExternalId,
          properties: toDealProperties(deal.rows),
          objectWriteTraceId: deal.dealExternalId,
        })),
      },
      schema: BatchUpdateSchema,
      repeatable: true,
    },
    writer.signal,
  );
  const written = new Set(answer.results.map((row) => row.id));
  return batch.map((deal) => {
    if (written.has(deal.dealExternalId)) return { status: 'ok', value: null };
    const named = answer.errors.find(({ context }) =>
      [...(context?.objectWriteTraceId ?? []), ...(context?.ids ?? [])].includes(deal.dealExternalId),
    );
    const error = named ?? (batch.length === 1 ? answer.errors[0] : undefined);
    if (error === undefined) return { status: 'unclear', error: answer.errors[0] ?? null };
    // A deal that was archived or merged away took its properties with it: nothing of ours is left to clear.
    if (deal.rows.length === 0 && error.category === 'OBJECT_NOT_FOUND') return { status: 'ok', value: null };
    return toRejectedRow(error);
  });
}

/** Empty text clears a property, so a deal without credits loses all five. */
export function toDealProperties(rows: readonly DesiredRow[]): Readonly<Record<string, string>> {
  const sorted = [...rows].sort(
    (a, b) => Number(b.sharePercent) - Number(a.sharePercent) || (a.key < b.key ? -1 : 1),
  );
  const first = sorted[0];
  return {
    tributary_partners: sorted.map(toLine).join('\n'),
    tributary_primary_partner: first?.partnerName ?? '',
    tributary_model: first?.model ?? '',
    tributary_attributed_amount: sumAmounts(rows) ?? '',
    tributary_updated_at: sorted.map((row) => row.computedAt).reduce((a, b) => (a > b ? a : b), ''),
  };
}

/** For a person to read, and for us to read back: the key stands in brackets at the end. */
function toLine(row: DesiredRow): string {
  const name = row.partnerName.replaceAll(/\s+/g, ' ').trim();
  const amount = row.amount === null ? 'no amount' : `${row.currency ?? ''} ${row.amount}`.trim();
  return `${name} · ${row.sharePercent} % · ${amount} · ${row.role} · ${row.state} [${row.key}]`;
}

/** The credits in a deal's properties, as `toDealProperties` wrote them; a line that a person broke is not one. */
export function fromDealProperties(
  dealExternalId: string,
  properties: Readonly<Record<string, string | null>>,
): readonly WrittenCredit[] {
  const model = properties.tributary_model || null;
  return (properties.tributary_partners ?? '').split('\n').flatMap((line) => {
    const match =
      / · (-?[\d.]+) % · (?:no amount|(?:[A-Z]{3} )?(-?[\d.]+)) · (\w+) · (\w+) \[([^\]]+)\]\s*$/.exec(line);
    if (match === null) return [];
    const [, sharePercent = null, amount = null, role = null, state = null, key = ''] = match;
    return [{ dealExternalId, key, crmRowId: null, sharePercent, amount, role, model, state }];
  });
}

/** Exact sum of decimals; null when a row has none. */
function sumAmounts(rows: readonly DesiredRow[]): string | null {
  if (rows.length === 0) return null;
  const amounts: string[] = [];
  for (const row of rows) {
    if (row.amount === null) return null;
    amounts.push(row.amount);
  }
  const scale = Math.max(...amounts.map((amount) => amount.split('.')[1]?.length ?? 0));
  const total = amounts.reduce((sum, amount) => {
    const [whole = '0', fraction = ''] = amount.split('.');
    return sum + BigInt(whole + fraction.padEnd(scale, '0'));
  }, 0n);
  const digits = (total < 0n ? -total : total).toString().padStart(scale + 1, '0');
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return total < 0n ? `-${text}` : text;
}
