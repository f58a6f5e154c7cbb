import { expect, test } from 'vitest';
import { omittedWhenEmpty, withEmptyFields } from '../../../connectors/hubspot/empty-fields.ts';

const deal = (properties: Record<string, string | null>) => ({
  id: '1',
  properties,
  createdAt: '2026-01-01T00:00:00Z',
  updatedAt: '2026-01-01T00:00:00Z',
});
const all = new Set(['amount', 'deal_currency_code', 'closedate', 'dealstage']);
const full = { amount: '1', deal_currency_code: 'EUR', closedate: '2026-01-01T00:00:00Z', dealstage: 'a' };
const { amount: _, ...withoutAmount } = full;

test('an account that shows empty properties as null leaves nothing out', () => {
  expect(
    omittedWhenEmpty([deal(full), deal({ ...withoutAmount, amount: null }), deal(withoutAmount)], all),
  ).toEqual([]);
});

test('a listed property that some deals show and others leave out is left out when empty', () => {
  expect(omittedWhenEmpty([deal(full), deal(withoutAmount)], all)).toEqual(['amount']);
});

test('a property that no deal shows, or that the account does not list for us, counts as hidden', () => {
  expect(omittedWhenEmpty([deal(withoutAmount), deal(withoutAmount)], all)).toEqual([]);
  expect(omittedWhenEmpty([deal(full), deal(withoutAmount)], new Set(['dealstage']))).toEqual([]);
});

test('only what is known to be left out when empty is filled in as empty', () => {
  const facts = { quirks: { omittedWhenEmpty: 'amount' } } as never;
  expect(withEmptyFields({ dealstage: 'a' }, facts)).toEqual({ dealstage: 'a', amount: null });
  expect(withEmptyFields({ dealstage: 'a' }, null)).toEqual({ dealstage: 'a' });
});
