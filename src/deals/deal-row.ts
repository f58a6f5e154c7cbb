import { type DealRecord, type Snapshot, UNKNOWN } from '../../connectors/connector.ts';
import { AmountRefused, parseDecimal } from '../attribution/money.ts';
import type { DealRow } from './store.ts';

/**
 * A deal as the CRM tells it becomes the row that we keep. Money and state become exact or *blocked*; what the CRM did not
 * tell is never taken for zero.
 * @param exponents ISO 4217 → number of minor-unit digits, of the currencies that the CRM account knows
 */
export function toDealRow(
  s: Pick<Snapshot, 'ref' | 'changedAt' | 'readAt'>,
  record: DealRecord,
  exponents: Readonly<Record<string, number>>,
): DealRow {
  const state = record.state === UNKNOWN ? null : record.state;
  const closeAt = record.closeAt === UNKNOWN ? null : record.closeAt;
  const money = toMoney(record, exponents);
  const blockedReason =
    state === null
      ? `The stage "${record.stageId ?? ''}" is not in the CRM's pipelines, or is hidden from the app: open or closed is unknown.`
      : money.blocked !== null
        ? money.blocked
        : state !== 'open' && closeAt === null
          ? 'The deal is closed but its close date is empty or hidden from the app.'
          : null;
  return {
    externalId: s.ref.externalId,
    changedAt: s.changedAt,
    readAt: s.readAt,
    name: record.name,
    pipelineId: record.pipelineId,
    stageId: record.stageId,
    state,
    ...money.amount,
    closeAt,
    crmCreatedAt: record.createdAt,
    wonAt: record.wonAt,
    ownerExternalId: record.ownerExternalId,
    blockedReason,
    accounts: record.accounts.flatMap((account) =>
      ['', ...account.labels].map((label) => ({
        externalId: account.externalId,
        label,
        primary: account.primary && label === '',
      })),
    ),
    fields: Object.entries(record.partnerFields)
      .filter(([, value]) => value.trim() !== '')
      .map(([name, value]) => ({ name, value: value.trim() })),
  };
}

function toMoney(record: DealRecord, exponents: Readonly<Record<string, number>>) {
  const none = { amountMinor: null, currency: null, exponent: null };
  const blocked = (reason: string) => ({ amount: none, blocked: reason });
  if (record.amount === UNKNOWN)
    return blocked('The amount is hidden from the app: grant it read access to the field.');
  if (record.currency === UNKNOWN || record.currency === null)
    return blocked('The currency is hidden from the app or not set.');
  const exponent = exponents[record.currency];
  if (exponent === undefined)
    return blocked(`The currency ${record.currency} is not among the CRM account's currencies.`);
  const known = { currency: record.currency, exponent };
  if (record.amount === null || record.amount.trim() === '')
    return { amount: { amountMinor: null, ...known }, blocked: null };
  try {
    return { amount: { amountMinor: parseDecimal(record.amount, exponent), ...known }, blocked: null };
  } catch (error) {
    if (!(error instanceof AmountRefused)) throw error;
    return blocked(
      `The amount ${record.amount} is not a number with at most ${exponent} decimals, as ${record.currency} has.`,
    );
  }
}
