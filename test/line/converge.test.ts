import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Knobs } from '../sandbox/hubspot/options.ts';
import { HOUR_MS, type Line, MINUTE_MS, openLine } from './harness.ts';
import { openSmallWorld, type SmallWorld } from './small-world.ts';
import { readCrmRows, readResults, settleTiesByName, wantedCrmRows } from './state.ts';

let line: Line;
beforeAll(async () => {
  line = await openLine();
  await settleTiesByName(line);
});
afterAll(() => line.close());

/** What a person may do next; `a` and `b` choose among the records that stand. */
type Action = { readonly what: (typeof ACTIONS)[number]; readonly a: number; readonly b: number };
const ACTIONS = [
  'new deal',
  'amount',
  'win',
  'reopen',
  'lose',
  'meet',
  'label',
  'unlabel',
  'merge deals',
  'archive deal',
  'restore deal',
  'archive meeting',
  'restore meeting',
  'cancel meeting',
  'rename',
  'wait',
  'settle',
  'poll',
] as const;
const action: fc.Arbitrary<Action> = fc.record({
  what: fc.constantFrom(...ACTIONS),
  a: fc.nat(50),
  b: fc.nat(50),
});
/** How badly the webhooks arrive. */
const webhooks: fc.Arbitrary<Knobs['webhooks']> = fc.record({
  delayMs: fc.constantFrom({ min: 0, max: 0 }, { min: 0, max: 5_000 }, { min: 0, max: 4 * MINUTE_MS }),
  duplicate: fc.constantFrom(0, 0.5, 1),
  sharedEventId: fc.constantFrom(0, 0.5),
  reorder: fc.boolean(),
  maxBatch: fc.constantFrom(1, 3, 100),
});

test('duplicated, reordered, delayed and simultaneous webhooks end where a fresh read of the portal ends', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 6, maxLength: 22 }), webhooks, async (actions, knobs) => {
      const world = await openSmallWorld(line, { deals: 4 });
      Object.assign(line.sandbox.knobs.webhooks, knobs);
      const meetings: string[] = [];
      for (const each of actions) await act(world, meetings, each);
      await line.pass(10 * MINUTE_MS, 5);
      await expectFreshReadAgrees(world);
    }),
    { seed: 20_261_120, numRuns: 5, endOnFailure: true },
  );
}, 60_000);

test('with no webhook arriving at all, polls and the daily reconciliation end there too', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 6, maxLength: 20 }), async (actions) => {
      const world = await openSmallWorld(line, { deals: 4 });
      const meetings: string[] = [];
      for (const each of actions) {
        await act(world, meetings, each);
        line.sandbox.webhooks.clear();
      }
      await line.pass(26 * HOUR_MS, 4);
      await expectFreshReadAgrees(world);
    }),
    { seed: 20_261_120, numRuns: 3, endOnFailure: true },
  );
}, 60_000);

/** A second organization installs the same portal now: whatever it makes of it, the first must have come to as well. */
async function expectFreshReadAgrees({ portalId, tenant }: SmallWorld): Promise<void> {
  const fresh = await line.addTenant({ portalId });
  await fresh.start();
  expect(await readResults(line, tenant)).toEqual(await readResults(line, fresh));
  expect(await readCrmRows(line, tenant)).toEqual(await wantedCrmRows(line, tenant));
  expect(await tenant.setAside()).toEqual([]);
  // Nobody looks at these two again: their polls would only cost time.
  await line.sql`delete from work`;
}

async function act(world: SmallWorld, meetings: string[], { what, a, b }: Action): Promise<void> {
  const { portalId, partners, newDeal } = world;
  const { control, sandbox } = { control: line.sandbox.control, sandbox: line.sandbox };
  const rows = (typeId: string, archived: boolean) =>
    [...(sandbox.portal(portalId).tables.get(typeId)?.rows.values() ?? [])]
      .filter((row) => row.mergedInto === null && (row.archivedAtMs !== null) === archived)
      .map((row) => row.id);
  const pick = (ids: readonly string[], n: number) => ids[n % Math.max(1, ids.length)];
  const deals = rows('0-3', false);
  const deal = pick(deals, a);
  const company = { type: 'companies', id: partners[b % 3]?.companyId ?? '' };
  if (what === 'wait') return line.clock.advance(1 + a * b * 100);
  if (what === 'settle') return line.settle();
  if (what === 'poll') return line.pass(5 * MINUTE_MS);
  if (what === 'new deal') return void newDeal({ amount: String(100 * (a + 1)) });
  if (what.startsWith('restore')) {
    const typeId = what === 'restore deal' ? '0-3' : '0-47';
    const gone = pick(rows(typeId, true), a);
    if (gone !== undefined) control.restore(portalId, typeId === '0-3' ? 'deals' : 'meetings', gone);
    return;
  }
  const meeting = pick(rows('0-47', false), a);
  if (what === 'archive meeting' && meeting !== undefined) control.archive(portalId, 'meetings', meeting);
  if (what === 'cancel meeting' && meeting !== undefined)
    control.update(portalId, 'meetings', meeting, { hs_meeting_outcome: b % 2 ? 'CANCELED' : 'COMPLETED' });
  if (deal === undefined) return;
  if (what === 'amount') control.updateDeal(portalId, deal, { amount: b === 0 ? '' : String(b * 12.5) });
  if (what === 'rename') control.updateDeal(portalId, deal, { dealname: `Renamed ${b}` });
  if (what === 'win') control.moveStage(portalId, deal, 'closedwon');
  if (what === 'lose') control.moveStage(portalId, deal, 'closedlost');
  if (what === 'reopen') control.moveStage(portalId, deal, 'qualifiedtobuy');
  if (what === 'meet') meetings.push(world.meet(deal, b % 3, a));
  if (what === 'label')
    control.associate(portalId, { type: 'deals', id: deal }, company, ['Referral partner']);
  if (what === 'unlabel') control.disassociate(portalId, { type: 'deals', id: deal }, company);
  if (what === 'archive deal') control.archive(portalId, 'deals', deal);
  const other = pick(deals, b);
  if (what === 'merge deals' && other !== undefined && other !== deal)
    control.mergeDeals(portalId, deal, other);
}
