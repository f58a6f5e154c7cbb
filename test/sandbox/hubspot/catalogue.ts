import type { PropertyDefinition, PropertyOption } from './state.ts';

export interface StandardType {
  readonly typeId: string;
  readonly name: string;
  readonly singular: string;
  readonly createdProperty: string;
  readonly modifiedProperty: string;
  readonly defaultProperties: readonly string[];
  readonly groupName: string;
  /** `name kind`, kind one of KINDS; `!` = HubSpot computes it, nobody may write it. */
  readonly fields: readonly string[];
}

const KINDS: Readonly<Record<string, readonly [type: string, fieldType: string]>> = {
  text: ['string', 'text'],
  long: ['string', 'textarea'],
  number: ['number', 'number'],
  datetime: ['datetime', 'date'],
  date: ['date', 'date'],
  bool: ['bool', 'booleancheckbox'],
  choice: ['enumeration', 'select'],
};

const ENGAGEMENT = {
  createdProperty: 'hs_createdate',
  modifiedProperty: 'hs_lastmodifieddate',
  groupName: 'engagement',
} as const;
const EVERY_ENGAGEMENT = [
  'hs_object_id number!',
  'hs_createdate datetime!',
  'hs_lastmodifieddate datetime!',
  'hs_merged_object_ids choice!',
  'hs_timestamp datetime',
  'hs_activity_type choice',
  'hs_created_by number!',
  'hs_object_source_label text!',
  'hubspot_owner_id choice',
];
const engagementDefaults = ['hs_createdate', 'hs_lastmodifieddate', 'hs_object_id'];

/** The standard objects that the sandbox keeps, with HubSpot's own property names. */
export const STANDARD_TYPES: readonly StandardType[] = [
  {
    typeId: '0-1',
    name: 'contacts',
    singular: 'contact',
    createdProperty: 'createdate',
    modifiedProperty: 'lastmodifieddate',
    groupName: 'contactinformation',
    defaultProperties: ['createdate', 'email', 'firstname', 'hs_object_id', 'lastmodifieddate', 'lastname'],
    fields: [
      'hs_object_id number!',
      'createdate datetime!',
      'lastmodifieddate datetime!',
      'hs_merged_object_ids choice!',
      'email text',
      'hs_additional_emails choice',
      'firstname text',
      'lastname text',
      'phone text',
      'jobtitle text',
      'company text',
      'lifecyclestage choice',
      'associatedcompanyid number',
      'hubspot_owner_id choice',
    ],
  },
  {
    typeId: '0-2',
    name: 'companies',
    singular: 'company',
    createdProperty: 'createdate',
    modifiedProperty: 'hs_lastmodifieddate',
    groupName: 'companyinformation',
    defaultProperties: ['createdate', 'domain', 'hs_lastmodifieddate', 'hs_object_id', 'name'],
    fields: [
      'hs_object_id number!',
      'createdate datetime!',
      'hs_lastmodifieddate datetime!',
      'hs_merged_object_ids choice!',
      'name text',
      'domain text',
      'website text',
      'type choice PROSPECT,PARTNER,RESELLER,VENDOR,OTHER',
      'hs_parent_company_id number!',
      'hs_num_child_companies number!',
      'industry choice',
      'country text',
      'lifecyclestage choice',
      'hubspot_owner_id choice',
    ],
  },
  {
    typeId: '0-3',
    name: 'deals',
    singular: 'deal',
    createdProperty: 'createdate',
    modifiedProperty: 'hs_lastmodifieddate',
    groupName: 'dealinformation',
    defaultProperties: [
      'amount',
      'closedate',
      'createdate',
      'dealname',
      'dealstage',
      'hs_lastmodifieddate',
      'hs_object_id',
      'pipeline',
    ],
    fields: [
      'hs_object_id number!',
      'createdate datetime!',
      'hs_lastmodifieddate datetime!',
      'hs_merged_object_ids choice!',
      'dealname text',
      'amount number',
      'deal_currency_code choice',
      'amount_in_home_currency number!',
      'hs_exchange_rate number!',
      'closedate datetime',
      'pipeline choice',
      'dealstage choice',
      'dealtype choice newbusiness,existingbusiness',
      'description long',
      'hubspot_owner_id choice',
      'hs_is_closed bool!',
      'hs_is_closed_won bool!',
      'hs_is_closed_lost bool!',
      'hs_closed_won_date datetime!',
      'hs_deal_stage_probability number!',
      'hs_num_associated_active_deal_registrations number!',
      'num_associated_contacts number!',
      'hs_created_by_user_id number!',
      'hs_object_source_label text!',
    ],
  },
  {
    ...ENGAGEMENT,
    typeId: '0-27',
    name: 'tasks',
    singular: 'task',
    defaultProperties: engagementDefaults,
    fields: [
      ...EVERY_ENGAGEMENT,
      'hs_task_subject text',
      'hs_task_body long',
      'hs_task_status choice NOT_STARTED,IN_PROGRESS,WAITING,DEFERRED,COMPLETED',
      'hs_task_type choice TODO,CALL,EMAIL,LINKED_IN,MEETING',
      'hs_task_priority choice NONE,LOW,MEDIUM,HIGH',
      'hs_task_completion_date datetime',
      'hs_task_is_completed number!',
    ],
  },
  {
    ...ENGAGEMENT,
    typeId: '0-46',
    name: 'notes',
    singular: 'note',
    defaultProperties: engagementDefaults,
    fields: [...EVERY_ENGAGEMENT, 'hs_note_body long', 'hs_attachment_ids choice'],
  },
  {
    ...ENGAGEMENT,
    typeId: '0-47',
    name: 'meetings',
    singular: 'meeting',
    defaultProperties: engagementDefaults,
    fields: [
      ...EVERY_ENGAGEMENT,
      'hs_meeting_title text',
      'hs_meeting_body long',
      'hs_internal_meeting_notes long',
      'hs_meeting_location text',
      'hs_meeting_start_time datetime',
      'hs_meeting_end_time datetime',
      'hs_meeting_outcome choice SCHEDULED,COMPLETED,RESCHEDULED,NO_SHOW,CANCELED',
    ],
  },
  {
    ...ENGAGEMENT,
    typeId: '0-48',
    name: 'calls',
    singular: 'call',
    defaultProperties: engagementDefaults,
    fields: [
      ...EVERY_ENGAGEMENT,
      'hs_call_title text',
      'hs_call_body long',
      'hs_call_direction choice INBOUND,OUTBOUND',
      'hs_call_status choice BUSY,CALLING_CRM_USER,CANCELED,COMPLETED,CONNECTING,FAILED,IN_PROGRESS,MISSED,NO_ANSWER,QUEUED,RINGING',
      'hs_call_disposition choice',
      'hs_call_duration number',
    ],
  },
  {
    ...ENGAGEMENT,
    typeId: '0-49',
    name: 'emails',
    singular: 'email',
    defaultProperties: engagementDefaults,
    fields: [
      ...EVERY_ENGAGEMENT,
      'hs_email_subject text',
      'hs_email_text long',
      'hs_email_html long',
      'hs_email_direction choice EMAIL,INCOMING_EMAIL,FORWARDED_EMAIL',
      'hs_email_status choice BOUNCED,FAILED,SCHEDULED,SENDING,SENT',
    ],
  },
];

