import { expect, test } from 'vitest';
import type { AccountFacts } from '../../../connectors/connector.ts';
import { UNKNOWN } from '../../../connectors/connector.ts';
import { toStageState } from '../../../connectors/hubspot/account.ts';
import { exponentOf } from '../../../connectors/hubspot/currency.ts';
import type { Associations } from '../../../connectors/hubspot/mapper.ts';
import { toArchived, toPresent } from '../../../connectors/hubspot/mapper.ts';
import { toInstant, toOutcome } from '../../../connectors/hubspot/outcome.ts';

const READ_AT = '2026-11-20T10:00:00.000Z';
const FACTS: AccountFacts = {
  externalId: '1',
  name: null,
  timeZone: 'Europe/Berlin',
  homeCurrency: 'EUR',
  currencies: { EUR: 2, JPY: 0 },
  pipelines: [
    {
      id: 'p1',
      label: 'New',
      stages: [
        { id: 'open1', label: 'Open', state: 'open' },
        { id: 'won1', label: 'Won', state: 'won' },
        { id: 'won-2', label: 'Won, signed', state: 'won' },
      ],
    },
    { id: 'p2', label: 'Renewal', stages: [{ id: 'lost1', label: 'Lost', state: 'lost' }] },
  ],
  owners: [],
  dealAccountLabels: [],
  partnerFieldCandidates: [],
  recordBaseUrl: 'https://app.hubspot.com/contacts/1',
  edition: null,
};
const FULL = {
  dealname: 'Acme',
  pipeline: 'p1',
  dealstage: 'won1',
  amount: '100.50',
  deal_currency_code: 'JPY',
  closedate: '2026-10-01T00:00:00Z',
  createdate: '2026-01-01T00:00:00Z',
  hubspot_owner_id: '9',
  hs_merged_object_ids: '11;12',
  hs_v2_date_entered_won1: '2026-09-30T08:00:00.5Z',
  hs_closed_won_date: '2026-09-30T09:00:00Z',
};
const object = (properties: Record<string, string | null>) => ({
  id: '42',
  properties,
  createdAt: '2026-01-02T00:00:00Z',
  updatedAt: '2026-11-01T00:00:00Z',
  archived: false,
});
function toDeal(
  properties: Record<string, string | null>,
  associations: Associations = {},
  facts: AccountFacts | null = FACTS,
) {
  const snapshot = toPresent('deal', object(properties), associations, {
    facts,
    partnerFields: ['referrer'],
    readAt: READ_AT,
  });
  if (snapshot.status !== 'present' || snapshot.record.kind !== 'deal') throw new Error('no deal');
  return { ...snapshot, record: snapshot.record };
}
const without = (name: keyof typeof FULL) =>
  Object.fromEntries(Object.entries(FULL).filter(([key]) => key !== name));

test('a set of activities that was not read is unknown, not empty', () => {
  const sets = { account: [], meeting: [], call: [], note: [], task: [] };
  expect(toDeal(FULL, sets).record).toMatchObject({ activities: [], unknownActivityKinds: ['email'] });
});

test('a deal in full', () => {
  const snapshot = toDeal(
    { ...FULL, referrer: '  Globex ' },
    {
      account: [
        {
          toObjectId: '7',
          associationTypes: [
            { category: 'HUBSPOT_DEFINED', typeId: 341, label: null },
            { category: 'HUBSPOT_DEFINED', typeId: 5, label: 'Primary' },
          ],
        },
        {
          toObjectId: '8',
          associationTypes: [
            { category: 'HUBSPOT_DEFINED', typeId: 341, label: null },
            { category: 'USER_DEFINED', typeId: 5, label: 'Partner' },
            { category: 'USER_DEFINED', typeId: 9, label: 'Reseller' },
          ],
        },
      ],
      meeting: [{ toObjectId: '70', associationTypes: [] }],
      note: [{ toObjectId: '71', associationTypes: [] }],
      call: [],
      email: [],
      task: [],
    },
  );
  expect(snapshot).toMatchObject({
    ref: { kind: 'deal', externalId: '42' },
    changedAt: '2026-11-01T00:00:00.000Z',
    readAt: READ_AT,
    mergedExternalIds: ['11', '12'],
  });
  expect(snapshot.record).toEqual({
    kind: 'deal',
    name: 'Acme',
    pipelineId: 'p1',
    stageId: 'won1',
    state: 'won',
    amount: '100.50',
    currency: 'JPY',
    closeAt: '2026-10-01T00:00:00.000Z',
    createdAt: '2026-01-01T00:00:00.000Z',
    wonAt: '2026-09-30T08:00:00.500Z',
    ownerExternalId: '9',
    accounts: [
      { externalId: '7', primary: true, labels: [] },
      { externalId: '8', primary: false, labels: ['Partner', 'Reseller'] },
    ],
    partnerFields: { referrer: 'Globex' },
    activities: [
      { kind: 'meeting', externalId: '70' },
      { kind: 'note', externalId: '71' },
    ],
  });
});

