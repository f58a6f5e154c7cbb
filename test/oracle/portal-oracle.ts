import {
  type AttributionInput,
  MODELS,
  type ModelName,
  type PartnerInput,
  type RuleSet,
} from '../../src/attribution/types.ts';
import { linksFrom } from '../sandbox/hubspot/association-store.ts';
import type { ObjectTable, Portal, Row } from '../sandbox/hubspot/state.ts';
import { type NaiveResult, naiveAttribute, naiveSourcers, naiveTouches } from './naive-attribution.ts';
import { type DayOf, daysIn, liveRows, type PortalDeal, readDeal, tableOf } from './portal-facts.ts';

/** A partner as `/v1/partners` gives it. */
export interface OraclePartner extends PartnerInput {
  readonly name: string;
  readonly links: readonly {
    readonly accountExternalId: string;
    readonly fromOn: string | null;
    readonly toOn: string | null;
    readonly withChildren: boolean;
  }[];
}
/** Everything that is not in the portal: who is a partner, and the rules in force. */
export interface OracleTerms {
  readonly partners: readonly OraclePartner[];
  readonly ruleSet: RuleSet;
  readonly partnerFields: readonly string[];
  readonly timeZone: string;
  readonly now: Date;
}

/** What must stand in the CRM for one (deal, partner), numbers without trailing zeros. */
export interface ExpectedRow {
  readonly key: string;
  readonly dealId: string;
  readonly partner: string;
  readonly share: string;
  readonly amount: string | null;
  readonly currency: string;
  readonly role: 'sourced' | 'influenced';
  readonly model: ModelName;
  readonly state: NaiveResult['state'];
  /** The row shows on one of these. */
  readonly companyIds: readonly string[];
}
export interface ExpectedDeal extends NaiveResult {
  readonly dealId: string;
  readonly blocked: boolean;
  readonly amountMinor: bigint | null;
  readonly currency: string | null;
  readonly exponent: number | null;
  /** Counted touchpoints by partner. */
  readonly touches: ReadonlyMap<string, number>;
  readonly rows: readonly ExpectedRow[];
}
export interface PortalOracle {
  /** @throws when the portal does not show that deal. */
  expect(dealId: string): ExpectedDeal;
}

/** Works out, from the portal's own tables and by the naive engine, what Tributary must say of a deal now. */
export function createPortalOracle(portal: Portal, terms: OracleTerms): PortalOracle {
  const dayOf = daysIn(terms.timeZone);
  const standIns = findStandIns(portal, terms.partners);
  return {
    expect(dealId) {
      const read = readDeal(portal, dealId, { dayOf, partnerFields: terms.partnerFields });
      const input = toInput(read, terms, standIns, dayOf);
      const result = naiveAttribute(input);
      const counted = Map.groupBy(naiveTouches(input), (touch) => touch.partnerId);
      return {
        ...result,
        dealId,
        blocked: result.state === 'blocked',
        amountMinor: read.deal.amountMinor,
        currency: read.deal.currency,
        exponent: read.exponent,
        touches: new Map([...counted].map(([id, touches]) => [id, touches.length])),
        rows: toRows(read, terms, result, naiveSourcers(input)),
      };
    },
  };
}

interface StandIn {
  /** One for every link, so that each link's days are judged by themselves. */
  readonly accountId: string;
  readonly partnerId: string;
  readonly fromOn: string | null;
  readonly toOn: string | null;
  readonly companyIds: ReadonlySet<string>;
}

function findStandIns(portal: Portal, partners: readonly OraclePartner[]): StandIn[] {
  return partners.flatMap((partner) =>
    partner.links.map(({ accountExternalId, withChildren, fromOn, toOn }, at) => ({
      accountId: `${partner.id}/${at}`,
      partnerId: partner.id,
      fromOn,
      toOn,
      companyIds: new Set([
        accountExternalId,
        ...(withChildren ? descendants(portal, accountExternalId) : []),
      ]),
    })),
  );
}

function descendants(portal: Portal, companyId: string): string[] {
  const children = liveRows(tableOf(portal, '0-2')).filter(
    ({ id, values }) => values.hs_parent_company_id === companyId && id !== companyId,
  );
  return children.flatMap(({ id }) => [id, ...descendants(portal, id)]);
}

function toInput(
  read: PortalDeal,
  { partners, ruleSet, now }: OracleTerms,
  standIns: readonly StandIn[],
  dayOf: DayOf,
): AttributionInput {
  const accountsOf = (companyIds: Iterable<string>) => {
    const ids = [...companyIds];
    return standIns.filter((each) => ids.some((id) => each.companyIds.has(id))).map((each) => each.accountId);
  };
  const activities = read.activities.map(({ companyIds, ...activity }) => ({
    ...activity,
    accountIds: accountsOf(companyIds),
  }));
  const customerAccountIds = accountsOf(read.primaryCompanyIds);
  const touched = new Set([...customerAccountIds, ...activities.flatMap((each) => each.accountIds)]);
  const links = standIns.filter((each) => touched.has(each.accountId));
  const concerned = new Set(links.map((each) => each.partnerId));
  return {
    deal: { ...read.deal, customerAccountIds },
    activities,
    links: links.map(({ companyIds: _, ...link }) => link),
    partners: partners.filter((partner) => concerned.has(partner.id)),
    ruleSet,
    anchorOn:
      read.deal.state === 'open' ? dayOf(now.toISOString()) : (read.closeOn ?? dayOf(now.toISOString())),
  };
}

function toRows(
  read: PortalDeal,
  { partners, ruleSet }: OracleTerms,
  result: NaiveResult,
  sourcers: ReadonlySet<string>,
): ExpectedRow[] {
  const model = ruleSet.modelOfRecord;
  return result.models[model].credits
    .filter(({ bps }) => bps > 0)
    .map(({ partnerId, bps, money }) => {
      const partner = partners.find(({ id }) => id === partnerId);
      return {
        key: `${read.id}:${partnerId}`,
        dealId: read.id,
        partner: partner?.name ?? '',
        share: toDecimal(BigInt(bps), 2),
        amount: money === null ? null : toDecimal(money, read.exponent ?? 0),
        currency: read.deal.currency ?? '',
        role: sourcers.has(partnerId) ? 'sourced' : 'influenced',
        model,
        state: result.state,
        companyIds: partner?.links.map((link) => link.accountExternalId) ?? [],
      };
    });
}

/** `1250` with two digits is `12.5`: HubSpot keeps numbers without trailing zeros. */
function toDecimal(minor: bigint, digits: number): string {
  const sign = minor < 0n ? '-' : '';
  const text = (minor < 0n ? -minor : minor).toString().padStart(digits + 1, '0');
  const whole = text.slice(0, text.length - digits);
  const fraction = text.slice(text.length - digits).replace(/0+$/, '');
  return `${sign}${whole}${fraction === '' ? '' : `.${fraction}`}`;
}

// ── comparing ───────────────────────────────────────────────────────────────────────────────────────────────

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
