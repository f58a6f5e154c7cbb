import { type CardSeen, compareCard, compareRowsOf, type Difference } from '../oracle/portal-drift.ts';
import { createPortalOracle, type OracleTerms } from '../oracle/portal-oracle.ts';
import type { CallLog } from '../sandbox/hubspot/call-log.ts';
import { cardFetch } from '../sandbox/hubspot/card-proxy.ts';
import type { HubSpotSandbox } from '../sandbox/hubspot/sandbox.ts';
import type { LiveChange } from './live-changes.ts';
import { PORTAL_ID } from './portal.ts';
import type { Patience } from './waiting.ts';

/** Milliseconds since the first delivery of the change's webhook. */
export interface Seen {
  readonly recomputeMs: number;
  readonly rowMs: number;
  readonly cardMs: number;
}
export type Watched =
  | { readonly status: 'seen'; readonly seen: Seen }
  | { readonly status: 'missed'; readonly differences: readonly Difference[] };

/** Association calls that may be made at once, and how long one takes to come back. */
const BUCKET = { size: 19, refillMs: 132 } as const;

const LOOK_MS = 4;
const GIVE_UP_MS = 30_000;

/**
 * Lets a person change something in the CRM and watches until the CRM's rows and the card's answer say what they must.
 * Everything travels as in life: a signed webhook to us, our calls to the CRM, the card through the CRM's proxy.
 */
export async function watchChange(
  patience: Patience,
  sandbox: HubSpotSandbox,
  publicUrl: string,
  terms: Omit<OracleTerms, 'now'>,
  change: LiveChange,
): Promise<Watched> {
  const { clock, signal } = patience;
  const portal = sandbox.portal(PORTAL_ID);
  const before = sandbox.webhooks.deliveries.length;
  const dealId = change.act();
  const startMs = clock.now().getTime();
  const oracle = createPortalOracle(portal, { ...terms, now: clock.now() });
  const expected = oracle.expect(dealId);
  const sinceDelivery = (ms: number) =>
    ms - Date.parse(sandbox.webhooks.deliveries[before]?.at ?? new Date(startMs).toISOString());
  let rowsAtMs: number | null = null;
  for (;;) {
    signal.throwIfAborted();
    let differences: readonly Difference[] = compareRowsOf(portal, expected);
    if (differences.length === 0) {
      rowsAtMs ??= clock.now().getTime();
      const card = await readCard(sandbox, publicUrl, dealId);
      differences = compareCard(expected, card);
      if (differences.length === 0 && card.writeBack?.status === 'written') {
        const recomputedAtMs = Date.parse(card.asOf ?? '');
        return {
          status: 'seen',
          seen: {
            recomputeMs: sinceDelivery(recomputedAtMs),
            rowMs: sinceDelivery(rowsAtMs),
            cardMs: sinceDelivery(clock.now().getTime()),
          },
        };
      }
    }
    if (clock.now().getTime() - startMs > GIVE_UP_MS) return { status: 'missed', differences };
    await clock.sleep(LOOK_MS, signal);
  }
}

async function readCard(sandbox: HubSpotSandbox, publicUrl: string, dealId: string): Promise<CardSeen> {
  const response = await cardFetch(
    sandbox,
    { portalId: PORTAL_ID, userId: 880_001, userEmail: 'rep1@seller.example' },
    { url: `${publicUrl}/cards/deal?dealId=${dealId}` },
  );
  return (await response.json()) as CardSeen;
}

/**
 * People edit one thing after the other. HubSpot gives associations a bucket for everybody, of which we spend 95 calls in
 * ten seconds; a change that comes while it is empty would measure HubSpot's limit instead of us.
 */
export async function takeBreath({ clock, signal }: Patience, { calls }: CallLog): Promise<void> {
  let [left, lastMs]: [number, number] = [BUCKET.size, 0];
  for (const { operation, at } of calls) {
    if (!operation.startsWith('associations.')) continue;
    const ms = Date.parse(at);
    left = Math.min(BUCKET.size, left + (ms - lastMs) / BUCKET.refillMs) - 1;
    lastMs = ms;
  }
  const fullAtMs = lastMs + (BUCKET.size - left) * BUCKET.refillMs;
  await clock.sleep(Math.max(0, fullAtMs - clock.now().getTime()), signal);
}
