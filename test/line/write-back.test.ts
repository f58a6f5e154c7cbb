import { afterAll, beforeAll, expect, test } from 'vitest';
import { linksFrom } from '../sandbox/hubspot/association-store.ts';
import { OPTIONAL_SCOPES, REQUIRED_SCOPES } from '../sandbox/hubspot/options.ts';
import { defineProperty } from '../sandbox/hubspot/property-definitions.ts';
import { DAY_MS, HOUR_MS, type Line, openLine } from './harness.ts';
import { openSmallWorld } from './small-world.ts';
import { ourRows, readCrmRows, wantedCrmRows } from './state.ts';

let line: Line;
beforeAll(async () => {
  line = await openLine();
});
afterAll(() => line.close());

const ALL_SCOPES = [...REQUIRED_SCOPES, ...OPTIONAL_SCOPES];
const WITHOUT_WRITE = ALL_SCOPES.filter((scope) => scope !== 'crm.objects.custom.write');
const upserts = (portalId: number) => line.sandbox.log.count({ operation: 'objects.batchUpsert', portalId });
const dealValues = (portalId: number, deal: string) =>
  line.sandbox.portal(portalId).tables.get('0-3')?.rows.get(deal)?.values ?? {};
const grantAll = (portalId: number) =>
  Object.assign(line.sandbox.portal(portalId), { grantedScopes: ALL_SCOPES });

/** The portal demands a property that we do not know, on rows of ours. */
function demandRegion(portalId: number, demanded = true): void {
  const type = [...line.sandbox.portal(portalId).tables.values()].find((t) =>
    t.name.includes('partner_attribution'),
  );
  if (type === undefined) throw new Error('no object of ours');
  const region = { name: 'region', label: 'Region', type: 'string', fieldType: 'text' } as const;
  if (demanded)
    defineProperty(type, { ...region, groupName: 'custom' }, new Date(line.clock.nowMs()).toISOString());
  line.sandbox.control.requireProperty(portalId, type.name, 'region', demanded);
}

test('a grant without the permission to write is said, tried once a day, and mended by connecting again', async () => {
  const { portalId, tenant, deals } = await openSmallWorld(line, {
    portal: { grantedScopes: WITHOUT_WRITE },
  });
  const waiting = (await tenant.setAside()).length;
  expect(waiting).toBeGreaterThan(0);
  expect((await tenant.connection()).findings).toContainEqual(
    expect.objectContaining({ code: 'write_refused', message: expect.stringContaining('custom.write') }),
  );
  expect((await tenant.card(deals[0] ?? '')).writeBack?.status).toBe('rejected');
  await line.pass(6 * HOUR_MS, 2);
  const before = upserts(portalId);
  await line.pass(26 * HOUR_MS, 13);
  expect(upserts(portalId) - before).toBeGreaterThan(0);
  expect(upserts(portalId) - before).toBeLessThanOrEqual(2);
  expect(await tenant.setAside()).toHaveLength(waiting);
  grantAll(portalId);
  await tenant.install();
  await line.pass(HOUR_MS, 2);
  expect(await tenant.setAside()).toEqual([]);
  expect(await readCrmRows(line, tenant)).toEqual(await wantedCrmRows(line, tenant));
  expect((await tenant.connection()).findings).toEqual([]);
});

test('a rule of the portal costs one call a day, however many rows it refuses', async () => {
  const { portalId, tenant, newDeal, meet } = await openSmallWorld(line);
  demandRegion(portalId);
  for (let n = 0; n < 8; n++) meet(newDeal(), n % 3);
  await line.settle();
  expect(await tenant.setAside()).toHaveLength(8);
  await line.pass(2 * HOUR_MS, 2);
  const rowsSent = () =>
    line.sandbox.log.calls
      .filter((call) => call.operation === 'objects.batchUpsert' && call.portalId === portalId)
      .reduce((sum, call) => sum + call.rows, 0);
  const before = rowsSent();
  await line.pass(25 * HOUR_MS, 5);
  expect(rowsSent() - before).toBeLessThanOrEqual(2);
  expect(await tenant.setAside()).toHaveLength(8);
  demandRegion(portalId, false);
  await line.pass(26 * HOUR_MS, 5);
  expect(await tenant.setAside()).toEqual([]);
  expect(await readCrmRows(line, tenant)).toEqual(await wantedCrmRows(line, tenant));
});

