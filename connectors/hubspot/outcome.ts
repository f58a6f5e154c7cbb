import type { ActivityKind, ActivityRecord, Instant } from '../connector.ts';

export type Properties = Readonly<Record<string, string | null>>;
type Outcome = ActivityRecord['outcome'];

const MEETING: Readonly<Record<string, Outcome>> = {
  COMPLETED: 'done',
  SCHEDULED: 'planned',
  // The meeting of that hour did not take place; the one it was moved to is a meeting of its own.
  RESCHEDULED: 'cancelled',
  CANCELED: 'cancelled',
  CANCELLED: 'cancelled',
  NO_SHOW: 'no_show',
};
const CALL: Readonly<Record<string, Outcome>> = {
  COMPLETED: 'done',
  CANCELED: 'cancelled',
  BUSY: 'failed',
  FAILED: 'failed',
  NO_ANSWER: 'failed',
  MISSED: 'failed',
  QUEUED: 'planned',
  CONNECTING: 'planned',
  RINGING: 'planned',
  CALLING_CRM_USER: 'planned',
  IN_PROGRESS: 'planned',
};
/** HubSpot's fixed ids of call outcomes; those an account adds of its own are not in here and decide nothing. */
const REACHED_DISPOSITION = 'f240bbac-87c9-4f6e-bf70-924b57d47db7';
const UNREACHED_DISPOSITIONS = [
  '9d9162e7-6cf3-4944-bf63-4dff82258764', // busy
  'b2cf5968-551e-4856-9783-52b3da59a7d0', // left voicemail
  '73a0d17f-1163-4015-bdd5-ec830791da20', // no answer
  '17b47fee-58de-441e-a44c-c6300d46f273', // wrong number
];
const EMAIL: Readonly<Record<string, Outcome>> = {
  SENT: 'done',
  BOUNCED: 'bounced',
  FAILED: 'failed',
  SCHEDULED: 'planned',
  SENDING: 'planned',
};
const TASK: Readonly<Record<string, Outcome>> = {
  COMPLETED: 'done',
  NOT_STARTED: 'planned',
  IN_PROGRESS: 'planned',
  WAITING: 'planned',
  DEFERRED: 'planned',
};

/**
 * Did it happen? Values of HubSpot's activity guides; one that they do not name is `unknown` and does not count.
 *
 * A meeting without an outcome, or still `SCHEDULED` after its hour, is never taken as held: HubSpot documents
 * no such inference (the organizer sets the outcome), and a guess would move money.
 */
export function toOutcome(kind: ActivityKind, properties: Properties, readAt: Instant): Outcome {
  switch (kind) {
    case 'meeting': {
      const said = lookUp(MEETING, properties.hs_meeting_outcome);
      const startsAt = toInstant(properties.hs_meeting_start_time ?? properties.hs_timestamp);
      if (isBlank(properties.hs_meeting_outcome) && startsAt !== null && startsAt > readAt) return 'planned';
      return said;
    }
    case 'call': {
      const said = lookUp(CALL, properties.hs_call_status);
      const disposition = properties.hs_call_disposition?.toLowerCase() ?? '';
      if (said === 'done' && UNREACHED_DISPOSITIONS.includes(disposition)) return 'failed';
      if (isBlank(properties.hs_call_status) && disposition === REACHED_DISPOSITION) return 'done';
      return said;
    }
    case 'email':
      // A mail that came in has arrived; HubSpot keeps a send status only for what went out.
      if (isBlank(properties.hs_email_status) && properties.hs_email_direction === 'INCOMING_EMAIL')
        return 'done';
      return lookUp(EMAIL, properties.hs_email_status);
    case 'task':
      return lookUp(TASK, properties.hs_task_status);
    case 'note':
      return 'done';
  }
}

/** When it happened: a meeting's start, a done task's completion, else HubSpot's place on the timeline. */
export function toOccurredAt(kind: ActivityKind, properties: Properties): Instant | null {
  const own =
    kind === 'meeting'
      ? properties.hs_meeting_start_time
      : kind === 'task' && properties.hs_task_status === 'COMPLETED'
        ? properties.hs_task_completion_date
        : null;
  return toInstant(own) ?? toInstant(properties.hs_timestamp);
}

export function toDirection(kind: ActivityKind, properties: Properties): ActivityRecord['direction'] {
  const said =
    kind === 'call' ? properties.hs_call_direction : kind === 'email' ? properties.hs_email_direction : null;
  if (said === 'INBOUND' || said === 'INCOMING_EMAIL') return 'inbound';
  if (said === 'OUTBOUND' || said === 'EMAIL') return 'outbound';
  return null;
}

/** The account's own activity type; subjects are never read. */
export function toLabel(kind: ActivityKind, properties: Properties): string | null {
  const type = kind === 'task' ? properties.hs_task_type : properties.hs_activity_type;
  return isBlank(type) ? null : (type ?? null);
}

/** HubSpot writes instants as ISO 8601 or as milliseconds since 1970; null when empty or neither. */
export function toInstant(value: string | null | undefined): Instant | null {
  if (value === null || value === undefined || value.trim() === '') return null;
  const date = new Date(/^-?\d+$/.test(value) ? Number(value) : value);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

function lookUp(table: Readonly<Record<string, Outcome>>, value: string | null | undefined): Outcome {
  const name = (value ?? '')
    .trim()
    .toUpperCase()
    .replaceAll(/[\s-]+/g, '_');
  return Object.hasOwn(table, name) ? (table[name] ?? 'unknown') : 'unknown';
}

function isBlank(value: string | null | undefined): boolean {
  return value === null || value === undefined || value.trim() === '';
}