test.each([
  ['dealstage', 'state'],
  ['amount', 'amount'],
  ['deal_currency_code', 'currency'],
  ['closedate', 'closeAt'],
] as const)('a hidden %s is unknown, never empty', (property, field) => {
  expect(toDeal(without(property)).record[field]).toBe(UNKNOWN);
});

test('empty is empty', () => {
  const { record } = toDeal({ ...FULL, amount: null, closedate: '', hs_merged_object_ids: null });
  expect(record).toMatchObject({ amount: null, closeAt: null });
});

test.each([
  ['0', '0'],
  ['-5.00', '-5.00'],
  ['1.5E7', '15000000'],
  ['1.25e1', '12.5'],
  ['12E-3', '0.012'],
  ['+7', '7'],
  ['0012.10', '12.10'],
  ['12345678901234567890.12', '12345678901234567890.12'],
  ['NaN', UNKNOWN],
  ['1,000', UNKNOWN],
])('the amount %s is %s, digit by digit', (text, amount) => {
  expect(toDeal({ ...FULL, amount: text }).record.amount).toBe(amount);
});

test.each([
  [{ deal_currency_code: null }, FACTS, 'EUR'],
  [{ deal_currency_code: null }, null, UNKNOWN],
  [{ deal_currency_code: 'usd' }, null, 'USD'],
])('currency %j', (properties, facts, currency) => {
  expect(toDeal({ ...FULL, ...properties }, {}, facts).record.currency).toBe(currency);
});

test('an account with one currency has nothing to hide', () => {
  const one = { ...FACTS, currencies: { EUR: 2 } };
  expect(toDeal(without('deal_currency_code'), {}, one).record.currency).toBe('EUR');
});

test.each([
  ['p1', 'open1', 'open'],
  ['p2', 'lost1', 'lost'],
  ['p1', 'lost1', UNKNOWN],
  ['p1', 'gone', UNKNOWN],
  ['archived-pipeline', 'lost1', 'lost'],
  ['p1', null, UNKNOWN],
])('stage %s/%s is %s by the pipeline itself', (pipeline, dealstage, state) => {
  expect(toDeal({ ...FULL, pipeline, dealstage }).record.state).toBe(state);
});

test('without pipelines every stage is unknown', () => {
  expect(toDeal(FULL, {}, null).record.state).toBe(UNKNOWN);
});

test('won at: the stage entry, else the closed-won date, and only for a won deal', () => {
  expect(toDeal({ ...FULL, hs_v2_date_entered_won1: null }).record.wonAt).toBe('2026-09-30T09:00:00.000Z');
  expect(toDeal({ ...FULL, dealstage: 'won-2' }).record.wonAt).toBe('2026-09-30T09:00:00.000Z');
  expect(toDeal({ ...FULL, dealstage: 'open1' }).record.wonAt).toBeNull();
});

test('a partner field that holds prose is left alone', () => {
  expect(toDeal({ ...FULL, referrer: 'x'.repeat(256) }).record.partnerFields).toEqual({});
});

test('archiving does not move the modification date: its own instant counts', () => {
  const archived = toArchived(
    'deal',
    { ...object(FULL), archived: true, archivedAt: '2026-11-05T00:00:00Z' },
    READ_AT,
  );
  expect(archived).toMatchObject({ status: 'missing', changedAt: '2026-11-05T00:00:00.000Z' });
});

