import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { REQUIRED_SCOPES } from '../sandbox/hubspot/options.ts';
import { DAY_MS, type Line, MINUTE_MS, openLine } from './harness.ts';
import { openSmallWorld, type SmallWorld } from './small-world.ts';
import { readCrmRows, readRecords, wantedCrmRows } from './state.ts';
import { sharesOf } from './tenant.ts';

let line: Line;
beforeAll(async () => {
  line = await openLine({ knobs: { mailsWithoutScope: 'refused' } });
});
afterAll(() => line.close());
beforeEach(() => line.sql`delete from work`);

const WITHOUT_MAILS = [
  ...REQUIRED_SCOPES,
  'crm.objects.custom.read',
  'crm.objects.custom.write',
  'crm.schemas.custom.read',
  'crm.schemas.custom.write',
];
const mail = ({ portalId, partners }: SmallWorld, deal: string, partner: number) =>
  line.sandbox.control.logActivity(
    portalId,
    'emails',
    {
      hs_timestamp: new Date(line.clock.nowMs() - 3_600_000).toISOString(),
      hs_email_status: 'SENT',
      hs_email_direction: 'EMAIL',
    },
    { deals: [deal], contacts: [partners[partner]?.contactId ?? ''] },
  );
const grant = (portalId: number, scopes: readonly string[]) =>
  Object.assign(line.sandbox.portal(portalId), { grantedScopes: scopes });

test('without the permission for e-mails everything else is read; with it they are, too', async () => {
  const world = await openSmallWorld(line, { start: false, portal: { grantedScopes: WITHOUT_MAILS } });
  const { portalId, tenant, newDeal, meet } = world;
  const deal = newDeal();
  meet(deal, 0);
  mail(world, deal, 1);
  await tenant.start();
  const connection = await tenant.connection();
  expect(connection).toMatchObject({ status: 'active', backfilled: true });
  expect(sharesOf(await tenant.card(deal))).toEqual(['Partner 0 100.00']);
  const finding = connection.findings.find(({ message }) => message.startsWith('emails cannot be read'));
  expect(finding).toMatchObject({ code: 'missing_scope' });
  expect(finding?.message).toContain('sales-email-read');
  expect(finding?.message).toContain('computed from everything else');

  // Live changes, polls and the daily comparison go on as well.
  const live = newDeal();
  meet(live, 2);
  mail(world, live, 1);
  await line.settle();
  expect(sharesOf(await tenant.card(live))).toEqual(['Partner 2 100.00']);
  await line.pass(DAY_MS + 10 * MINUTE_MS, 2);
  expect(await tenant.setAside()).toEqual([]);

  grant(portalId, [...WITHOUT_MAILS, 'sales-email-read']);
  await tenant.install();
  await line.drain();
  await line.pass(MINUTE_MS, 4);
  expect(sharesOf(await tenant.card(deal))).toHaveLength(2);
  expect(sharesOf(await tenant.card(live))).toHaveLength(2);
  expect((await tenant.connection()).findings.filter(({ code }) => code === 'missing_scope')).toEqual([]);
  expect(await readCrmRows(line, tenant)).toEqual(await wantedCrmRows(line, tenant));
});

test('a permission that is taken away leaves what was known, and stops nothing', async () => {
  const world = await openSmallWorld(line, { start: false });
  const { portalId, tenant, newDeal, meet } = world;
  const deal = newDeal();
  const sent = mail(world, deal, 1);
  await tenant.start();
  expect(sharesOf(await tenant.card(deal))).toEqual(['Partner 1 100.00']);
  grant(portalId, WITHOUT_MAILS);
  await tenant.install();
  await line.drain();
  const other = newDeal();
  meet(other, 0);
  line.sandbox.control.updateDeal(portalId, deal, { amount: '7000' });
  await line.settle();
  await line.pass(10 * MINUTE_MS, 2);
  expect(sharesOf(await tenant.card(other))).toEqual(['Partner 0 100.00']);
  expect(sharesOf(await tenant.card(deal))).toEqual(['Partner 1 100.00']);
  expect((await tenant.card(deal)).deal?.money).toMatchObject({ amountMinor: '700000' });
  const { activities } = await readRecords(line, tenant);
  expect(activities.find((a) => a.external_id === sent)).toMatchObject({ deleted: false });
  expect(await tenant.setAside()).toEqual([]);
});
