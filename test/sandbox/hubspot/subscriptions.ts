import type { Subscription } from './options.ts';

const OBJECTS = ['deal', 'company', 'contact', 'meeting', 'call', 'email', 'note', 'task'] as const;
const PROPERTIES: Readonly<Record<(typeof OBJECTS)[number], readonly string[]>> = {
  deal: [
    'dealname',
    'amount',
    'deal_currency_code',
    'closedate',
    'dealstage',
    'pipeline',
    'hubspot_owner_id',
    'referral_partner',
  ],
  company: ['name', 'domain', 'type'],
  contact: ['email'],
  meeting: ['hs_meeting_start_time', 'hs_meeting_outcome', 'hs_activity_type', 'hs_timestamp'],
  call: ['hs_call_status', 'hs_call_disposition', 'hs_activity_type', 'hs_timestamp'],
  email: ['hs_email_status', 'hs_email_direction', 'hs_timestamp'],
  note: ['hs_timestamp'],
  task: ['hs_task_status', 'hs_task_completion_date', 'hs_timestamp'],
};

/** Every event about the records that matter to attribution: one entry per property, as HubSpot demands. */
export function installSubscriptions(): Subscription[] {
  const kinds = ['creation', 'deletion', 'restore', 'merge', 'associationChange'];
  const ofRecords = OBJECTS.flatMap((objectType) => [
    ...kinds.map((kind) => ({ subscriptionType: `object.${kind}`, objectType })),
    ...PROPERTIES[objectType].map((propertyName) => ({
      subscriptionType: 'object.propertyChange',
      objectType,
      propertyName,
    })),
  ]);
  return [...ofRecords, { subscriptionType: 'contact.privacyDeletion' }];
}
