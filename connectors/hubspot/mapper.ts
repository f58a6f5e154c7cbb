import type {
  AccountFacts,
  ActivityKind,
  CrmRecord,
  DealAccount,
  DealRecord,
  DecimalText,
  Instant,
  Known,
  RecordKind,
  Snapshot,
} from '../connector.ts';
import { ACTIVITY_KINDS, UNKNOWN } from '../connector.ts';
import { withEmptyFields } from './empty-fields.ts';
import { dateEnteredProperty } from './kinds.ts';
import type { Properties } from './outcome.ts';
import { toDirection, toInstant, toLabel, toOccurredAt, toOutcome } from './outcome.ts';
import type { Association, HubSpotObject } from './schema.ts';

/** Complete association sets of one record, by the other end's kind; one that is left out is unknown, not empty. */
export type Associations = Readonly<Partial<Record<RecordKind, readonly Association[]>>>;

export interface MappingContext {
  readonly facts: AccountFacts | null;
  readonly partnerFields: readonly string[];
  readonly readAt: Instant;
}

/** deal → company marked as primary; unlabelled is 341. */
const DEAL_TO_PRIMARY_COMPANY = 5;
const MAX_PARTNER_FIELD_LENGTH = 255;

/** A live HubSpot record as a snapshot. `changedAt` is HubSpot's own modification instant. */
export function toPresent(
  kind: RecordKind,
  object: HubSpotObject,
  associations: Associations,
  context: MappingContext,
): Snapshot {
  const mergedExternalIds = toMergedIds(object);
  return {
    ref: { kind, externalId: object.id },
    status: 'present',
    record: toRecord(kind, object, associations, context),
    changedAt: normalize(object.updatedAt),
    readAt: context.readAt,
    ...(mergedExternalIds.length > 0 ? { mergedExternalIds } : {}),
  };
}

/** A record in HubSpot's recycling bin. Archiving does not move the modification date: its own instant counts. */
export function toArchived(kind: RecordKind, object: HubSpotObject, readAt: Instant): Snapshot {
  return {
    ref: { kind, externalId: object.id },
    status: 'missing',
    changedAt: normalize(object.archivedAt ?? object.updatedAt),
    readAt,
  };
}

/** Ids merged into this record; HubSpot writes them with semicolons. */
export function toMergedIds(object: HubSpotObject): readonly string[] {
  return (object.properties.hs_merged_object_ids ?? '')
    .split(';')
    .map((id) => id.trim())
    .filter((id) => id !== '' && id !== object.id);
}

function toRecord(
  kind: RecordKind,
  object: HubSpotObject,
  associations: Associations,
  context: MappingContext,
): CrmRecord {
  const { properties } = object;
  if (kind === 'deal') return toDeal(object, associations, context);
  if (kind === 'account') {
    return {
      kind,
      name: properties.name ?? null,
      domain: properties.domain?.toLowerCase() || null,
      type: properties.type || null,
      parentExternalId: properties.hs_parent_company_id || null,
    };
  }
  if (kind === 'contact') {
    return { kind, email: properties.email || null, accountExternalIds: idsOf(associations.account) };
  }
  return toActivity(kind, object, associations, context.readAt);
}

function toDeal(object: HubSpotObject, associations: Associations, context: MappingContext): DealRecord {
  const properties = withEmptyFields(object.properties, context.facts);
  const stageId = properties.dealstage ?? null;
  const pipelineId = properties.pipeline ?? null;
  const state = properties.dealstage === undefined ? UNKNOWN : toState(pipelineId, stageId, context.facts);
  const unknownActivityKinds = ACTIVITY_KINDS.filter((kind) => associations[kind] === undefined);
  return {
    kind: 'deal',
    name: properties.dealname ?? null,
    pipelineId,
    stageId,
    state,
    amount: toAmount(properties.amount),
    currency: toCurrency(properties.deal_currency_code, context.facts),
    closeAt: toKnownInstant(properties.closedate),
    createdAt: toInstant(properties.createdate) ?? normalize(object.createdAt),
    wonAt: state === 'won' ? toWonAt(stageId, properties) : null,
    ownerExternalId: properties.hubspot_owner_id || null,
    accounts: (associations.account ?? []).map(toDealAccount),
    partnerFields: toPartnerFields(properties, context.partnerFields),
    activities: ACTIVITY_KINDS.flatMap((kind) =>
      idsOf(associations[kind]).map((externalId) => ({ kind, externalId })),
    ),
    ...(unknownActivityKinds.length > 0 ? { unknownActivityKinds } : {}),
  };
}

