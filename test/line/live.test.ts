import { afterAll, beforeAll, expect, test } from 'vitest';
import { attribute } from '../../src/attribution/attribute.ts';
import { hashResult } from '../../src/attribution/recompute.ts';
import { findRuleSet } from '../../src/attribution/rule-set-store.ts';
import { findRun } from '../../src/attribution/run-store.ts';
import { withOrganization } from '../../src/platform/db/client.ts';
import { DAY_MS, HOUR_MS, type Line, MINUTE_MS, openLine } from './harness.ts';
import { openSmallWorld } from './small-world.ts';
import { countRuns, ourRows, readCrmRows, readRecords, wantedCrmRows } from './state.ts';
import { sharesOf } from './tenant.ts';

let line: Line;
beforeAll(async () => {
  line = await openLine();
});
afterAll(() => line.close());

const second = () => line.clock.advance(1_000);

test('an edited amount stands in the CRM row and on the card', async () => {
  const { portalId, tenant, newDeal, meet } = await openSmallWorld(line);
  const deal = newDeal();
  meet(deal, 0);
  await line.settle();
  expect(await tenant.card(deal)).toMatchObject({
    status: 'ready',
    deal: { money: { amountMinor: '100000' } },
  });
  await second();
  line.sandbox.control.updateDeal(portalId, deal, { amount: '2500.50' });
  await line.settle();
  expect(await tenant.card(deal)).toMatchObject({
    deal: { money: { amountMinor: '250050' }, state: 'projected' },
    writeBack: { status: 'written' },
  });
  expect((await readCrmRows(line, tenant)).filter((row) => row.deal === deal)).toMatchObject([
    { share: 100, amount: 2500.5, state: 'projected' },
  ]);
});

test('a logged meeting with a partner’s person gives that partner a share, with a link to the meeting', async () => {
  const { portalId, tenant, newDeal, meet } = await openSmallWorld(line);
  const deal = newDeal();
  await line.settle();
  expect(sharesOf(await tenant.card(deal))).toEqual([]);
  meet(deal, 1, 3);
  await second();
  const later = meet(deal, 2);
  await line.settle();
  const card = await tenant.card(deal);
  expect(sharesOf(card)).toHaveLength(2);
  const urls = card.models?.[0]?.credits.flatMap((credit) => credit.evidence.map((e) => e.url)) ?? [];
  expect(urls.some((url) => url?.includes(String(portalId)) && url.endsWith(`/0-47/${later}`))).toBe(true);
  expect(await readCrmRows(line, tenant)).toEqual(await wantedCrmRows(line, tenant));
});

test('won, reopened, lost and won again: the state follows, and the second win is counted', async () => {
  const { portalId, tenant, newDeal, meet } = await openSmallWorld(line);
  const deal = newDeal();
  meet(deal, 0);
  const states: unknown[] = [];
  for (const stage of ['closedwon', 'qualifiedtobuy', 'closedlost', 'closedwon']) {
    await second();
    line.sandbox.control.moveStage(portalId, deal, stage);
    await line.settle();
    const row = (await readCrmRows(line, tenant)).find((each) => each.deal === deal);
    states.push([(await tenant.card(deal)).deal?.state, row?.state, row?.amount]);
  }
  expect(states).toEqual([
    ['earned', 'earned', 1000],
    ['projected', 'projected', 1000],
    ['lost', 'lost', null],
    ['earned', 'earned', 1000],
  ]);
  const { deals } = await readRecords(line, tenant);
  expect(deals.find((each) => each.external_id === deal)).toMatchObject({ state: 'won', won_seq: 2 });
});

test('an association label added counts, and removed counts no more', async () => {
  const { portalId, tenant, partners, newDeal } = await openSmallWorld(line);
  const deal = newDeal();
  await line.settle();
  const ends = [
    { type: 'deals', id: deal },
    { type: 'companies', id: partners[2]?.companyId ?? '' },
  ] as const;
  line.sandbox.control.associate(portalId, ends[0], ends[1], ['Referral partner']);
  await line.settle();
  expect(sharesOf(await tenant.card(deal))).toEqual(['Partner 2 100.00']);
  line.sandbox.control.disassociate(portalId, ends[0], ends[1], ['Referral partner']);
  await line.settle();
  expect(sharesOf(await tenant.card(deal))).toEqual([]);
  expect((await readCrmRows(line, tenant)).filter((row) => row.deal === deal)).toEqual([]);
});

test('who changes employer keeps what they did for the old one: membership is judged at the activity’s date', async () => {
  const { portalId, tenant, partners, newDeal, meet } = await openSmallWorld(line);
  const [before, after] = [newDeal(), newDeal()];
  meet(before, 0);
  await line.settle();
  await line.pass(HOUR_MS);
  line.sandbox.control.moveContact(portalId, partners[0]?.contactId ?? '', partners[1]?.companyId ?? '');
  await line.settle();
  await line.pass(2 * HOUR_MS);
  meet(after, 0);
  await line.settle();
  expect(sharesOf(await tenant.card(before))).toEqual(['Partner 0 100.00']);
  expect(sharesOf(await tenant.card(after))).toEqual(['Partner 1 100.00']);
});

