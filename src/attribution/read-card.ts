import type { AccountFacts, RecordRef } from '../../connectors/connector.ts';
import type { Tx } from '../platform/db/client.ts';
import { attribute } from './attribute.ts';
import {
  type CardDeal,
  findCardDeal,
  findCardPartners,
  findEvidenceRecords,
  findWriteBack,
  hasPartnerLinks,
} from './card-store.ts';
import { type CardView, toCardView } from './card-view.ts';
import { findRuleSet } from './rule-set-store.ts';
import { findRun, type StoredRun } from './run-store.ts';

export interface CardConnection {
  readonly connectionId: string;
  readonly status: string;
  readonly facts: AccountFacts | null;
  /** Where a person opens a record of this connection. */
  recordUrl(facts: AccountFacts, ref: RecordRef): string;
}

/**
 * The card of a deal, from our own tables alone. The explanation is computed anew from the latest run's own input, so it
 * is the very calculation that gave the numbers. What there is nothing to say about is a friendly state, never an error.
 * @param connectionOf the connection a deal belongs to
 */
export async function readCard(
  tx: Tx,
  organizationId: string,
  key: Parameters<typeof findCardDeal>[2],
  connectionOf: (connectionId: string) => Promise<CardConnection | null>,
  now: Date,
): Promise<CardView> {
  const asOf = now.toISOString();
  const friendly = (status: Exclude<CardView['status'], 'ready'>, message: string): CardView => ({
    version: 1,
    status,
    message,
    asOf,
  });
  const deal = await findCardDeal(tx, organizationId, key);
  if (deal === null)
    return friendly('unknown_deal', 'This deal is not known here yet. New deals appear within a minute.');
  const connection = await connectionOf(deal.connectionId);
  const run =
    deal.runId === null
      ? null
      : await findRun(tx, organizationId, deal.runId, (version) => findRuleSet(tx, organizationId, version));
  if (run !== null && connection !== null) return readyCard(tx, organizationId, deal, run, connection);
  if (connection?.status === 'reconnect_needed')
    return friendly('reconnect_needed', 'The connection to the CRM must be made again by an admin.');
  if (deal.blockedReason !== null) return friendly('not_computed', deal.blockedReason);
  if (!(await hasPartnerLinks(tx, organizationId)))
    return friendly(
      'not_linked',
      'No company is linked to a partner yet. An admin can link partners in the console.',
    );
  return friendly('not_computed', 'The result of this deal is being computed.');
}

async function readyCard(
  tx: Tx,
  organizationId: string,
  deal: CardDeal,
  run: StoredRun,
  connection: CardConnection,
): Promise<CardView> {
  const computed = attribute(run.input);
  const result = deal.blockedReason === null ? computed : { ...computed, state: 'blocked' as const };
  const { facts } = connection;
  const urlOf = (ref: RecordRef) => (facts === null ? null : connection.recordUrl(facts, ref));
  const [records, partners, writeBack] = [
    await findEvidenceRecords(
      tx,
      organizationId,
      deal.externalId,
      run.input.activities.map((a) => a.id),
    ),
    await findCardPartners(
      tx,
      organizationId,
      deal.connectionId,
      run.input.partners.map((p) => p.id),
    ),
    await findWriteBack(tx, organizationId, deal),
  ];
  const activityUrls = [...records].flatMap(([id, ref]) => {
    const url = urlOf(ref);
    return url === null ? [] : [[id, url] as const];
  });
  return toCardView({
    deal: { id: deal.dealId, externalId: deal.externalId, name: deal.name },
    amountMinor: run.input.deal.amountMinor,
    currency: run.input.deal.currency,
    // A deal that is blocked since has lost its currency; the last result has not.
    exponent: deal.exponent ?? facts?.currencies[run.input.deal.currency ?? ''] ?? null,
    blockedReason: deal.blockedReason,
    result,
    modelOfRecord: run.input.ruleSet.modelOfRecord,
    windowDays: run.input.ruleSet.windowDays,
    activities: run.input.activities,
    activityUrls: new Map(activityUrls),
    partners: new Map(
      partners.map((p) => [
        p.id,
        {
          name: p.name,
          url:
            p.accountExternalId === null ? null : urlOf({ kind: 'account', externalId: p.accountExternalId }),
        },
      ]),
    ),
    writeBack,
    notice:
      connection.status === 'active'
        ? null
        : 'The connection to the CRM must be made again by an admin: later changes are not in here.',
    asOf: run.computedAt,
    // Adding evidence and what-if come with claims and simulation; until then nobody is offered them.
    may: { claim: false, simulate: false },
  });
}