function toActivity(
  kind: ActivityKind,
  object: HubSpotObject,
  associations: Associations,
  readAt: Instant,
): CrmRecord {
  const { properties } = object;
  return {
    kind,
    occurredAt: toOccurredAt(kind, properties),
    loggedAt: toInstant(properties.hs_createdate) ?? normalize(object.createdAt),
    outcome: toOutcome(kind, properties, readAt),
    label: toLabel(kind, properties),
    direction: toDirection(kind, properties),
    dealExternalIds: idsOf(associations.deal),
    contactExternalIds: idsOf(associations.contact),
    accountExternalIds: idsOf(associations.account),
  };
}

/** From the pipeline's own metadata. Stage ids are unique in an account, yet the deal's pipeline goes first. */
function toState(
  pipelineId: string | null,
  stageId: string | null,
  facts: AccountFacts | null,
): DealRecord['state'] {
  const pipelines = facts?.pipelines ?? [];
  const own = pipelines.filter((pipeline) => pipeline.id === pipelineId);
  const stage = (own.length > 0 ? own : pipelines)
    .flatMap((pipeline) => pipeline.stages)
    .find(({ id }) => id === stageId);
  return stage?.state ?? UNKNOWN;
}

/** A requested property that is empty comes as null (see empty-fields.ts); one that is left out is hidden from us. */
function toAmount(value: string | null | undefined): Known<DecimalText | null> {
  if (value === undefined) return UNKNOWN;
  if (value === null || value.trim() === '') return null;
  return expandDecimal(value.trim()) ?? UNKNOWN;
}

/** `1.5E7` → `15000000`, digit by digit; null when it is no decimal number. */
function expandDecimal(text: string): DecimalText | null {
  const match = /^([+-]?)(\d+)(?:\.(\d*))?(?:e([+-]?\d{1,3}))?$/i.exec(text);
  if (match === null) return null;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match;
  const digits = whole + fraction;
  const point = whole.length + Number(exponent);
  const padded = point <= 0 ? '0'.repeat(1 - point) + digits : digits.padEnd(point, '0');
  const at = Math.max(point, 1);
  const integer = padded.slice(0, at).replace(/^0+(?=\d)/, '');
  const rest = padded.slice(at);
  return `${sign === '-' ? '-' : ''}${integer}${rest === '' ? '' : `.${rest}`}`;
}

function toCurrency(value: string | null | undefined, facts: AccountFacts | null): Known<string | null> {
  if (value) return value.toUpperCase();
  if (facts === null) return UNKNOWN;
  // Left out: hidden, unless the account knows one currency only and there is nothing to hide.
  if (value === undefined && Object.keys(facts.currencies).length > 1) return UNKNOWN;
  return facts.homeCurrency;
}

function toKnownInstant(value: string | null | undefined): Known<Instant | null> {
  if (value === undefined) return UNKNOWN;
  if (value === null || value.trim() === '') return null;
  return toInstant(value) ?? UNKNOWN;
}

function toWonAt(stageId: string | null, properties: Properties): Instant | null {
  const entered = stageId === null ? null : dateEnteredProperty(stageId);
  return (
    (entered === null ? null : toInstant(properties[entered])) ?? toInstant(properties.hs_closed_won_date)
  );
}

function toDealAccount(association: Association): DealAccount {
  const types = association.associationTypes;
  const isPrimary = (type: (typeof types)[number]) =>
    type.category === 'HUBSPOT_DEFINED' && type.typeId === DEAL_TO_PRIMARY_COMPANY;
  const labels = types.filter((type) => !isPrimary(type)).flatMap((type) => type.label || []);
  return { externalId: association.toObjectId, primary: types.some(isPrimary), labels: [...new Set(labels)] };
}

/** A name or an id; a longer text is somebody's prose and none of our business. */
function toPartnerFields(properties: Properties, names: readonly string[]): Readonly<Record<string, string>> {
  const fields = names.flatMap((name) => {
    const value = properties[name]?.trim() ?? '';
    return value === '' || value.length > MAX_PARTNER_FIELD_LENGTH ? [] : [[name, value] as const];
  });
  return Object.fromEntries(fields);
}

function idsOf(associations: readonly Association[] | undefined): readonly string[] {
  return [...new Set((associations ?? []).map(({ toObjectId }) => toObjectId))];
}

function normalize(instant: string): Instant {
  return new Date(instant).toISOString();
}