test('merged deals become a third one: evidence follows, the losers’ rows go, an old id shows the survivor’s card', async () => {
  const { portalId, tenant, newDeal, meet } = await openSmallWorld(line);
  const [first, other, last] = [newDeal({ amount: '700' }), newDeal({ amount: '300' }), newDeal()];
  meet(first, 0, 2);
  meet(other, 1, 1);
  await line.settle();
  const rowsOf = async (ids: readonly string[]) =>
    (await readCrmRows(line, tenant)).filter((row) => ids.includes(row.deal)).map((row) => row.deal);
  expect(await rowsOf([first, other])).toHaveLength(2);
  await second();
  const third = line.sandbox.control.mergeDeals(portalId, first, other);
  await line.settle();
  expect(await rowsOf([first, other])).toEqual([]);
  expect(await rowsOf([third])).toEqual([third, third]);
  await second();
  // And again: who pointed at the third points at the fourth.
  const fourth = line.sandbox.control.mergeDeals(portalId, third, last);
  await line.settle();
  expect(await rowsOf([first, other, third, last])).toEqual([]);
  for (const id of [first, other, third, last, fourth]) {
    const card = await tenant.card(id);
    expect(card).toMatchObject({ status: 'ready', deal: { externalId: fourth } });
    expect(
      sharesOf(card)
        .map((text) => text.slice(0, 9))
        .sort(),
    ).toEqual(['Partner 0', 'Partner 1']);
  }
  expect(await readCrmRows(line, tenant)).toEqual(await wantedCrmRows(line, tenant));
});

test('an archived deal loses its rows and its card; restored it gets them back', async () => {
  const { portalId, tenant, newDeal, meet } = await openSmallWorld(line);
  const deal = newDeal();
  meet(deal, 0);
  await line.settle();
  await second();
  line.sandbox.control.archive(portalId, 'deals', deal);
  await line.settle();
  expect((await tenant.card(deal)).status).toBe('unknown_deal');
  expect((await readCrmRows(line, tenant)).filter((row) => row.deal === deal)).toEqual([]);
  await second();
  line.sandbox.control.restore(portalId, 'deals', deal);
  await line.settle();
  expect(sharesOf(await tenant.card(deal))).toEqual(['Partner 0 100.00']);
  expect((await readCrmRows(line, tenant)).filter((row) => row.deal === deal)).toHaveLength(1);
});

test('an archived meeting stops counting; restored it counts again', async () => {
  const { portalId, tenant, newDeal, meet } = await openSmallWorld(line);
  const deal = newDeal();
  const meeting = meet(deal, 0);
  await line.settle();
  await second();
  line.sandbox.control.archive(portalId, 'meetings', meeting);
  await line.settle();
  expect(sharesOf(await tenant.card(deal))).toEqual([]);
  await second();
  line.sandbox.control.restore(portalId, 'meetings', meeting);
  await line.settle();
  expect(sharesOf(await tenant.card(deal))).toEqual(['Partner 0 100.00']);
});

test('companies that merge keep their partner, under the surviving id too', async () => {
  const { portalId, tenant, partners, newDeal, meet } = await openSmallWorld(line);
  const [before, after] = [newDeal(), newDeal()];
  meet(before, 0);
  await line.settle();
  await second();
  const twin = line.sandbox.control.create(portalId, 'companies', { name: 'Twin of 0' });
  line.sandbox.control.merge(portalId, 'companies', partners[0]?.companyId ?? '', twin);
  await line.settle();
  await line.pass(10 * MINUTE_MS);
  meet(after, 0);
  await line.settle();
  expect(sharesOf(await tenant.card(before))).toEqual(['Partner 0 100.00']);
  expect(sharesOf(await tenant.card(after))).toEqual(['Partner 0 100.00']);
});

test('a privacy deletion empties the e-mail for good, and every run replays to the same hash', async () => {
  const { portalId, tenant, partners, newDeal, meet } = await openSmallWorld(line);
  const deal = newDeal();
  meet(deal, 0);
  await line.settle();
  const runs = await replay(tenant.organizationId);
  expect(runs.length).toBeGreaterThan(4);
  await second();
  const contactId = partners[0]?.contactId ?? '';
  line.sandbox.control.gdprDelete(portalId, contactId);
  await line.settle();
  await line.pass(DAY_MS);
  const { contacts } = await readRecords(line, tenant);
  expect(contacts.find((c) => c.external_id === contactId)).toMatchObject({ email: null, erased: true });
  const dump =
    await line.sql`select string_agg(c::text, ' ') as text from contacts c where organization_id = ${tenant.organizationId}`;
  expect(dump[0]?.text).not.toContain('person@partner0.example');
  expect(sharesOf(await tenant.card(deal))).toEqual(['Partner 0 100.00']);
  for (const run of await replay(tenant.organizationId)) expect(run.replayed).toBe(run.stored);
});

test('our own writes come back as echoes and cause neither a run nor a second write', async () => {
  const { portalId, tenant, newDeal, meet } = await openSmallWorld(line);
  meet(newDeal(), 0);
  await line.settle();
  const runs = await countRuns(line, tenant);
  const rows = ourRows(line, portalId).map((row) => row.version);
  line.sandbox.log.reset();
  await line.settle();
  expect(await countRuns(line, tenant)).toBe(runs);
  expect(ourRows(line, portalId).map((row) => row.version)).toEqual(rows);
  expect(line.sandbox.log.count({ portalId })).toBe(0);
});

async function replay(organizationId: string) {
  const ids = await line.sql`select id from attribution_runs where organization_id = ${organizationId}`;
  return withOrganization(line.db, organizationId, async (tx) => {
    const all: { stored: string; replayed: string }[] = [];
    for (const { id } of ids) {
      const run = await findRun(tx, organizationId, id, (v) => findRuleSet(tx, organizationId, v));
      if (run !== null) all.push({ stored: run.resultHash, replayed: hashResult(attribute(run.input)) });
    }
    return all;
  });
}
