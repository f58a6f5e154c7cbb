import { CALL_DISPOSITIONS } from './catalogue.ts';
import { DAY_MS, iso, type Seeding } from './seeding.ts';
import type { SeededDeal } from './world-deals.ts';
import { MEETING_TYPES } from './world-ground.ts';

type Values = Readonly<Record<string, string | null>>;
const KINDS = [
  'meetings',
  'meetings',
  'meetings',
  'calls',
  'calls',
  'emails',
  'emails',
  'emails',
  'notes',
  'tasks',
] as const;

/** Meetings, calls, mails, notes and tasks around the deals, with everything that can become of them. */
export function seedActivities(seeding: Seeding, deals: readonly SeededDeal[], count: number): void {
  const withPartners = deals.filter((deal) => deal.partners.length > 0);
  for (let n = 0; n < count; n += 1) {
    const deal = seeding.random.pick(seeding.random.chance(0.75) ? withPartners : deals);
    seedActivity(seeding, deals, deal);
  }
}

function seedActivity(seeding: Seeding, deals: readonly SeededDeal[], deal: SeededDeal): void {
  const { random, nowMs } = seeding;
  const kind = random.pick(KINDS);
  const future = kind === 'meetings' && random.chance(0.04);
  const atMs = future
    ? nowMs + random.between(1, 30) * DAY_MS
    : random.between(deal.createdAtMs - 20 * DAY_MS, deal.endMs);
  const loggedAtMs = Math.min(future ? nowMs - DAY_MS : atMs + random.between(0, 3) * 3_600_000, nowMs);
  const activity = seeding.add(kind, valuesOf(seeding, kind, atMs, future), loggedAtMs);
  const from = { type: kind, id: activity.id };
  // A few are logged on the people only, a few on two deals at once.
  if (!random.chance(0.03)) seeding.link(from, { type: 'deals', id: deal.id });
  if (random.chance(0.03)) seeding.link(from, { type: 'deals', id: random.pick(deals).id });
  const partner = random.chance(0.8) ? deal.partners[random.between(0, deal.partners.length - 1)] : undefined;
  for (const company of partner === undefined ? [deal.customer] : [deal.customer, partner]) {
    if (company.contacts.length > 0)
      seeding.link(from, { type: 'contacts', id: random.pick(company.contacts) });
    if (random.chance(0.6)) seeding.link(from, { type: 'companies', id: company.id });
  }
}

function valuesOf(
  { random, portal }: Seeding,
  kind: (typeof KINDS)[number],
  atMs: number,
  future: boolean,
): Values {
  const common = { hs_timestamp: iso(atMs), hubspot_owner_id: random.pick(portal.owners).id };
  const type = random.chance(0.7) ? random.pick(MEETING_TYPES) : null;
  switch (kind) {
    case 'meetings':
      return {
        ...common,
        hs_activity_type: type,
        hs_meeting_title: `${type ?? 'Catch-up'} with partner`,
        hs_meeting_start_time: iso(atMs),
        hs_meeting_end_time: iso(atMs + 2_700_000),
        hs_meeting_outcome: future
          ? 'SCHEDULED'
          : random.pick([
              'COMPLETED',
              'COMPLETED',
              'COMPLETED',
              'COMPLETED',
              'SCHEDULED',
              'RESCHEDULED',
              'NO_SHOW',
              'CANCELED',
              null,
            ]),
      };
    case 'calls':
      return {
        ...common,
        hs_activity_type: random.chance(0.3) ? type : null,
        hs_call_title: 'Call',
        hs_call_direction: random.pick(['INBOUND', 'OUTBOUND']),
        hs_call_status: random.pick([
          'COMPLETED',
          'COMPLETED',
          'COMPLETED',
          'NO_ANSWER',
          'BUSY',
          'FAILED',
          'CANCELED',
          'MISSED',
        ]),
        hs_call_disposition: random.pick([
          CALL_DISPOSITIONS.connected,
          CALL_DISPOSITIONS.connected,
          ...Object.values(CALL_DISPOSITIONS),
          null,
        ]),
        hs_call_duration: String(random.between(0, 3_600_000)),
      };
    case 'emails':
      return {
        ...common,
        hs_email_subject: 'About the project',
        hs_email_text: 'Private text that nobody but the two of them should read.',
        hs_email_direction: random.pick(['EMAIL', 'EMAIL', 'INCOMING_EMAIL', 'FORWARDED_EMAIL']),
        hs_email_status: random.pick([
          'SENT',
          'SENT',
          'SENT',
          'SENT',
          'BOUNCED',
          'FAILED',
          'SCHEDULED',
          null,
        ]),
      };
    case 'notes':
      return { ...common, hs_note_body: 'Private note about the partner.' };
    case 'tasks': {
      const status = random.pick([
        'COMPLETED',
        'COMPLETED',
        'NOT_STARTED',
        'IN_PROGRESS',
        'WAITING',
        'DEFERRED',
      ]);
      return {
        ...common,
        hs_task_subject: 'Follow up',
        hs_task_type: random.pick(['TODO', 'CALL', 'EMAIL']),
        hs_task_status: status,
        hs_task_completion_date: status === 'COMPLETED' ? iso(atMs + 3_600_000) : null,
      };
    }
  }
}