test.each([
  ['meeting', { hs_meeting_outcome: 'COMPLETED' }, 'done'],
  ['meeting', { hs_meeting_outcome: 'SCHEDULED', hs_timestamp: '2026-01-01T00:00:00Z' }, 'planned'],
  ['meeting', { hs_meeting_outcome: 'RESCHEDULED' }, 'cancelled'],
  ['meeting', { hs_meeting_outcome: 'CANCELED' }, 'cancelled'],
  ['meeting', { hs_meeting_outcome: 'NO_SHOW' }, 'no_show'],
  ['meeting', { hs_meeting_outcome: 'no show' }, 'no_show'],
  ['meeting', { hs_meeting_outcome: 'Went well' }, 'unknown'],
  ['meeting', { hs_meeting_start_time: '2026-11-19T10:00:00Z' }, 'unknown'],
  ['meeting', { hs_meeting_start_time: '2026-11-21T10:00:00Z' }, 'planned'],
  ['call', { hs_call_status: 'COMPLETED' }, 'done'],
  [
    'call',
    { hs_call_status: 'COMPLETED', hs_call_disposition: '73a0d17f-1163-4015-bdd5-ec830791da20' },
    'failed',
  ],
  ['call', { hs_call_disposition: 'f240bbac-87c9-4f6e-bf70-924b57d47db7' }, 'done'],
  ['call', { hs_call_status: 'NO_ANSWER' }, 'failed'],
  ['call', { hs_call_status: 'CANCELED' }, 'cancelled'],
  ['call', { hs_call_status: 'QUEUED' }, 'planned'],
  ['call', {}, 'unknown'],
  ['email', { hs_email_status: 'SENT' }, 'done'],
  ['email', { hs_email_status: 'BOUNCED' }, 'bounced'],
  ['email', { hs_email_status: 'FAILED' }, 'failed'],
  ['email', { hs_email_status: 'SCHEDULED' }, 'planned'],
  ['email', { hs_email_status: null, hs_email_direction: 'INCOMING_EMAIL' }, 'done'],
  ['email', { hs_email_status: null, hs_email_direction: 'EMAIL' }, 'unknown'],
  ['task', { hs_task_status: 'COMPLETED' }, 'done'],
  ['task', { hs_task_status: 'WAITING' }, 'planned'],
  ['task', {}, 'unknown'],
  ['note', {}, 'done'],
] as const)('%s %j: %s', (kind, properties, outcome) => {
  expect(toOutcome(kind, properties, READ_AT)).toBe(outcome);
});

test('an activity says when, what kind and who, and no subject', () => {
  const properties = {
    hs_timestamp: '1715203101896',
    hs_createdate: '2026-02-01T00:00:00Z',
    hs_call_status: 'COMPLETED',
    hs_call_direction: 'INBOUND',
    hs_activity_type: 'Demo',
    hs_call_title: 'secret',
  };
  const to = (toObjectId: string) => [{ toObjectId, associationTypes: [] }];
  const snapshot = toPresent(
    'call',
    object(properties),
    { deal: to('1'), contact: to('2'), account: to('3') },
    { facts: null, partnerFields: [], readAt: READ_AT },
  );
  expect(snapshot).toMatchObject({
    status: 'present',
    record: {
      kind: 'call',
      occurredAt: '2024-05-08T21:18:21.896Z',
      loggedAt: '2026-02-01T00:00:00.000Z',
      outcome: 'done',
      label: 'Demo',
      direction: 'inbound',
      dealExternalIds: ['1'],
      contactExternalIds: ['2'],
      accountExternalIds: ['3'],
    },
  });
  expect(JSON.stringify(snapshot)).not.toContain('secret');
});

test.each([
  [{ probability: 1, isClosed: 'true' }, 'won'],
  [{ probability: 0, isClosed: 'true' }, 'lost'],
  [{ probability: 0.9, isClosed: 'false' }, 'open'],
  [{ probability: 1 }, 'won'],
  [{ probability: 0 }, 'lost'],
  [{}, 'open'],
] as const)('stage metadata %j is %s', (metadata, state) => {
  expect(toStageState(metadata)).toBe(state);
});

test.each([
  ['EUR', 2],
  ['JPY', 0],
  ['KWD', 3],
  ['HUF', 2],
  ['COP', 2],
  ['IQD', 3],
  ['CLF', 4],
] as const)('%s has %d minor digits by ISO 4217, whatever Intl shows', (currency, exponent) => {
  expect(exponentOf(currency)).toBe(exponent);
});

test.each([
  ['', null],
  [null, null],
  ['rubbish', null],
  ['0', '1970-01-01T00:00:00.000Z'],
  ['2026-11-20T10:00:00+01:00', '2026-11-20T09:00:00.000Z'],
])('instant %j → %s', (text, instant) => {
  expect(toInstant(text)).toBe(instant);
});
