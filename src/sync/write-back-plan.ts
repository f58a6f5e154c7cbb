import type { DesiredDeal, RowOutcome } from '../../connectors/connector.ts';
import type { AttemptedRow } from './crm-row-store.ts';
import type { WriteBackDeal } from './write-back-store.ts';

/** So many deals that were refused in the same words are tried by one of them first. */
const ALIKE = 3;

export interface Plan {
  readonly dealId: string;
  /** What to tell the CRM; null = nothing differs. */
  readonly deal: DesiredDeal | null;
  readonly hashes: ReadonlyMap<string, string>;
  /** A row that the CRM refused as it still is: waits for a person or for tomorrow. */
  readonly stillRejected: boolean;
  /** All that is to be told was refused before, in these words, and is the same since. */
  readonly refusedFor: string | null;
}

/** The difference between desired and known. A row refused before is left alone while neither it nor the schema changed. */
export function planDeal(deal: WriteBackDeal, schemaVersion: string, wholeDeals: boolean): Plan {
  const known = new Map(deal.known.map((row) => [row.key, row]));
  const wordsFor = (key: string, hash: string) => {
    const row = known.get(key);
    return row?.rejectedHash === hash ? row.rejectedReason : null;
  };
  const refused = (key: string, hash: string) =>
    known.get(key)?.rejectedHash === hash && known.get(key)?.rejectedSchema === schemaVersion;
  const differing = deal.desired.filter((row) => known.get(row.key)?.writtenHash !== row.hash);
  const rows = differing.filter((row) => !refused(row.key, row.hash));
  const desiredKeys = new Set(deal.desired.map((row) => row.key));
  const stale = deal.known.filter((row) => !desiredKeys.has(row.key) && row.writtenHash !== null);
  const retire = stale.filter((row) => !refused(row.key, 'retire'));
  const words = new Set([
    ...rows.map((row) => wordsFor(row.key, row.hash)),
    ...retire.map((row) => wordsFor(row.key, 'retire')),
  ]);
  const [only = null] = words;
  return {
    dealId: deal.dealId,
    deal:
      words.size > 0
        ? {
            dealExternalId: deal.dealExternalId,
            rows: wholeDeals ? deal.desired : rows,
            retire: retire.map(({ key, crmRowId }) => ({ key, crmRowId })),
          }
        : null,
    hashes: new Map(deal.desired.map((row) => [row.key, row.hash])),
    stillRejected: rows.length < differing.length || retire.length < stale.length,
    refusedFor: words.size === 1 ? only : null,
  };
}

/**
 * Of deals that were all refused in the same words one goes first; while it is refused in those words still, the others are
 * not sent: a rule of the account costs a call a day, not a call per row.
 */
export function splitAlike(plans: readonly Plan[]): {
  readonly first: readonly Plan[];
  /** By the deal that goes before them. */
  readonly held: ReadonlyMap<Plan, readonly Plan[]>;
} {
  const held = new Map<Plan, readonly Plan[]>();
  const first: Plan[] = [];
  for (const [words, group] of Map.groupBy(plans, (plan) => plan.refusedFor)) {
    const [probe, ...others] = group;
    if (words === null || probe === undefined || group.length < ALIKE) first.push(...group);
    else {
      first.push(probe);
      held.set(probe, others);
    }
  }
  return { first, held };
}

/** The same refusal for all that the plans would have told the CRM. */
export function refuseAll(plans: readonly Plan[], reason: string, message: string): readonly RowOutcome[] {
  return plans.flatMap(({ deal }) =>
    [...(deal?.rows ?? []), ...(deal?.retire ?? [])].map(({ key }) => ({
      dealExternalId: deal?.dealExternalId ?? '',
      key,
      result: { status: 'rejected' as const, reason, message },
    })),
  );
}

export function toAttempts(plans: readonly Plan[], outcomes: readonly RowOutcome[]): readonly AttemptedRow[] {
  const planOf = new Map(
    plans.flatMap((plan) => (plan.deal ? [[plan.deal.dealExternalId, plan] as const] : [])),
  );
  return outcomes.flatMap((outcome) => {
    const plan = planOf.get(outcome.dealExternalId);
    if (plan === undefined) return [];
    const row = plan.deal?.rows.find(({ key }) => key === outcome.key);
    const accountExternalId = row?.partnerAccountExternalId ?? null;
    return [{ dealId: plan.dealId, outcome, hash: plan.hashes.get(outcome.key) ?? null, accountExternalId }];
  });
}
