import type { ActivityInput, DealInput } from '../../src/attribution/types.ts';
import { linksFrom, typesFor } from '../sandbox/hubspot/association-store.ts';
import { CALL_DISPOSITIONS } from '../sandbox/hubspot/catalogue.ts';
import type { ObjectTable, Portal, Row } from '../sandbox/hubspot/state.ts';

/**
 * A second reading of a HubSpot portal, straight from the sandbox's tables and from the rules in words. It shares no code
 * with the connector: what both agree on was understood the same way twice.
 */

const TYPE = { deals: '0-3', companies: '0-2', contacts: '0-1' } as const;
const ACTIVITY_TYPES = [
  ['meeting', '0-47'],
  ['call', '0-48'],
  ['email', '0-49'],
  ['note', '0-46'],
  ['task', '0-27'],
] as const;
const PRIMARY_COMPANY = 5;
const NOBODY_REACHED: readonly string[] = [
  CALL_DISPOSITIONS.noAnswer,
  CALL_DISPOSITIONS.leftVoicemail,
  CALL_DISPOSITIONS.busy,
  CALL_DISPOSITIONS.wrongNumber,
];

/** A party of an activity is a company here; who stands for it is decided by partner links later. */
export type PortalActivity = Omit<ActivityInput, 'accountIds'> & { readonly companyIds: ReadonlySet<string> };
export interface PortalDeal {
  readonly id: string;
  readonly deal: Omit<DealInput, 'customerAccountIds'>;
  /** Day on which a closed deal closed. */
  readonly closeOn: string | null;
  readonly exponent: number | null;
  readonly primaryCompanyIds: readonly string[];
  readonly activities: readonly PortalActivity[];
}
export type DayOf = (instant: string) => string;

/** Calendar days in a zone, `2026-11-20`: the Swedish way to write them. */
export function daysIn(timeZone: string): DayOf {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' });
  return (instant) => format.format(new Date(instant));
}

export function tableOf(portal: Portal, typeId: string): ObjectTable {
  const table = portal.tables.get(typeId);
  if (table === undefined) throw new Error(`the portal has no object type ${typeId}`);
  return table;
}

const isLive = (row: Row) => row.archivedAtMs === null && row.mergedInto === null;
export const liveRows = (table: ObjectTable): Row[] => [...table.rows.values()].filter(isLive);

/** Ids of the deals that the portal shows. */
export const liveDealIds = (portal: Portal): string[] =>
  liveRows(tableOf(portal, TYPE.deals)).map((row) => row.id);

/** One deal with everything that may speak for a partner on it. */
export function readDeal(
  portal: Portal,
  dealId: string,
  rules: { readonly dayOf: DayOf; readonly partnerFields: readonly string[] },
): PortalDeal {
  const row = tableOf(portal, TYPE.deals).rows.get(dealId);
  if (row === undefined || !isLive(row)) throw new Error(`the portal shows no deal ${dealId}`);
  const { values } = row;
  const { state, unknownStage } = readState(portal, row);
  const money = readMoney(portal, row);
  const createdAt = new Date(values.createdate ?? row.createdAtMs).toISOString();
  const closeOn = values.closedate ? rules.dayOf(values.closedate) : null;
  const unclosed = state !== 'open' && closeOn === null;
  const companies = linksFrom(portal.associations, TYPE.deals, TYPE.companies, dealId);
  return {
    id: dealId,
    closeOn,
    exponent: money.exponent,
    deal: {
      id: dealId,
      state,
      amountMinor: money.amountMinor,
      currency: money.currency,
      createdAt,
      createdOn: rules.dayOf(createdAt),
      wonAt: null,
      blockedReason: unknownStage ? 'stage' : money.problem ? 'money' : unclosed ? 'close date' : null,
    },
    primaryCompanyIds: companies.filter((c) => c.types.includes(PRIMARY_COMPANY)).map((c) => c.toId),
    activities: [
      ...readLabels(portal, dealId, createdAt, rules.dayOf),
      ...readFields(portal, row, createdAt, rules),
      ...readActivities(portal, dealId, rules.dayOf),
    ],
  };
}

function readState(portal: Portal, row: Row) {
  const stage = portal.pipelines
    .find((pipeline) => pipeline.id === row.values.pipeline)
    ?.stages.find(({ id }) => id === row.values.dealstage);
  if (stage === undefined) return { state: 'open' as const, unknownStage: true };
  const closed = stage.metadata.isClosed === 'true';
  const won = Number(stage.metadata.probability) === 1;
  const state = !closed ? ('open' as const) : won ? ('won' as const) : ('lost' as const);
  return { state, unknownStage: false };
}

