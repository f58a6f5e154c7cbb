import { fromEpochMs, toEpochMs } from './days.ts';
import { compareText } from './money.ts';
import type { ActivityInput, AttributionInput, DealInput, LinkInput } from './types.ts';

/** Two different versions of one record were given as input: the caller's bug, never a matter of choice. */
export class ConflictingInput extends Error {
  override readonly name = 'ConflictingInput';
}

/**
 * The one form of an input: everything sorted, exact duplicates gone, instants as `…:00.000Z`, link ids left out, and
 * with it all that cannot matter: accounts without a link, activities without such an account, links and partners
 * that took part in nothing. Two inputs that say the same have equal canonical forms, so that a company nobody linked
 * joining a meeting is no new run. Throws ConflictingInput when two rows with one id differ.
 */
export function toCanonicalInput(input: AttributionInput): AttributionInput {
  const activities = input.activities.map(toCanonicalActivity);
  const partners = input.partners.map(({ id, type, status }) => ({ id, type, status }));
  return dropIrrelevant({
    deal: toCanonicalDeal(input.deal),
    activities: dropDuplicates(
      activities.sort((a, b) => compareText(a.occurredAt, b.occurredAt) || compareText(a.id, b.id)),
      'activity',
    ),
    links: toCanonicalLinks(input.links),
    partners: dropDuplicates(
      partners.sort((a, b) => compareText(a.id, b.id)),
      'partner',
    ),
    ruleSet: input.ruleSet,
    anchorOn: input.anchorOn,
  });
}

function dropIrrelevant(input: AttributionInput): AttributionInput {
  const linked = new Set(input.links.map(({ accountId }) => accountId));
  const activities = input.activities
    .map((activity) => ({ ...activity, accountIds: activity.accountIds.filter((id) => linked.has(id)) }))
    .filter(({ accountIds }) => accountIds.length > 0);
  const present = new Set(activities.flatMap(({ accountIds }) => accountIds));
  const partnerIds = new Set(
    input.links.filter(({ accountId }) => present.has(accountId)).map(({ partnerId }) => partnerId),
  );
  // A partner's link to the customer decides about it even when the customer took part in nothing.
  const customers = new Set(input.deal.customerAccountIds);
  const links = input.links.filter(
    ({ partnerId, accountId }) =>
      partnerIds.has(partnerId) && (present.has(accountId) || customers.has(accountId)),
  );
  const named = new Set(links.map(({ accountId }) => accountId));
  return {
    ...input,
    deal: { ...input.deal, customerAccountIds: input.deal.customerAccountIds.filter((id) => named.has(id)) },
    activities,
    links,
    partners: input.partners.filter(({ id }) => partnerIds.has(id)),
  };
}

function toCanonicalDeal(deal: DealInput): DealInput {
  return {
    id: deal.id,
    state: deal.state,
    amountMinor: deal.amountMinor,
    currency: deal.currency,
    createdOn: deal.createdOn,
    createdAt: toCanonicalInstant(deal.createdAt),
    wonAt: deal.wonAt === null ? null : toCanonicalInstant(deal.wonAt),
    customerAccountIds: toSet(deal.customerAccountIds),
    blockedReason: deal.blockedReason,
  };
}

function toCanonicalActivity(activity: ActivityInput): ActivityInput {
  return {
    id: activity.id,
    kind: activity.kind,
    label: activity.label,
    occurredAt: toCanonicalInstant(activity.occurredAt),
    occurredOn: activity.occurredOn,
    loggedAt: toCanonicalInstant(activity.loggedAt),
    outcome: activity.outcome,
    direction: activity.direction,
    accountIds: toSet(activity.accountIds),
  };
}

function toCanonicalLinks(links: readonly LinkInput[]): LinkInput[] {
  const byText = new Map<string, LinkInput>();
  for (const { partnerId, accountId, fromOn, toOn } of links) {
    const key = [partnerId, accountId, fromOn ?? '', toOn ?? ''].join('\u0000');
    byText.set(key, { partnerId, accountId, fromOn, toOn });
  }
  return [...byText].sort(([a], [b]) => compareText(a, b)).map(([, link]) => link);
}

function toSet(ids: readonly string[]): readonly string[] {
  return ids.length < 2 ? [...ids] : [...new Set(ids)].sort(compareText);
}

function toCanonicalInstant(instant: string): string {
  return fromEpochMs(toEpochMs(instant));
}

function dropDuplicates<Row extends { readonly id: string }>(rows: readonly Row[], what: string): Row[] {
  const byId = new Map<string, Row>();
  for (const row of rows) {
    const seen = byId.get(row.id);
    if (seen === undefined) byId.set(row.id, row);
    else if (JSON.stringify(seen) !== JSON.stringify(row)) {
      throw new ConflictingInput(`${what} ${row.id} was given in two different versions`);
    }
  }
  return [...byId.values()];
}
