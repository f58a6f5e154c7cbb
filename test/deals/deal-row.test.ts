import { expect, test } from 'vitest';
import { type DealRecord, UNKNOWN } from '../../connectors/connector.ts';
import { toDealRow } from '../../src/deals/deal-row.ts';

const AT = '2026-11-20T10:00:00.000Z';
const EXPONENTS = { USD: 2, JPY: 0, KWD: 3 };
const deal = (values: Partial<DealRecord>): DealRecord => ({
  kind: 'deal',
  name: 'A deal',
  pipelineId: 'default',
  stageId: 'open',
  state: 'open',
  amount: '1000',
  currency: 'USD',
  closeAt: AT,
  createdAt: AT,
  wonAt: null,
  ownerExternalId: null,
  accounts: [],
  partnerFields: {},
  activities: [],
  ...values,
});
const rowOf = (values: Partial<DealRecord>) =>
  toDealRow({ ref: { kind: 'deal', externalId: '1' }, changedAt: AT, readAt: AT }, deal(values), EXPONENTS);

test.each([
  ['1000', 'USD', 100_000n, 2],
  ['0.1', 'USD', 10n, 2],
  ['-12.50', 'USD', -1250n, 2],
  ['1.10', 'KWD', 1100n, 3],
  ['500', 'JPY', 500n, 0],
  ['12.00', 'JPY', 12n, 0],
  ['90071992547409931.23', 'USD', 9_007_199_254_740_993_123n, 2],
  [null, 'USD', null, 2],
  ['  ', 'USD', null, 2],
])('the amount %s %s is %s minor units', (amount, currency, amountMinor, exponent) => {
  expect(rowOf({ amount, currency })).toMatchObject({ amountMinor, currency, exponent, blockedReason: null });
});

test.each<[string, Partial<DealRecord>, RegExp]>([
  ['a hidden amount', { amount: UNKNOWN }, /amount is hidden/],
  ['a hidden currency', { currency: UNKNOWN }, /currency is hidden/],
  ['no currency', { currency: null }, /currency is hidden/],
  ['a currency that the account does not know', { currency: 'CHF' }, /CHF is not among/],
  ['more decimals than the currency has', { amount: '0.5', currency: 'JPY' }, /at most 0 decimals/],
  ['an amount that is no number', { amount: '1,000' }, /not a number/],
])('%s blocks the deal and leaves no money, not zero', (_, values, reason) => {
  const row = rowOf(values);
  expect(row).toMatchObject({ amountMinor: null, currency: null, exponent: null });
  expect(row.blockedReason).toMatch(reason);
});

test.each<[string, Partial<DealRecord>, RegExp | null]>([
  ['a stage nobody knows', { state: UNKNOWN, stageId: 'x' }, /stage "x"/],
  ['won without a close date', { state: 'won', closeAt: null }, /close date/],
  ['lost with a hidden close date', { state: 'lost', closeAt: UNKNOWN }, /close date/],
  ['open without a close date', { state: 'open', closeAt: null }, null],
  ['open with a hidden close date', { state: 'open', closeAt: UNKNOWN }, null],
])('%s: blocked only when a result would need it', (_, values, reason) => {
  const row = rowOf(values);
  if (reason === null) expect(row.blockedReason).toBeNull();
  else expect(row.blockedReason).toMatch(reason);
});

test('each company has a plain row and one for each label; the primary one is marked once', () => {
  const accounts = [{ externalId: '7', primary: true, labels: ['Reseller', 'Referrer'] }];
  expect(rowOf({ accounts }).accounts).toEqual([
    { externalId: '7', label: '', primary: true },
    { externalId: '7', label: 'Reseller', primary: false },
    { externalId: '7', label: 'Referrer', primary: false },
  ]);
});

test('partner fields are trimmed, and an empty one is none', () => {
  expect(rowOf({ partnerFields: { a: ' Acme ', b: ' ' } }).fields).toEqual([{ name: 'a', value: 'Acme' }]);
});
