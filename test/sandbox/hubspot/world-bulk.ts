import { createRandom } from './random.ts';
import { portalNamed } from './sandbox.ts';
import type { HubSpotSandboxState } from './sandbox-state.ts';
import { createSeeding, DAY_MS, iso } from './seeding.ts';
import { layGround, PARTNER_LABELS } from './world-ground.ts';

export interface BulkOptions {
  readonly seed?: number;
  readonly deals?: number;
  readonly partners?: number;
  readonly customers?: number;
  /** Completed meetings, each on one deal with one of the partner's people. */
  readonly meetings?: number;
}

/** A large, plain portal for counting calls: every deal has a customer, every third also a partner. */
export function seedBulk(sandbox: HubSpotSandboxState, portalId: number, options: BulkOptions = {}): void {
  const { deals = 100_000, partners = 200, customers = 20_000, meetings = 0 } = options;
  const portal = portalNamed(sandbox, portalId);
  const random = createRandom(options.seed ?? 1);
  const seeding = createSeeding(portal, random, sandbox.nowMs());
  const startMs = sandbox.nowMs() - 540 * DAY_MS;
  layGround(seeding);
  const companyIds: string[] = [];
  const people: string[] = [];
  for (let n = 0; n < partners; n += 1) {
    const domain = `partner${n}.example`;
    const company = seeding.add('companies', { name: `Partner ${n}`, domain, type: 'PARTNER' }, startMs);
    const contact = seeding.add('contacts', { email: `person@${domain}` }, startMs);
    seeding.link({ type: 'contacts', id: contact.id }, { type: 'companies', id: company.id }, 'Primary');
    companyIds.push(company.id);
    people.push(contact.id);
  }
  const customerIds = Array.from(
    { length: customers },
    (_, n) =>
      seeding.add('companies', { name: `Customer ${n}`, domain: `customer${n}.example`, type: null }, startMs)
        .id,
  );
  const stepMs = (540 * DAY_MS) / deals;
  const dealIds: string[] = [];
  for (let n = 0; n < deals; n += 1) {
    const createdAtMs = Math.floor(startMs + n * stepMs);
    const at = iso(createdAtMs);
    const won = n % 2 === 0;
    const deal = seeding.add(
      'deals',
      {
        dealname: `Deal ${n}`,
        amount: String(1_000 + (n % 9_000)),
        pipeline: 'default',
        dealstage: won ? 'closedwon' : 'qualifiedtobuy',
        closedate: at,
        deal_currency_code: 'USD',
        hs_is_closed: String(won),
        hs_is_closed_won: String(won),
        hs_closed_won_date: won ? at : null,
        ...(won ? { hs_v2_date_entered_closedwon: at } : {}),
      },
      createdAtMs,
    );
    dealIds.push(deal.id);
    const from = { type: 'deals', id: deal.id };
    seeding.link(from, { type: 'companies', id: customerIds[n % customers] ?? '' }, 'Primary');
    if (n % 3 === 0) {
      const label = PARTNER_LABELS[n % PARTNER_LABELS.length] ?? PARTNER_LABELS[0];
      seeding.link(from, { type: 'companies', id: companyIds[n % partners] ?? '' }, label);
    }
  }
  for (let n = 0; n < meetings; n += 1) {
    const atMs = Math.floor(startMs + (n * 540 * DAY_MS) / meetings);
    const at = iso(atMs);
    const meeting = seeding.add(
      'meetings',
      {
        hs_timestamp: at,
        hs_meeting_start_time: at,
        hs_meeting_outcome: 'COMPLETED',
        hs_activity_type: 'Demo',
      },
      atMs,
    );
    const from = { type: 'meetings', id: meeting.id };
    seeding.link(from, { type: 'deals', id: dealIds[n % deals] ?? '' });
    seeding.link(from, { type: 'contacts', id: people[n % partners] ?? '' });
  }
}
