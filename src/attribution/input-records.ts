import type { BitReader, BitWriter } from './bit-stream.ts';
import { fromDayNumber, fromEpochMs, toDayNumber, toEpochMs } from './days.ts';
import {
  DAY_MS,
  dayOf,
  pick,
  pickOptional,
  readInstant,
  readInteger,
  toMilliseconds,
  toMinutes,
  toOptionalIndex,
  toPosition,
  toSeconds,
  unzigzag,
  writeInstant,
  writeInteger,
  zigzag,
} from './input-fields.ts';
import type { ActivityInput, DealInput, LinkInput, PartnerInput } from './types.ts';

/** The records of an input as columns of numbers: format version 1 of `input-codec.ts`. */

// Positions are what is written: append, never reorder.
const STATES = ['open', 'won', 'lost'] as const satisfies readonly DealInput['state'][];
const KINDS = [
  'meeting',
  'call',
  'email',
  'note',
  'task',
  'association',
  'field',
] as const satisfies readonly ActivityInput['kind'][];
const OUTCOMES = [
  'done',
  'planned',
  'cancelled',
  'no_show',
  'bounced',
  'failed',
  'unknown',
] as const satisfies readonly ActivityInput['outcome'][];
const DIRECTIONS = [null, 'inbound', 'outbound'] as const satisfies readonly ActivityInput['direction'][];
const TYPES = [
  'affiliate',
  'referral',
  'reseller',
  'integration',
  'technology',
  'distributor',
  'agency',
] as const satisfies readonly PartnerInput['type'][];
const STATUSES = ['active', 'inactive'] as const satisfies readonly PartnerInput['status'][];

/** Where each text and id stands in the tables that were written before. */
export interface Names {
  readonly texts: ReadonlyMap<string, number>;
  readonly accounts: ReadonlyMap<string, number>;
  readonly partners: ReadonlyMap<string, number>;
}
/** The tables themselves, when reading. */
export interface Lists {
  readonly texts: readonly string[];
  readonly accounts: readonly string[];
  readonly partners: readonly string[];
}

export function writeDeal(writer: BitWriter, deal: DealInput, names: Names, anchorDay: number): void {
  const createdAtMs = toEpochMs(deal.createdAt);
  writer.column([
    STATES.indexOf(deal.state),
    toOptionalIndex(names.texts, deal.currency),
    toOptionalIndex(names.texts, deal.blockedReason),
    zigzag(toDayNumber(deal.createdOn) - dayOf(createdAtMs)),
  ]);
  writeInstant(writer, createdAtMs, anchorDay * DAY_MS);
  writer.bits(deal.amountMinor === null ? 0 : 1, 1);
  if (deal.amountMinor !== null) writeInteger(writer, deal.amountMinor);
  writer.bits(deal.wonAt === null ? 0 : 1, 1);
  if (deal.wonAt !== null) writeInstant(writer, toEpochMs(deal.wonAt), createdAtMs);
  writer.column(deal.customerAccountIds.map((id) => toPosition(names.accounts, id)));
}

export function readDeal(
  reader: BitReader,
  id: string,
  customerCount: number,
  lists: Lists,
  anchorDay: number,
): DealInput {
  const [state, currencyAt, blockedReasonAt, dayShift = 0] = reader.column(4);
  const createdAtMs = readInstant(reader, anchorDay * DAY_MS);
  const amountMinor = reader.bits(1) === 1 ? readInteger(reader) : null;
  const wonAtMs = reader.bits(1) === 1 ? readInstant(reader, createdAtMs) : null;
  const customers = reader.column(customerCount);
  return {
    id,
    state: pick(STATES, state),
    amountMinor,
    currency: pickOptional(lists.texts, currencyAt),
    createdOn: fromDayNumber(dayOf(createdAtMs) + unzigzag(dayShift)),
    createdAt: fromEpochMs(createdAtMs),
    wonAt: wonAtMs === null ? null : fromEpochMs(wonAtMs),
    customerAccountIds: customers.map((at) => pick(lists.accounts, at)),
    blockedReason: pickOptional(lists.texts, blockedReasonAt),
  };
}

export function writeLinks(
  writer: BitWriter,
  links: readonly LinkInput[],
  names: Names,
  anchorDay: number,
): void {
  const toDelta = (day: string | null): number =>
    day === null ? 0 : 1 + zigzag(toDayNumber(day) - anchorDay);
  writer.column(links.map(({ partnerId }) => toPosition(names.partners, partnerId)));
  writer.column(links.map(({ accountId }) => toPosition(names.accounts, accountId)));
  writer.column(links.map(({ fromOn }) => toDelta(fromOn)));
  writer.column(links.map(({ toOn }) => toDelta(toOn)));
}