test('a check-up that finds nothing new tries nothing again; a retry of one deal tries that deal alone', async () => {
  const { portalId, tenant, newDeal, meet } = await openSmallWorld(line);
  demandRegion(portalId);
  for (let n = 0; n < 2; n++) meet(newDeal(), n);
  await line.settle();
  const [first] = await tenant.setAside();
  await tenant.api('POST', `/v1/connections/${await tenant.connectionId()}/check-up`);
  await line.settle();
  const before = upserts(portalId);
  await tenant.api('POST', `/v1/connections/${await tenant.connectionId()}/check-up`);
  await line.settle();
  expect(upserts(portalId)).toBe(before);
  await tenant.api('POST', '/v1/set-aside/retry', { object: first?.object });
  await line.settle();
  expect(upserts(portalId)).toBe(before + 1);
  const tried = await line.sql`select deal_id from crm_rows where organization_id = ${tenant.organizationId}
    and status = 'rejected' and rejected_schema is null`;
  expect(tried).toHaveLength(0);
  expect(await tenant.setAside()).toHaveLength(2);
});

test('after an uninstall that took our rows out, a new installation writes them again', async () => {
  const { portalId, tenant } = await openSmallWorld(line);
  const path = `/v1/connections/${await tenant.connectionId()}`;
  await tenant.api('DELETE', `${path}?traces=keep`);
  await tenant.api('DELETE', `${path}?traces=remove`);
  await line.drain();
  expect(ourRows(line, portalId)).toEqual([]);
  await tenant.install();
  await line.pass(HOUR_MS, 2);
  expect(ourRows(line, portalId).length).toBeGreaterThan(0);
  expect(await readCrmRows(line, tenant)).toEqual(await wantedCrmRows(line, tenant));
});

test('a farewell that was not yet said does not end a new installation', async () => {
  const { portalId, tenant } = await openSmallWorld(line);
  await tenant.api('DELETE', `/v1/connections/${await tenant.connectionId()}?traces=remove`);
  await tenant.install();
  await line.pass(HOUR_MS, 2);
  expect(await tenant.connection()).toMatchObject({ status: 'active' });
  expect(ourRows(line, portalId).length).toBeGreaterThan(0);
});

test('an account that gets custom objects gets its rows, and loses the old properties', async () => {
  const { portalId, tenant, deals } = await openSmallWorld(line, {
    edition: 'professional',
    portal: { grantedScopes: ALL_SCOPES },
  });
  expect((await tenant.connection()).writeBack?.rung).toBe('deal_fields');
  expect(deals.some((deal) => dealValues(portalId, deal).tributary_partners)).toBe(true);
  line.sandbox.control.setEdition(portalId, 'enterprise');
  await tenant.api('POST', `/v1/connections/${await tenant.connectionId()}/check-up`);
  await line.pass(HOUR_MS, 2);
  expect((await tenant.connection()).writeBack?.rung).toBe('custom_object');
  expect(ourRows(line, portalId).length).toBeGreaterThan(0);
  expect(await readCrmRows(line, tenant)).toEqual(await wantedCrmRows(line, tenant));
});

test('a row that was written when the process died is known, and retired when nobody wants it any more', async () => {
  const { portalId, tenant, newDeal, meet } = await openSmallWorld(line);
  const deal = newDeal();
  const meeting = meet(deal, 0);
  await line.sql`create function public.die() returns trigger language plpgsql as $$ begin
    if new.written_hash <> 'unknown' then raise 'killed' using errcode = '57P01'; end if; return new; end $$`;
  await line.sql`create trigger die before insert or update on crm_rows for each row execute function public.die()`;
  let calls = 0;
  line.beforeCall = async (path) => {
    if (path.includes('/associations/') && path.endsWith('/create')) calls += 1;
    if (calls < 2) return;
    calls = 0;
    line.sandbox.control.archive(portalId, 'meetings', meeting);
  };
  await line.sandbox.flushWebhooks();
  await line.drain().catch(() => undefined);
  line.beforeCall = null;
  const written = () =>
    ourRows(line, portalId).filter(({ values }) => values.external_key?.startsWith(`${deal}:`));
  expect(written()).toHaveLength(1);
  await line.sql`drop trigger die on crm_rows`;
  await line.pass(HOUR_MS, 4);
  expect(written()).toEqual([]);
  expect(await readCrmRows(line, tenant)).toEqual(await wantedCrmRows(line, tenant));
});

