import { MODELS } from '../../src/attribution/types.ts';
import { linksFrom } from '../sandbox/hubspot/association-store.ts';
import type { ObjectTable, Portal, Row } from '../sandbox/hubspot/state.ts';
import { liveRows, tableOf } from './portal-facts.ts';
import type { ExpectedDeal, ExpectedRow } from './portal-oracle.ts';

/** One thing that is not as it must be. */
export interface Difference {
  readonly dealId: string;
  readonly what: string;
  readonly expected: string;
  readonly found: string;
}

/** The part of a card that this check reads. */
export interface CardSeen {
  readonly status: string;
  readonly deal?: { readonly externalId: string; readonly state: string; readonly money: Money | null };
  readonly models?: readonly {
    readonly name: string;
    readonly credits: readonly {
      readonly partner: { readonly id: string };
      readonly sharePercent: string;
      readonly money: Money | null;
      readonly role: string;
      readonly evidence: readonly unknown[];
    }[];
    readonly unattributed: { readonly sharePercent: string; readonly money: Money | null };
  }[];
  readonly writeBack?: { readonly status: string };
  readonly asOf?: string;
}
interface Money {
  readonly amountMinor: string;
  readonly currency: string;
  readonly exponent: number;
}

/** Deal, credits of every model and evidence as the card shows them against what they must be. */
export function compareCard(expected: ExpectedDeal, card: CardSeen): Difference[] {
  const { dealId } = expected;
  const differences: Difference[] = [];
  const check = (what: string, wanted: string, found: string) => {
    if (wanted !== found) differences.push({ dealId, what, expected: wanted, found });
  };
  // A deal that is held back before its first result has no card yet.
  if (expected.blocked && card.status === 'not_computed') return [];
  check('card', 'ready', card.status);
  if (card.deal === undefined || card.models === undefined) return differences;
  const said = (minor: bigint | null) =>
    minor === null ? 'no money' : `${minor} ${expected.currency} (${expected.exponent})`;
  const seen = (money: Money | null) =>
    money === null ? 'no money' : `${money.amountMinor} ${money.currency} (${money.exponent})`;
  check('deal', dealId, card.deal.externalId);
  check('state', expected.state, card.deal.state);
  if (expected.blocked) return differences;
  check('amount', said(expected.amountMinor), seen(card.deal.money));
  for (const name of MODELS) {
    const wanted = expected.models[name];
    const model = card.models.find((each) => each.name === name);
    const lines = [...(model?.credits ?? [])].map(
      (credit) => `${credit.partner.id} ${credit.sharePercent} % ${seen(credit.money)}`,
    );
    const rest = model?.unattributed;
    check(
      name,
      [
        ...wanted.credits.map(({ partnerId, bps, money }) => `${partnerId} ${percent(bps)} % ${said(money)}`),
        `rest ${percent(wanted.unattributedBps)} % ${said(wanted.unattributedMoney)}`,
      ].join('; '),
      [...lines.sort(), `rest ${rest?.sharePercent} % ${seen(rest?.money ?? null)}`].join('; '),
    );
  }
  const equal = card.models.find(({ name }) => name === 'equal_split')?.credits ?? [];
  check(
    'touchpoints',
    [...expected.touches]
      .map(([id, count]) => `${id} ${count}`)
      .sort()
      .join('; '),
    equal
      .map(({ partner, evidence }) => `${partner.id} ${evidence.length}`)
      .sort()
      .join('; '),
  );
  return differences;
}

const percent = (bps: number): string => `${Math.floor(bps / 100)}.${String(bps % 100).padStart(2, '0')}`;

/** Our custom object in the portal; null before it was made. */
export function findWrittenTable(portal: Portal): ObjectTable | null {
  return (
    [...portal.tables.values()].find(
      ({ custom }) => custom?.name === 'partner_attribution' && !custom.archived,
    ) ?? null
  );
}

/** Rows that stand in the portal against those that must: missing, extra and different ones. */
export function compareRows(portal: Portal, expected: readonly ExpectedRow[]): Difference[] {
  const table = findWrittenTable(portal);
  const standing = standingRows(table);
  const extra = new Set(standing.keys());
  for (const { key } of expected) extra.delete(key);
  return [
    ...expected.flatMap((row) => compareRow(portal, table, standing.get(row.key), row)),
    ...[...extra].map((key) => toExtra(key, standing.get(key))),
  ];
}

/** The same for one deal and those that were merged into it. */
export function compareRowsOf(portal: Portal, expected: ExpectedDeal): Difference[] {
  const table = findWrittenTable(portal);
  const merged = tableOf(portal, '0-3').rows.get(expected.dealId)?.values.hs_merged_object_ids ?? '';
  const ids = new Set([expected.dealId, ...merged.split(';')]);
  const wanted = new Set(expected.rows.map(({ key }) => key));
  const standing = standingRows(table);
  const extra = [...standing.keys()].filter((key) => ids.has(key.split(':')[0] ?? '') && !wanted.has(key));
  return [
    ...expected.rows.flatMap((row) => compareRow(portal, table, standing.get(row.key), row)),
    ...extra.map((key) => toExtra(key, standing.get(key))),
  ];
}

const standingRows = (table: ObjectTable | null): ReadonlyMap<string, Row> =>
  new Map((table === null ? [] : liveRows(table)).map((row) => [row.values.external_key ?? row.id, row]));

function compareRow(
  portal: Portal,
  table: ObjectTable | null,
  found: Row | undefined,
  row: ExpectedRow,
): Difference[] {
  const { dealId, key } = row;
  const wanted = describeRow(row, dealId, 'one of its companies');
  if (found === undefined || table === null)
    return [{ dealId, what: 'CRM row', expected: wanted, found: 'no row' }];
  const ends = (type: string) =>
    linksFrom(portal.associations, table.typeId, type, found.id).map(({ toId }) => toId);
  const companies = ends('0-2');
  const known = companies.length === 1 && companies.every((id) => row.companyIds.includes(id));
  const seen = describeRow(
    { ...found.values, key },
    ends('0-3').join('+') || 'none',
    known ? 'one of its companies' : `companies ${companies.join('+')}`,
  );
  return seen === wanted ? [] : [{ dealId, what: 'CRM row', expected: wanted, found: seen }];
}

function toExtra(key: string, row: Row | undefined): Difference {
  const found = describeRow({ ...row?.values, key }, '?', '?');
  return { dealId: key.split(':')[0] ?? '', what: 'CRM row', expected: 'no row', found };
}

function describeRow(
  row: Readonly<Record<string, unknown>> | ExpectedRow,
  deal: string,
  company: string,
): string {
  const { key, partner, share, amount, currency, role, model, state } = row as Readonly<
    Record<string, unknown>
  >;
  const money = amount ? `${amount} ${currency}` : 'no money';
  return `${key} "${partner}" ${share} % ${money} ${role} ${model} ${state} on deal ${deal}, ${company}`;
}
