import { createHash, randomUUID } from 'node:crypto';
import type { Tx } from '../platform/db/client.ts';
import { markWork } from '../platform/jobs/work-store.ts';
import { effectiveAnchor } from './anchor.ts';
import { attribute, ENGINE_VERSION } from './attribute.ts';
import { encodeInput, hashInput } from './input-codec.ts';
import { type LoadedDeal, loadInputs } from './input-store.ts';
import { findAppliedRuleSet } from './rule-set-store.ts';
import {
  dropResults,
  findDealsInCrm,
  findLatestHashes,
  findToday,
  type NewRun,
  saveBlocked,
  saveRuns,
} from './run-store.ts';
import type { AttributionInput, AttributionResult, RuleSet } from './types.ts';

/**
 * Runs the pure core again for these deals, under their row locks, and stores what is new with the write-back it asks
 * for, in the caller's transaction. @returns how many runs were stored.
 * @param options.moreToCome other deals follow at once: the write-back need not wake up for these alone, and so fills
 * the CRM's batches.
 */
export async function recompute(
  tx: Tx,
  organizationId: string,
  dealIds: readonly string[],
  now: Date,
  options: { readonly causedAt?: string; readonly moreToCome?: boolean } = {},
): Promise<number> {
  const ruleSet = await findAppliedRuleSet(tx, organizationId);
  const todayOn = await findToday(tx, organizationId, now);
  const loaded = await loadInputs(tx, organizationId, dealIds);
  const latest = await findLatestHashes(
    tx,
    organizationId,
    loaded.map(({ deal }) => deal.id),
  );
  const runs: NewRun[] = [];
  const blocked: { dealId: string; reason: string | null }[] = [];
  const dropped: string[] = [];
  for (const item of loaded) {
    const before = latest.get(item.deal.id);
    if (item.deleted || item.beforeHistory) {
      if (before !== undefined) dropped.push(item.deal.id);
    } else if (item.deal.blockedReason !== null) {
      if (before !== undefined && before.blockedReason !== item.deal.blockedReason)
        blocked.push({ dealId: item.deal.id, reason: item.deal.blockedReason });
    } else {
      const prepared = prepareRun(item, ruleSet, todayOn);
      if (prepared.inputHash !== before?.inputHash) runs.push(completeRun(prepared, before === undefined));
      else if (before.blockedReason !== null) blocked.push({ dealId: item.deal.id, reason: null });
    }
  }
  await saveRuns(tx, organizationId, ruleSet, runs, now);
  await saveBlocked(tx, organizationId, blocked);
  await dropResults(tx, organizationId, dropped);
  const changed = new Set([...runs.map((r) => r.dealId), ...blocked.map((b) => b.dealId), ...dropped]);
  await markWriteBack(
    tx,
    organizationId,
    loaded.filter((item) => changed.has(item.deal.id)),
    now,
    options,
  );
  return runs.length;
}

function prepareRun(item: LoadedDeal, ruleSet: RuleSet, todayOn: string) {
  const anchorOn =
    item.deal.state === 'open'
      ? effectiveAnchor(todayOn, item.deal, item.activities, ruleSet.windowDays)
      : (item.closeOn ?? todayOn);
  const attributionInput: AttributionInput = {
    deal: item.deal,
    activities: item.activities,
    links: item.links,
    partners: item.partners,
    ruleSet,
    anchorOn,
  };
  const input = encodeInput(attributionInput);
  return {
    runId: randomUUID(),
    dealId: item.deal.id,
    anchorOn,
    input,
    inputHash: hashInput(input, ruleSet.version, ENGINE_VERSION),
    currency: item.deal.currency,
    attributionInput,
  };
}

function completeRun(prepared: ReturnType<typeof prepareRun>, first: boolean): NewRun {
  const result = attribute(prepared.attributionInput);
  return { ...prepared, first, result, resultHash: hashResult(result) };
}

/** SHA-256 (hex) over the result as the engine gave it: what a replay must reproduce. */
export function hashResult(result: AttributionResult): string {
  const text = JSON.stringify(result, (_key, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  );
  return createHash('sha256').update(text).digest('hex');
}

/** Marks deals for write-back that have, or had, rows in a CRM; the rest have nothing to say there. */
async function markWriteBack(
  tx: Tx,
  organizationId: string,
  items: readonly LoadedDeal[],
  now: Date,
  { moreToCome, causedAt }: Parameters<typeof recompute>[4] = {},
): Promise<void> {
  if (items.length === 0) return;
  const withRows = await findDealsInCrm(
    tx,
    organizationId,
    items.map((item) => item.deal.id),
  );
  for (const [connectionId, group] of Map.groupBy(items, (item) => item.connectionId)) {
    await markWork(
      tx,
      { organizationId, lane: 'write-back', scopeId: connectionId },
      group.map((item) => item.deal.id).filter((id) => withRows.has(id)),
      now,
      { silently: moreToCome === true, ...(causedAt === undefined ? {} : { causedAt }) },
    );
  }
}
