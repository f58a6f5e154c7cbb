import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { linksFrom } from '../sandbox/hubspot/association-store.ts';
import { DAY_MS, type Line, MINUTE_MS, openLine } from './harness.ts';
import { openSmallWorld, type SmallWorld } from './small-world.ts';
import { readCrmRows, readRecords, wantedCrmRows } from './state.ts';
import { sharesOf, type Tenant } from './tenant.ts';

let line: Line;
beforeAll(async () => {
  // No webhook ever arrives here: polls see the survivor alone.
  line = await openLine();
  line.sandbox.subscriptions.length = 0;
});
afterAll(() => line.close());
beforeEach(() => line.sql`delete from work`);

const poll = () => line.pass(10 * MINUTE_MS, 2);
const company = ({ portalId }: SmallWorld, name: string) =>
  line.sandbox.control.create(portalId, 'companies', { name, domain: `${name.toLowerCase()}.example` });
const aliasOf = async (tenant: Tenant, kind: 'accounts' | 'contacts', id: string) =>
  (await readRecords(line, tenant))[kind].find((row) => row.external_id === id);

test("a partner's company is merged, and merged again: old and new deals still earn, rows keep their company", async () => {
  const world = await openSmallWorld(line);
  const { portalId, tenant, partners, newDeal, meet } = world;
  const { control } = line.sandbox;
  const [a, b, d] = [partners[0]?.companyId ?? '', company(world, 'Bee'), company(world, 'Dee')];
  const before = newDeal();
  meet(before, 0);
  await poll();
  const c = control.merge(portalId, 'companies', a, b);
  await poll();
  expect(await aliasOf(tenant, 'accounts', a)).toMatchObject({ deleted: true, merged_into_external_id: c });
  expect(await aliasOf(tenant, 'accounts', b)).toMatchObject({ deleted: true, merged_into_external_id: c });
  const e = control.merge(portalId, 'companies', c, d);
  await poll();
  for (const old of [a, b, c, d])
    expect(await aliasOf(tenant, 'accounts', old)).toMatchObject({ merged_into_external_id: e });
  const after = newDeal();
  meet(after, 0);
  const byCompany = newDeal();
  control.logMeeting(portalId, { hs_activity_type: 'Demo' }, { deals: [byCompany], companies: [e] });
  await poll();
  for (const deal of [before, after, byCompany])
    expect(sharesOf(await tenant.card(deal)), deal).toEqual(['Partner 0 100.00']);
  const [written] = await line.sql`select count(*)::int as n from crm_rows where deal_external_id = ${after}`;
  expect(written?.n).toBe(1);
  expect(companiesOfRows(portalId, after)).toEqual([e]);
});

/** Companies that our rows of this deal are associated with. */
function companiesOfRows(portalId: number, deal: string): readonly string[] {
  const portal = line.sandbox.portal(portalId);
  const type = [...portal.tables.values()].find((t) => t.name.includes('partner_attribution'));
  const rows = [...(type?.rows.values() ?? [])].filter((r) => r.values.external_key?.startsWith(`${deal}:`));
  return rows.flatMap((row) =>
    linksFrom(portal.associations, type?.typeId ?? '', '0-2', row.id).map((l) => l.toId),
  );
}

test('a contact merge keeps history: a former employer keeps the deals it won then', async () => {
  const world = await openSmallWorld(line);
  const { portalId, tenant, partners, newDeal, meet } = world;
  const { control } = line.sandbox;
  const person = partners[0]?.contactId ?? '';
  const won = newDeal();
  meet(won, 0);
  await poll();
  control.moveStage(portalId, won, 'closedwon');
  await poll();
  expect(sharesOf(await tenant.card(won))).toEqual(['Partner 0 100.00']);
  await line.pass(DAY_MS);
  control.moveContact(portalId, person, partners[1]?.companyId ?? '');
  control.update(portalId, 'contacts', person, { firstname: 'Moved' });
  await poll();
  expect(sharesOf(await tenant.card(won))).toEqual(['Partner 0 100.00']);
  const double = control.create(portalId, 'contacts', { email: 'double@example.com' });
  await poll();
  const merged = control.merge(portalId, 'contacts', person, double);
  await poll();
  expect(await aliasOf(tenant, 'contacts', person)).toMatchObject({ merged_into_external_id: merged });
  control.updateDeal(portalId, won, { amount: '2000' });
  await line.pass(DAY_MS + 10 * MINUTE_MS, 2);
  expect(sharesOf(await tenant.card(won))).toEqual(['Partner 0 100.00']);
  const later = newDeal();
  control.logMeeting(portalId, { hs_activity_type: 'Demo' }, { deals: [later], contacts: [merged] });
  await poll();
  expect(sharesOf(await tenant.card(later))).toEqual(['Partner 1 100.00']);
  const { memberships } = await readRecords(line, tenant);
  expect(memberships.filter((m) => m.contact_external_id === merged && m.still === true)).toHaveLength(1);
});

test('credit ends when a company leaves the tree of a partner, with everything below it', async () => {
  const world = await openSmallWorld(line);
  const { portalId, tenant, partners, newDeal } = world;
  const { control } = line.sandbox;
  const parent = partners[0]?.companyId ?? '';
  const child = company(world, 'Child');
  const grandchild = company(world, 'Grandchild');
  const below = (id: string, above: string) => {
    control.associate(portalId, { type: 'companies', id }, { type: 'companies', id: above }, [
      'Parent Company',
    ]);
    control.update(portalId, 'companies', id, { name: `Below ${above}` });
  };
  below(child, parent);
  below(grandchild, child);
  const deal = newDeal();
  control.logMeeting(portalId, { hs_activity_type: 'Demo' }, { deals: [deal], companies: [grandchild] });
  await poll();
  await line.sql`update partner_links set with_children = true where organization_id = ${tenant.organizationId}`;
  control.updateDeal(portalId, deal, { amount: '1500' });
  await poll();
  expect(sharesOf(await tenant.card(deal))).toEqual(['Partner 0 100.00']);
  control.disassociate(portalId, { type: 'companies', id: child }, { type: 'companies', id: parent });
  control.update(portalId, 'companies', child, { name: 'On its own' });
  await poll();
  expect(sharesOf(await tenant.card(deal))).toEqual([]);
  expect(await readCrmRows(line, tenant)).toEqual(await wantedCrmRows(line, tenant));
});

test("credit by a partner field ends when the company's name is another", async () => {
  const world = await openSmallWorld(line);
  const { portalId, tenant, partners, newDeal } = world;
  const { control } = line.sandbox;
  const id = await tenant.connectionId();
  await tenant.api('PATCH', `/v1/connections/${id}`, { partnerFields: ['dealtype'] });
  await line.drain();
  control.update(portalId, 'companies', partners[0]?.companyId ?? '', { name: 'newbusiness' });
  await poll();
  const deal = newDeal({ dealtype: 'newbusiness' });
  await poll();
  expect(sharesOf(await tenant.card(deal))).toHaveLength(1);
  control.update(portalId, 'companies', partners[0]?.companyId ?? '', { name: 'Another name' });
  await poll();
  expect(sharesOf(await tenant.card(deal))).toEqual([]);
});
