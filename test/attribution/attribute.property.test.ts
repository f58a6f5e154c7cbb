import fc from 'fast-check';
import { expect, test } from 'vitest';
import { attribute } from '../../src/attribution/attribute.ts';
import { encodeInput } from '../../src/attribution/input-codec.ts';
import { addShares, toShare } from '../../src/attribution/money.ts';
import { type AttributionInput, MODELS, type Share } from '../../src/attribution/types.ts';
import { naiveAttribute } from '../oracle/naive-attribution.ts';
import { arbitraryInput, SEED } from './make-input.ts';

const OPTIONS = { seed: SEED, numRuns: 300 };
const sumShares = (shares: readonly Share[]): Share => shares.reduce(addShares, toShare(0n, 1n));

test('money and basis points of credits and the rest sum to the whole', () => {
  fc.assert(
    fc.property(arbitraryInput, (input) => {
      const result = attribute(input);
      for (const name of MODELS) {
        const { credits, unattributedBps, unattributedMinor } = result.models[name];
        expect(credits.reduce((sum, one) => sum + one.shareBps, unattributedBps)).toBe(10_000);
        if (unattributedMinor === null) expect(credits.every((one) => one.amountMinor === null)).toBe(true);
        else {
          const money = credits.reduce((sum, one) => sum + (one.amountMinor ?? 0n), unattributedMinor);
          expect(money).toBe(input.deal.amountMinor);
        }
      }
    }),
    OPTIONS,
  );
});

test('exact shares sum to one less the house share, contributions to their share', () => {
  fc.assert(
    fc.property(arbitraryInput, (input) => {
      const result = attribute(input);
      for (const name of MODELS) {
        const { credits } = result.models[name];
        if (credits.length === 0) continue;
        const house = toShare(BigInt(input.ruleSet.houseSharePpm), 1_000_000n);
        expect(sumShares([...credits.map((one) => one.share), house])).toEqual({
          numerator: 1n,
          denominator: 1n,
        });
        for (const one of credits)
          expect(sumShares(one.contributions.map(({ share }) => share))).toEqual(one.share);
      }
    }),
    OPTIONS,
  );
});

const shuffled = (input: AttributionInput): fc.Arbitrary<AttributionInput> => {
  const shuffle = <T>(rows: readonly T[]) =>
    fc.shuffledSubarray([...rows, ...rows.slice(0, 2)], {
      minLength: rows.length + Math.min(rows.length, 2),
    });
  return fc
    .record({
      activities: shuffle(input.activities),
      links: shuffle(input.links),
      partners: shuffle(input.partners),
    })
    .map((rows) => ({
      ...input,
      ...rows,
      activities: rows.activities.map((one) => ({ ...one, accountIds: one.accountIds.toReversed() })),
    }));
};

test('the order of the input and duplicates in it change neither the result nor the bytes', () => {
  const pair = arbitraryInput.chain((input) => fc.tuple(fc.constant(input), shuffled(input)));
  fc.assert(
    fc.property(pair, ([input, other]) => {
      expect(attribute(other)).toEqual(attribute(input));
      expect(encodeInput(other)).toEqual(encodeInput(input));
    }),
    OPTIONS,
  );
});

test('another amount leaves every share as it was', () => {
  fc.assert(
    fc.property(arbitraryInput, fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }), (input, amountMinor) => {
      fc.pre(input.deal.amountMinor !== null);
      const shares = (one: AttributionInput) =>
        MODELS.map((name) =>
          attribute(one).models[name].credits.map(({ share, shareBps }) => ({ share, shareBps })),
        );
      expect(shares({ ...input, deal: { ...input.deal, amountMinor } })).toEqual(shares(input));
    }),
    OPTIONS,
  );
});

test('the engine and the naive second implementation agree on every credit', () => {
  let credits = 0;
  fc.assert(
    fc.property(arbitraryInput, (input) => {
      const result = attribute(input);
      const models = Object.fromEntries(
        MODELS.map((name) => {
          const { credits: rows, unattributedBps, unattributedMinor } = result.models[name];
          credits += rows.length;
          const sorted = rows
            .map(({ partnerId, shareBps, amountMinor }) => ({ partnerId, bps: shareBps, money: amountMinor }))
            .sort((a, b) => (a.partnerId < b.partnerId ? -1 : 1));
          return [name, { credits: sorted, unattributedBps, unattributedMoney: unattributedMinor }];
        }),
      );
      expect({ state: result.state, models }).toEqual(naiveAttribute(input));
    }),
    { seed: SEED, numRuns: 1000 },
  );
  // Agreement on nothing would prove nothing.
  expect(credits).toBeGreaterThan(1000);
});
