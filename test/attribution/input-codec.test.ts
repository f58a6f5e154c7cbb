import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { attribute } from '../../src/attribution/attribute.ts';
import { InputFormatError } from '../../src/attribution/bit-stream.ts';
import { toCanonicalInput } from '../../src/attribution/canonical-input.ts';
import { decodeInput, encodeInput, hashInput } from '../../src/attribution/input-codec.ts';
import type { AttributionInput } from '../../src/attribution/types.ts';
import {
  arbitraryInput,
  makeActivity,
  makeDeal,
  makeInput,
  makeLink,
  makePartner,
  SEED,
} from './make-input.ts';

test('what is decoded is the canonical input, gives the same result and the same bytes again', () => {
  fc.assert(
    fc.property(arbitraryInput, (input) => {
      const bytes = encodeInput(input);
      const decoded = decodeInput(bytes, input.ruleSet);
      expect(decoded).toEqual(toCanonicalInput(input));
      expect(attribute(decoded)).toEqual(attribute(input));
      expect(encodeInput(decoded)).toEqual(bytes);
    }),
    { seed: SEED, numRuns: 400 },
  );
});

test('every fact that can change a result changes the bytes', () => {
  const input = makeInput([makeActivity('1', '2026-06-01')]);
  const others: AttributionInput[] = [
    { ...input, anchorOn: '2026-07-01' },
    { ...input, deal: makeDeal({ amountMinor: 10_001n }) },
    { ...input, deal: makeDeal({ amountMinor: -10_000n }) },
    { ...input, deal: makeDeal({ amountMinor: null }) },
    { ...input, deal: makeDeal({ currency: 'USD' }) },
    { ...input, deal: makeDeal({ customerAccountIds: ['a-account'] }) },
    { ...input, activities: [makeActivity('1', '2026-06-01', { label: 'Demo' })] },
    { ...input, activities: [makeActivity('1', '2026-06-01', { occurredAt: '2026-06-01T12:00:00.001Z' })] },
    { ...input, links: input.links.map((link) => ({ ...link, toOn: '2026-06-01' })) },
    { ...input, partners: input.partners.map((partner) => ({ ...partner, status: 'inactive' as const })) },
    { ...input, ruleSet: { ...input.ruleSet, version: 2 } },
  ];
  const texts = [input, ...others].map((one) => Buffer.from(encodeInput(one)).toString('hex'));
  expect(new Set(texts).size).toBe(texts.length);
});

test('what cannot matter is not in the bytes', () => {
  const input = makeInput([makeActivity('1', '2026-06-01')]);
  const other = makeInput(
    [
      makeActivity('1', '2026-06-01', { accountIds: ['a-account', 'nobody'] }),
      makeActivity('2', '2026-06-02', { accountIds: ['nobody'] }),
    ],
    {
      deal: makeDeal({ customerAccountIds: ['another customer'] }),
      links: [...input.links, makeLink('d', { id: 'a link id' })],
      partners: [...input.partners, makePartner('d')],
    },
  );
  expect(encodeInput(other)).toEqual(encodeInput(input));
  expect(attribute(other)).toEqual(attribute(input));
});

test('cut, lengthened, foreign and misdirected bytes are refused', () => {
  const input = makeInput([makeActivity('1', '2026-06-01')]);
  const bytes = encodeInput(input);
  for (let length = 0; length < bytes.length; length++) {
    expect(() => decodeInput(bytes.slice(0, length), input.ruleSet)).toThrow(InputFormatError);
  }
  expect(() => decodeInput(Uint8Array.from([...bytes, 0]), input.ruleSet)).toThrow(InputFormatError);
  expect(() => decodeInput(Uint8Array.from([2, ...bytes.slice(1)]), input.ruleSet)).toThrow(
    'input format 2 is not known',
  );
  expect(() => decodeInput(bytes, { ...input.ruleSet, version: 2 })).toThrow('belongs to rule set 1, not 2');
});

