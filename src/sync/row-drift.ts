import type { DesiredRow, WrittenCredit } from '../../connectors/connector.ts';
import type { WriteBackDeal } from './write-back-store.ts';

/** A row of ours that is not in the CRM as we believe. */
export interface WrongRow {
  readonly dealId: string;
  readonly dealExternalId: string;
  readonly key: string;
  readonly crmRowId: string | null;
  /** Something stands in the CRM under this key; `false`: it must be written as if it were new. */
  readonly stands: boolean;
}

/**
 * Rows that a person changed or deleted in the CRM, and rows of ours that nobody here wants any more. What is still to be
 * written anyway is no difference.
 */
export function findWrongRows(deal: WriteBackDeal, written: readonly WrittenCredit[]): readonly WrongRow[] {
  const { dealId, dealExternalId } = deal;
  const standing = new Map(written.map((row) => [row.key, row]));
  const known = new Map(deal.known.map((row) => [row.key, row]));
  const desired = new Set(deal.desired.map((row) => row.key));
  const changed = deal.desired
    .filter((row) => known.get(row.key)?.writtenHash === row.hash && !saysTheSame(standing.get(row.key), row))
    .map(({ key }) => ({
      dealId,
      dealExternalId,
      key,
      crmRowId: standing.get(key)?.crmRowId ?? null,
      stands: false,
    }));
  const unwanted = written
    .filter((row) => !desired.has(row.key) && (known.get(row.key)?.writtenHash ?? null) === null)
    .map(({ key, crmRowId }) => ({ dealId, dealExternalId, key, crmRowId, stands: true }));
  return [...changed, ...unwanted];
}

/** Something is still to be written or retired that the CRM did not refuse as it is. */
export function isBehind({ desired, known }: WriteBackDeal): boolean {
  const rows = new Map(known.map((row) => [row.key, row]));
  const wanted = new Set(desired.map((row) => row.key));
  return (
    desired.some(
      ({ key, hash }) => ![rows.get(key)?.writtenHash, rows.get(key)?.rejectedHash].includes(hash),
    ) ||
    known.some((row) => !wanted.has(row.key) && row.writtenHash !== null && row.rejectedHash !== 'retire')
  );
}

/** A field that this rung of the ladder does not hold (null though we wrote something) is no difference; the share always is. */
function saysTheSame(stands: WrittenCredit | undefined, row: DesiredRow): boolean {
  if (stands === undefined || stands.sharePercent === null) return false;
  const same = (theirs: string | null, ours: string | null) => theirs === null || theirs === ours;
  return (
    plain(stands.sharePercent) === plain(row.sharePercent) &&
    (stands.amount === null || row.amount === null
      ? stands.amount === row.amount
      : plain(stands.amount) === plain(row.amount)) &&
    same(stands.model, row.model) &&
    same(stands.role, row.role) &&
    same(stands.state, row.state)
  );
}

/** CRMs give `40.00` back as `40`. */
function plain(decimal: string): string {
  const [whole = '', fraction = ''] = decimal.split('.');
  const rest = fraction.replace(/0+$/, '');
  return rest === '' ? whole : `${whole}.${rest}`;
}
