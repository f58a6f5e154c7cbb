import { expect, test } from 'vitest';
import type { WrittenCredit } from '../../connectors/connector.ts';
import { findWrongRows } from '../../src/sync/row-drift.ts';
import type { WriteBackDeal } from '../../src/sync/write-back-store.ts';

const desired = {
  key: 'd:p',
  partnerId: 'p',
  partnerName: 'P',
  partnerAccountExternalId: null,
  sharePercent: '40.00',
  amount: '1200.50',
  currency: 'EUR',
  role: 'sourced',
  model: 'role_based',
  state: 'earned',
  reason: 'r',
  computedAt: '2026-01-01T00:00:00.000Z',
  runId: 'r',
  hash: 'h',
} as const;
const known = (key: string, writtenHash: string | null) => ({
  key,
  dealExternalId: 'd',
  crmRowId: '1',
  writtenHash,
  rejectedHash: null,
  rejectedSchema: null,
  rejectedReason: null,
  accountExternalId: null,
});
const deal = (writtenHash: string | null): WriteBackDeal => ({
  dealId: 'deal',
  dealExternalId: 'd',
  desired: [desired],
  known: [known('d:p', writtenHash)],
});
const stands: WrittenCredit = {
  dealExternalId: 'd',
  key: 'd:p',
  crmRowId: '1',
  sharePercent: '40',
  amount: '1200.5',
  role: 'sourced',
  model: 'role_based',
  state: 'earned',
};

test('the same numbers in the CRM’s own spelling are no difference', () => {
  expect(findWrongRows(deal('h'), [stands])).toEqual([]);
  expect(findWrongRows(deal('h'), [{ ...stands, role: null, state: null, model: null }])).toEqual([]);
});

test.each([
  ['share', { sharePercent: '41' }],
  ['money', { amount: '1200.51' }],
  ['missing money', { amount: null }],
  ['role', { role: 'influenced' }],
  ['model', { model: 'equal_split' }],
  ['state', { state: 'projected' }],
])('a changed %s is found', (_name, change) => {
  expect(findWrongRows(deal('h'), [{ ...stands, ...change }])).toMatchObject([{ key: 'd:p', stands: false }]);
});

test('a deleted row is found; one that waits to be written anyway is none', () => {
  expect(findWrongRows(deal('h'), [])).toMatchObject([{ key: 'd:p', crmRowId: null }]);
  expect(findWrongRows(deal('older'), [])).toEqual([]);
});

test('a row that nobody wants any more and that we do not know is found, so that it is retired', () => {
  const ghost = { ...stands, key: 'd:gone', crmRowId: '9' };
  expect(findWrongRows(deal('h'), [stands, ghost])).toEqual([
    { dealId: 'deal', dealExternalId: 'd', key: 'd:gone', crmRowId: '9', stands: true },
  ]);
});