test('the hash depends on the bytes, the rule set and the engine', () => {
  const bytes = encodeInput(makeInput([]));
  const hashes = [
    hashInput(bytes, 1, 1),
    hashInput(bytes, 2, 1),
    hashInput(bytes, 1, 2),
    hashInput(bytes.slice(1), 1, 1),
  ];
  expect(new Set(hashes).size).toBe(4);
  expect(hashes[0]).toMatch(/^[0-9a-f]{64}$/);
  expect(hashInput(bytes, 1, 1)).toBe(hashes[0]);
});

/** Random-looking version 4 uuids and numbers, the same in every run. */
function createDice(): { uuid(): string; below(limit: number): number } {
  let state = SEED;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  const hex = (digits: number): string =>
    Array.from({ length: digits }, () => below(16).toString(16)).join('');
  return {
    below,
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-${(8 + below(4)).toString(16)}${hex(3)}-${hex(12)}`,
  };
}

test('20 activities of 5 partners stay within 700 bytes, deflated or not', () => {
  const dice = createDice();
  const partners = Array.from({ length: 5 }, () => makePartner(dice.uuid()));
  const accounts = partners.map(() => dice.uuid());
  const labels = [null, null, 'Demo', 'Proposal review', 'Discovery'];
  const activities = Array.from({ length: 20 }, () => {
    const kind = (['meeting', 'call', 'email', 'note'] as const)[dice.below(4)] ?? 'meeting';
    // Meetings start on five minutes, everything else at any second.
    const offsetSeconds = kind === 'meeting' ? 0 : dice.below(300);
    const occurredAtMs =
      Date.parse('2026-01-05T08:00:00.000Z') + dice.below(170 * 24 * 12) * 300_000 + offsetSeconds * 1000;
    return makeActivity(dice.uuid(), new Date(occurredAtMs).toISOString().slice(0, 10), {
      kind,
      label: labels[dice.below(5)] ?? null,
      occurredAt: new Date(occurredAtMs).toISOString(),
      loggedAt: new Date(occurredAtMs + dice.below(7_200_000)).toISOString(),
      direction: ([null, 'inbound', 'outbound'] as const)[dice.below(3)] ?? null,
      accountIds: [accounts[dice.below(5)] ?? ''],
    });
  });
  const bytes = encodeInput({
    ...makeInput(activities),
    deal: makeDeal({ id: dice.uuid(), customerAccountIds: [dice.uuid()], amountMinor: 1_234_567n }),
    partners,
    links: partners.map((partner, at) =>
      makeLink(partner.id, { accountId: accounts[at] ?? '', fromOn: at === 0 ? '2025-01-01' : null }),
    ),
  });
  expect(deflateRawSync(bytes).length).toBeLessThanOrEqual(700);
});

test('bytes of format 1, as stored, say today what they said then', () => {
  const stored =
    'AQdJ6WhACm24My5eWxCJl274tWlhwrcOPHv67umLEtw48e/ru6ZMuHZu39MqBkD/OvYQA+v4fHPrYtpUnDiwqKCYkIiEAia7fFP+AECxOIPwf/AoCv/0WDOAl6D//83wg8IPwJP/wH/AoA==';
  const input = makeInput([
    makeActivity('0f8e7d6c-5b4a-4938-a716-151413121110', '2026-06-01', { label: 'Demo' }),
    makeActivity('note 2', '2026-06-02', { kind: 'note', accountIds: ['b-account'] }),
  ]);
  expect(decodeInput(Buffer.from(stored, 'base64'), input.ruleSet)).toEqual(toCanonicalInput(input));
  expect(Buffer.from(encodeInput(input)).toString('base64')).toBe(stored);
  expect(hashInput(encodeInput(input), 1, 1)).toBe(
    '1a0230995c54e720e11ce0da330c3440ec03cb35fcf48df6acaed79325c9439d',
  );
});