test('deal properties hold the credits of one organization: the later one is told, and takes over when the first has left', async () => {
  const { portalId, tenant, deals } = await openSmallWorld(line, { edition: 'professional' });
  const other = await line.addTenant({ portalId });
  await line.pass(1_000);
  await other.start();
  expect(await other.connection()).toMatchObject({
    writeBack: { rung: 'none' },
    findings: expect.arrayContaining([expect.objectContaining({ code: 'fields_in_use' })]),
  });
  const texts = () => deals.map((deal) => dealValues(portalId, deal).tributary_partners ?? '');
  const before = texts();
  expect(before.some((text) => text !== '')).toBe(true);
  await tenant.api('DELETE', `/v1/connections/${await tenant.connectionId()}?traces=remove`);
  await line.drain();
  await line.pass(26 * HOUR_MS, 4);
  expect((await other.connection()).writeBack?.rung).toBe('deal_fields');
  expect(texts().filter((text) => text !== '')).toHaveLength(before.filter((text) => text !== '').length);
  expect(texts()).not.toEqual(before);
});

test('rows follow their partner to another company when its link changes', async () => {
  const { portalId, tenant, newDeal, meet, partners, customers } = await openSmallWorld(line);
  const deal = newDeal();
  meet(deal, 0, 3);
  await line.settle();
  await line.pass(2 * DAY_MS, 2);
  const { body } = await tenant.api<{ partners: { id: string; name: string }[] }>(
    'GET',
    '/v1/partners?limit=50',
  );
  const partner = body.partners.find(({ name }) => name === 'Partner 0');
  const { body: held } = await tenant.api<{ links: { id: string }[] }>('GET', `/v1/partners/${partner?.id}`);
  const today = new Date(line.clock.nowMs()).toISOString().slice(0, 10);
  const connectionId = await tenant.connectionId();
  const made = await tenant.api('POST', `/v1/partners/${partner?.id}/links`, {
    connectionId,
    accountExternalId: customers[1],
  });
  expect(made.status).toBe(201);
  await tenant.api('POST', `/v1/partner-links/${held.links[0]?.id}/end`, { toOn: today });
  await line.settle();
  const table = [...line.sandbox.portal(portalId).tables.values()].find((t) =>
    t.name.includes('attribution'),
  );
  const row = ourRows(line, portalId).find(({ values }) => values.external_key === `${deal}:${partner?.id}`);
  const companies = linksFrom(
    line.sandbox.portal(portalId).associations,
    table?.typeId ?? '',
    '0-2',
    row?.id ?? '',
  ).map(({ toId }) => toId);
  expect(companies).toEqual([customers[1]]);
  expect(companies).not.toContain(partners[0]?.companyId);
});

test('money that rounds to no percent is written too, and a lost mark is found by the reconciliation', async () => {
  const { portalId, tenant, newDeal, meet } = await openSmallWorld(line);
  const deal = newDeal();
  meet(deal, 0);
  await line.settle();
  await line.sql`update credits c set share_bps = 0 from deals d where d.organization_id = ${tenant.organizationId}
    and d.external_id = ${deal} and c.organization_id = d.organization_id and c.deal_id = d.id`;
  await line.pass(26 * HOUR_MS, 4);
  const rows = ourRows(line, portalId).filter(({ values }) => values.external_key?.startsWith(`${deal}:`));
  expect(rows.map(({ values }) => [Number(values.share), Number(values.amount)])).toEqual([[0, 1000]]);
});
