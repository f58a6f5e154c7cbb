import fc from 'fast-check';
import { expect, test } from 'vitest';
import { attribute } from '../../src/attribution/attribute.ts';
import { type CardParts, CardViewSchema, toCardView } from '../../src/attribution/card-view.ts';
import type { AttributionInput } from '../../src/attribution/types.ts';
import { arbitraryInput, makeActivity, makeDeal, makeInput, SEED } from './make-input.ts';

const partsOf = (input: AttributionInput, changes: Partial<CardParts> = {}): CardParts => ({
  deal: { id: input.deal.id, externalId: '4711', name: 'New office' },
  amountMinor: input.deal.amountMinor,
  currency: input.deal.currency,
  exponent: 2,
  blockedReason: input.deal.blockedReason,
  result: attribute(input),
  modelOfRecord: 'role_based',
  windowDays: input.ruleSet.windowDays,
  activities: input.activities,
  activityUrls: new Map([['1', 'https://crm.example/meeting/1']]),
  partners: new Map([['a', { name: 'Acme', url: 'https://crm.example/company/9' }]]),
  writeBack: { status: 'written', message: null, at: '2026-07-01T10:00:00.000Z' },
  notice: null,
  asOf: '2026-07-01T10:00:00.000Z',
  may: { claim: true, simulate: false },
  ...changes,
});

const input = makeInput([
  makeActivity('1', '2026-06-01', { label: 'Demo' }),
  makeActivity('2', '2026-06-02', { outcome: 'cancelled' }),
  makeActivity('3', '2026-06-03', { accountIds: ['b-account'] }),
]);

test('a card shows every model with names, links, money as text and two decimals of percent', () => {
  const view = toCardView(partsOf(input));
  expect(view.models.map(({ name, label }) => `${name} ${label}`)).toEqual([
    'equal_split Equal split',
    'first_touch First touch',
    'last_touch Last touch',
    'time_decay Time decay',
    'role_based Role based',
  ]);
  expect(view.models[4]?.credits[0]).toEqual({
    partner: { id: 'a', name: 'Acme', url: 'https://crm.example/company/9' },
    sharePercent: '62.50',
    money: { amountMinor: '6250', currency: 'EUR', exponent: 2 },
    role: 'influenced',
    state: 'earned',
    reason: '1 touchpoint: demo on 1 Jun 2026; 25 of 40 role points, 62.5 %',
    evidence: [
      {
        url: 'https://crm.example/meeting/1',
        kind: 'meeting',
        type: 'demo',
        occurredOn: '2026-06-01',
        sharePercent: '62.50',
      },
    ],
  });
  expect(view.models[4]?.credits[1]?.partner).toEqual({
    id: 'b',
    name: 'A partner without a name',
    url: null,
  });
  expect(view.exclusions).toEqual([
    {
      partner: { id: 'a', name: 'Acme' },
      kind: 'meeting',
      occurredOn: '2026-06-02',
      reason: 'not_happened',
      words: 'It did not happen, or not yet: only what took place counts.',
      url: null,
    },
  ]);
});

test('without a known exponent there is no money; a blocked deal says why', () => {
  expect(toCardView(partsOf(input, { exponent: null })).deal.money).toBeNull();
  const blocked = { ...input, deal: makeDeal({ blockedReason: 'The amount is hidden from us.' }) };
  expect(toCardView(partsOf(blocked)).deal).toMatchObject({
    state: 'blocked',
    blockedReason: 'The amount is hidden from us.',
  });
});

test('every card passes its own schema, also after a trip through JSON', () => {
  fc.assert(
    fc.property(arbitraryInput, (one) => {
      const view = toCardView(partsOf(one));
      expect(CardViewSchema.parse(JSON.parse(JSON.stringify(view)))).toEqual(view);
    }),
    { seed: SEED, numRuns: 100 },
  );
});

test('a friendly state is a card too', () => {
  const view = {
    version: 1,
    status: 'unknown_deal',
    message: 'This deal is still on its way.',
    asOf: '2026-07-01T10:00:00.000Z',
  };
  expect(CardViewSchema.parse(view)).toEqual(view);
  expect(CardViewSchema.safeParse({ ...view, status: 'ready' }).success).toBe(false);
});
