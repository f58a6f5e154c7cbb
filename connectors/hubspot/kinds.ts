import type { AccountFacts, RecordKind } from '../connector.ts';
import { ACTIVITY_KINDS } from '../connector.ts';

/** HubSpot's object type ids; every dated path accepts them in place of a name. */
export const OBJECT_TYPE_IDS = {
  deal: '0-3',
  account: '0-2',
  contact: '0-1',
  note: '0-46',
  meeting: '0-47',
  call: '0-48',
  email: '0-49',
  task: '0-27',
} as const satisfies Record<RecordKind, string>;

const PLURALS = {
  deal: 'deals',
  account: 'companies',
  contact: 'contacts',
  note: 'notes',
  meeting: 'meetings',
  call: 'calls',
  email: 'emails',
  task: 'tasks',
} as const satisfies Record<RecordKind, string>;

/** The name HubSpot uses in paths, e.g. `companies` for an account. */
export function toObjectName(kind: RecordKind): string {
  return PLURALS[kind];
}

/** The kind behind an object type id (`0-3`) or an upper-case name (`DEAL`); null for one that we do not read. */
export function toKind(objectType: string): RecordKind | null {
  const name = objectType.toLowerCase();
  if (name === 'company') return 'account';
  for (const kind of Object.keys(OBJECT_TYPE_IDS) as RecordKind[]) {
    if (OBJECT_TYPE_IDS[kind] === name || kind === name || PLURALS[kind] === name) return kind;
  }
  return null;
}

/** The property that carries the last modification; contacts differ from every other kind. */
export function modifiedProperty(kind: RecordKind): string {
  return kind === 'contact' ? 'lastmodifieddate' : 'hs_lastmodifieddate';
}

/** Kinds whose ids a record of `kind` must carry, so whose associations are read along with it. */
export function associatedKinds(kind: RecordKind): readonly RecordKind[] {
  if (kind === 'account') return [];
  if (kind === 'contact') return ['account'];
  if (kind === 'deal') return ['account', ...ACTIVITY_KINDS];
  return ['deal', 'contact', 'account'];
}

/** Facts only: bodies of mails and notes and subject lines are never asked for. */
const PROPERTIES = {
  deal: [
    'hs_object_id',
    'hs_lastmodifieddate',
    'hs_merged_object_ids',
    'createdate',
    'closedate',
    'dealname',
    'dealstage',
    'pipeline',
    'amount',
    'deal_currency_code',
    'hubspot_owner_id',
    'hs_closed_won_date',
  ],
  account: ['name', 'domain', 'type', 'hs_parent_company_id', 'hs_merged_object_ids', 'hs_lastmodifieddate'],
  contact: ['email', 'hs_merged_object_ids', 'lastmodifieddate'],
  meeting: [
    'hs_timestamp',
    'hs_createdate',
    'hs_activity_type',
    'hs_meeting_outcome',
    'hs_meeting_start_time',
    'hs_meeting_end_time',
    'hs_lastmodifieddate',
  ],
  call: [
    'hs_timestamp',
    'hs_createdate',
    'hs_activity_type',
    'hs_call_status',
    'hs_call_direction',
    'hs_call_disposition',
    'hs_lastmodifieddate',
  ],
  email: ['hs_timestamp', 'hs_createdate', 'hs_email_status', 'hs_email_direction', 'hs_lastmodifieddate'],
  note: ['hs_timestamp', 'hs_createdate', 'hs_lastmodifieddate'],
  task: [
    'hs_timestamp',
    'hs_createdate',
    'hs_task_status',
    'hs_task_type',
    'hs_task_completion_date',
    'hs_lastmodifieddate',
  ],
} as const satisfies Record<RecordKind, readonly string[]>;

/** Deal properties without which a deal cannot be credited: hidden means blocked, never zero. */
export const ESSENTIAL_DEAL_PROPERTIES = ['amount', 'deal_currency_code', 'closedate', 'dealstage'] as const;

/** HubSpot's "date entered stage" property of a stage, or null when the stage's id cannot be part of a name. */
export function dateEnteredProperty(stageId: string): string | null {
  return /^[a-z0-9_]+$/i.test(stageId) ? `hs_v2_date_entered_${stageId}` : null;
}

/** Everything to ask for when reading records of `kind`: the won stages' entry dates and the partner fields too. */
export function propertiesOf(
  context: { readonly facts: AccountFacts | null; readonly partnerFields: readonly string[] },
  kind: RecordKind,
): readonly string[] {
  if (kind !== 'deal') return PROPERTIES[kind];
  const stages = (context.facts?.pipelines ?? []).flatMap((pipeline) => pipeline.stages);
  const won = stages.filter((stage) => stage.state === 'won');
  // A URL has a length; accounts with more won stages than this fall back to HubSpot's own closed-won date.
  const entered = won.slice(0, 40).flatMap((stage) => dateEnteredProperty(stage.id) ?? []);
  return [...new Set([...PROPERTIES.deal, ...entered, ...context.partnerFields])];
}
