import { createHash } from 'node:crypto';
import { createBitReader, createBitWriter, InputFormatError } from './bit-stream.ts';
import { toCanonicalInput } from './canonical-input.ts';
import { fromDayNumber, toDayNumber } from './days.ts';
import { readIds, textsOfIds, writeIds } from './id-list.ts';
import {
  type Lists,
  type Names,
  readActivities,
  readDeal,
  readLinks,
  readPartners,
  writeActivities,
  writeDeal,
  writeLinks,
  writePartners,
} from './input-records.ts';
import { compareText } from './money.ts';
import type { AttributionInput, RuleSet } from './types.ts';

/** Raised when the layout below changes; bytes of former versions must stay readable. */
const FORMAT_VERSION = 1;
/** With it, days from year 0 on are not negative. */
const DAY_OFFSET = 719_528;

/**
 * The canonical bytes of an input: equal for inputs that say the same, in whatever order. Ids, kinds, labels,
 * instants and amounts; no names or subjects. The rule set stands in it by version only. What cannot matter is left
 * out (see `toCanonicalInput`). Below 700 bytes at 20 activities of 5 partners, most of it random ids; near its
 * entropy, so that deflating it gains nothing.
 * Throws ConflictingInput, or RangeError for a malformed day or instant.
 */
export function encodeInput(input: AttributionInput): Uint8Array {
  const { deal, activities, links, partners, ruleSet, anchorOn } = toCanonicalInput(input);
  const partnerIds = partners.map(({ id }) => id);
  const activityIds = activities.map(({ id }) => id);
  const accountIds = distinct([
    ...deal.customerAccountIds,
    ...links.map(({ accountId }) => accountId),
    ...activities.flatMap((activity) => activity.accountIds),
  ]);
  const ids = [deal.id, ...accountIds, ...partnerIds, ...activityIds];
  const texts = distinct([
    '',
    ...[deal.currency, deal.blockedReason, ...activities.map(({ label }) => label)].filter(
      (text) => text !== null,
    ),
    ...textsOfIds(ids),
  ]);
  const names: Names = {
    texts: toIndex(texts),
    accounts: toIndex(accountIds),
    partners: toIndex(partnerIds),
  };

  const writer = createBitWriter();
  writer.bits(FORMAT_VERSION, 8);
  writer.number(ruleSet.version);
  writer.number(toDayNumber(anchorOn) + DAY_OFFSET);
  writer.column([
    texts.length,
    accountIds.length,
    partnerIds.length,
    activityIds.length,
    links.length,
    deal.customerAccountIds.length,
  ]);
  writer.texts(texts);
  writeIds(writer, ids, names.texts);
  writeDeal(writer, deal, names, toDayNumber(anchorOn));
  writePartners(writer, partners);
  writeLinks(writer, links, names, toDayNumber(anchorOn));
  writeActivities(writer, activities, names, deal);
  return writer.bytes();
}

/**
 * The canonical input that these bytes say. Throws InputFormatError for bytes of another format or another rule set
 * version than the one given.
 */
export function decodeInput(bytes: Uint8Array, ruleSet: RuleSet): AttributionInput {
  const reader = createBitReader(bytes);
  const version = reader.bits(8);
  if (version !== FORMAT_VERSION) throw new InputFormatError(`input format ${version} is not known`);
  const ruleSetVersion = reader.number();
  if (ruleSetVersion !== ruleSet.version) {
    throw new InputFormatError(`the input belongs to rule set ${ruleSetVersion}, not ${ruleSet.version}`);
  }
  const anchorDay = reader.number() - DAY_OFFSET;
  const [
    textCount = 0,
    accountCount = 0,
    partnerCount = 0,
    activityCount = 0,
    linkCount = 0,
    customerCount = 0,
  ] = reader.column(6);
  const texts = reader.texts(textCount);
  const ids = readIds(reader, 1 + accountCount + partnerCount + activityCount, texts);
  const accounts = ids.slice(1, 1 + accountCount);
  const partnerIds = ids.slice(1 + accountCount, 1 + accountCount + partnerCount);
  const activityIds = ids.slice(1 + accountCount + partnerCount);
  const lists: Lists = { texts, accounts, partners: partnerIds };
  const deal = readDeal(reader, ids[0] ?? '', customerCount, lists, anchorDay);
  const partners = readPartners(reader, partnerIds);
  const links = readLinks(reader, linkCount, lists, anchorDay);
  const activities = readActivities(reader, activityIds, lists, deal);
  reader.end();
  return { deal, activities, links, partners, ruleSet, anchorOn: fromDayNumber(anchorDay) };
}

/** SHA-256 (hex) of an input under a rule set and an engine: equal hashes, equal results. */
export function hashInput(bytes: Uint8Array, ruleSetVersion: number, engineVersion: number): string {
  return createHash('sha256')
    .update(`input ${engineVersion} ${ruleSetVersion}\n`)
    .update(bytes)
    .digest('hex');
}

function distinct(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].sort(compareText);
}

function toIndex(items: readonly string[]): ReadonlyMap<string, number> {
  return new Map(items.map((item, at) => [item, at]));
}