function readMoney(portal: Portal, row: Row) {
  const currency = row.values.deal_currency_code || portal.homeCurrency;
  const nothing = { amountMinor: null, currency: null, exponent: null, problem: true };
  if (![portal.homeCurrency, ...portal.additionalCurrencies].includes(currency)) return nothing;
  const { maximumFractionDigits: exponent = 2 } = new Intl.NumberFormat('en', {
    style: 'currency',
    currency,
  }).resolvedOptions();
  const text = row.values.amount ?? null;
  if (text === null || text === '') return { amountMinor: null, currency, exponent, problem: false };
  const [whole = '', fraction = ''] = text
    .replace(/0+$/, (zeros) => (text.includes('.') ? '' : zeros))
    .split('.');
  if (fraction.length > exponent) return nothing;
  return { amountMinor: BigInt(whole + fraction.padEnd(exponent, '0')), currency, exponent, problem: false };
}

/** A label on the company of a deal says something of the company since the deal exists. */
function readLabels(portal: Portal, dealId: string, createdAt: string, dayOf: DayOf): PortalActivity[] {
  const types = typesFor(portal.associations, TYPE.deals, TYPE.companies);
  return linksFrom(portal.associations, TYPE.deals, TYPE.companies, dealId).flatMap(
    ({ toId, types: typeIds }) =>
      types
        .filter(
          ({ typeId, label }) => typeIds.includes(typeId) && label !== null && typeId !== PRIMARY_COMPANY,
        )
        .map(({ typeId, label }) =>
          onTheDeal('association', `label ${toId} ${typeId}`, label, [toId], createdAt, dayOf),
        ),
  );
}

/** A property of the deal names a company by its id, name or domain. */
function readFields(
  portal: Portal,
  row: Row,
  createdAt: string,
  rules: { readonly dayOf: DayOf; readonly partnerFields: readonly string[] },
): PortalActivity[] {
  return rules.partnerFields.flatMap((name) => {
    const value = row.values[name]?.trim().toLowerCase();
    if (!value) return [];
    const named = liveRows(tableOf(portal, TYPE.companies)).filter(({ id, values }) =>
      [id, values.name?.toLowerCase(), values.domain?.toLowerCase()].includes(value),
    );
    const ids = named.map(({ id }) => id);
    return [onTheDeal('field', `field ${name}`, name, ids, createdAt, rules.dayOf)];
  });
}

function onTheDeal(
  kind: 'association' | 'field',
  id: string,
  label: string | null,
  companyIds: readonly string[],
  createdAt: string,
  dayOf: DayOf,
): PortalActivity {
  return {
    id,
    kind,
    label,
    occurredAt: createdAt,
    occurredOn: dayOf(createdAt),
    loggedAt: createdAt,
    outcome: 'done',
    direction: null,
    companyIds: new Set(companyIds),
  };
}

function readActivities(portal: Portal, dealId: string, dayOf: DayOf): PortalActivity[] {
  return ACTIVITY_TYPES.flatMap(([kind, typeId]) =>
    linksFrom(portal.associations, TYPE.deals, typeId, dealId).flatMap(({ toId }) => {
      const row = tableOf(portal, typeId).rows.get(toId);
      if (row === undefined || !isLive(row)) return [];
      const occurredAt = new Date(occurrence(kind, row) ?? row.createdAtMs).toISOString();
      return [
        {
          id: `${kind} ${toId}`,
          kind,
          label: (kind === 'task' ? row.values.hs_task_type : row.values.hs_activity_type) || null,
          occurredAt,
          occurredOn: dayOf(occurredAt),
          loggedAt: occurredAt,
          outcome: happened(kind, row) ? ('done' as const) : ('unknown' as const),
          direction: null,
          companyIds: partiesOf(portal, typeId, toId),
        },
      ];
    }),
  );
}

function occurrence(kind: (typeof ACTIVITY_TYPES)[number][0], { values }: Row): string | null {
  const own =
    kind === 'meeting'
      ? values.hs_meeting_start_time
      : kind === 'task' && values.hs_task_status === 'COMPLETED'
        ? values.hs_task_completion_date
        : null;
  return own || values.hs_timestamp || null;
}

function happened(kind: (typeof ACTIVITY_TYPES)[number][0], { values }: Row): boolean {
  switch (kind) {
    case 'meeting':
      return values.hs_meeting_outcome === 'COMPLETED';
    case 'call':
      return (
        values.hs_call_status === 'COMPLETED' && !NOBODY_REACHED.includes(values.hs_call_disposition ?? '')
      );
    case 'email':
      // What came in has arrived, unless HubSpot says something else of it.
      return (
        values.hs_email_status === 'SENT' ||
        (!values.hs_email_status && values.hs_email_direction === 'INCOMING_EMAIL')
      );
    case 'note':
      return true;
    case 'task':
      return values.hs_task_status === 'COMPLETED';
  }
}

/** Companies on the activity, and those its people belong to now: HubSpot dates no membership. */
function partiesOf(portal: Portal, typeId: string, id: string): ReadonlySet<string> {
  const { associations } = portal;
  const people = linksFrom(associations, typeId, TYPE.contacts, id).map(({ toId }) => toId);
  return new Set([
    ...linksFrom(associations, typeId, TYPE.companies, id).map(({ toId }) => toId),
    ...people.flatMap((person) =>
      linksFrom(associations, TYPE.contacts, TYPE.companies, person).map(({ toId }) => toId),
    ),
  ]);
}