export function readLinks(reader: BitReader, count: number, lists: Lists, anchorDay: number): LinkInput[] {
  const fromDelta = (delta = 0): string | null =>
    delta === 0 ? null : fromDayNumber(unzigzag(delta - 1) + anchorDay);
  const partners = reader.column(count);
  const accounts = reader.column(count);
  const froms = reader.column(count);
  const tos = reader.column(count);
  return partners.map((partner, at) => ({
    partnerId: pick(lists.partners, partner),
    accountId: pick(lists.accounts, accounts[at]),
    fromOn: fromDelta(froms[at]),
    toOn: fromDelta(tos[at]),
  }));
}

export function writePartners(writer: BitWriter, partners: readonly PartnerInput[]): void {
  writer.column(partners.map(({ type }) => TYPES.indexOf(type)));
  writer.column(partners.map(({ status }) => STATUSES.indexOf(status)));
}

export function readPartners(reader: BitReader, ids: readonly string[]): PartnerInput[] {
  const types = reader.column(ids.length);
  const statuses = reader.column(ids.length);
  return ids.map((id, at) => ({ id, type: pick(TYPES, types[at]), status: pick(STATUSES, statuses[at]) }));
}

/**
 * Activities come in the order of their instants: each is told from the one before, the first from the deal.
 * Every one has at least one account: the canonical input holds no others.
 */
export function writeActivities(
  writer: BitWriter,
  activities: readonly ActivityInput[],
  names: Names,
  deal: DealInput,
): void {
  const occurred = activities.map(({ occurredAt }) => toEpochMs(occurredAt));
  const minutes = [toEpochMs(deal.createdAt), ...occurred].map(toMinutes);
  const steps = occurred.map((_, at) => (minutes[at + 1] ?? 0) - (minutes[at] ?? 0));
  writer.number(zigzag(steps[0] ?? 0));
  writer.column(steps.slice(1));
  // Meetings stand on full minutes: seconds apart from minutes often cost nothing.
  writer.column(occurred.map((ms) => toSeconds(ms) - toMinutes(ms) * 60));
  writer.column(occurred.map(toMilliseconds));
  writer.column(
    activities.map(({ occurredOn }, at) => zigzag(toDayNumber(occurredOn) - dayOf(occurred[at] ?? 0))),
  );
  const logged = activities.map(({ loggedAt }) => toEpochMs(loggedAt));
  writer.column(logged.map((ms, at) => zigzag(toSeconds(ms) - toSeconds(occurred[at] ?? 0))));
  writer.column(logged.map(toMilliseconds));
  writer.column(activities.map(({ kind }) => KINDS.indexOf(kind)));
  writer.column(activities.map(({ outcome }) => OUTCOMES.indexOf(outcome)));
  writer.column(activities.map(({ direction }) => DIRECTIONS.indexOf(direction)));
  writer.column(activities.map(({ label }) => toOptionalIndex(names.texts, label)));
  writer.column(activities.map(({ accountIds }) => accountIds.length - 1));
  writer.column(
    activities.flatMap(({ accountIds }) => accountIds.map((id) => toPosition(names.accounts, id))),
  );
}

export function readActivities(
  reader: BitReader,
  ids: readonly string[],
  lists: Lists,
  deal: DealInput,
): ActivityInput[] {
  const count = ids.length;
  const steps = [unzigzag(reader.number()), ...reader.column(Math.max(count - 1, 0))];
  const seconds = reader.column(count);
  const fractions = reader.column(count);
  const days = reader.column(count);
  const lags = reader.column(count);
  const lagFractions = reader.column(count);
  const kinds = reader.column(count);
  const outcomes = reader.column(count);
  const directions = reader.column(count);
  const labels = reader.column(count);
  const sizes = reader.column(count).map((size) => size + 1);
  const flat = reader.column(sizes.reduce((sum, size) => sum + size, 0));
  let minute = toMinutes(toEpochMs(deal.createdAt));
  let read = 0;
  return ids.map((id, at) => {
    minute += steps[at] ?? 0;
    const second = minute * 60 + (seconds[at] ?? 0);
    const occurredAtMs = second * 1000 + (fractions[at] ?? 0);
    const loggedAtMs = (second + unzigzag(lags[at] ?? 0)) * 1000 + (lagFractions[at] ?? 0);
    const accounts = flat.slice(read, read + (sizes[at] ?? 0));
    read += accounts.length;
    return {
      id,
      kind: pick(KINDS, kinds[at]),
      label: pickOptional(lists.texts, labels[at]),
      occurredAt: fromEpochMs(occurredAtMs),
      occurredOn: fromDayNumber(dayOf(occurredAtMs) + unzigzag(days[at] ?? 0)),
      loggedAt: fromEpochMs(loggedAtMs),
      outcome: pick(OUTCOMES, outcomes[at]),
      direction: pick(DIRECTIONS, directions[at]),
      accountIds: accounts.map((account) => pick(lists.accounts, account)),
    };
  });
}