/** Bodies and subjects of mails, which HubSpot gives only to apps with `sales-email-read`. */
export const EMAIL_CONTENT: ReadonlySet<string> = new Set([
  'hs_email_subject',
  'hs_email_text',
  'hs_email_html',
]);

/** HubSpot's own ids for what a call came to. */
export const CALL_DISPOSITIONS = {
  connected: 'f240bbac-87c9-4f6e-bf70-924b57d47db7',
  noAnswer: '73a0d17f-1163-4015-bdd5-ec830791da20',
  leftVoicemail: 'b2cf5968-551e-4856-9783-52b3da59a7d0',
  busy: '9d9162e7-6cf3-4944-bf63-4dff82258764',
  wrongNumber: '17b47fee-58de-441e-a44c-c6300d46f273',
} as const;

export function standardProperties(type: StandardType, at: string): PropertyDefinition[] {
  return type.fields.map((field) => {
    const [name = '', kindText = 'text', choices] = field.split(' ');
    const readOnly = kindText.endsWith('!');
    const [valueType, fieldType] = KINDS[kindText.replace('!', '')] ?? ['string', 'text'];
    const options: PropertyOption[] = (choices ?? '')
      .split(',')
      .filter((value) => value !== '')
      .map((value) => ({ value, label: value }));
    return {
      name,
      label: name,
      type: valueType,
      fieldType,
      groupName: type.groupName,
      description: '',
      options,
      hasUniqueValue: name === 'hs_object_id' || (type.name === 'contacts' && name === 'email'),
      hubspotDefined: true,
      readOnly,
      calculated: readOnly && name !== 'hs_object_id',
      createdAt: at,
      updatedAt: at,
      archived: false,
    };
  });
}
