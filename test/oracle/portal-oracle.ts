import type { AttributionInput, ModelName, PartnerInput, RuleSet } from '../../src/attribution/types.ts';
import type { Portal } from '../sandbox/hubspot/state.ts';
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
