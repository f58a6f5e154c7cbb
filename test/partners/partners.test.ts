import postgres from 'postgres';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { addPartnerRoutes } from '../../src/partners/routes.ts';
import { type Database, openDatabase } from '../../src/platform/db/client.ts';
import { createHttpApp } from '../../src/platform/http/app.ts';
import { memoryLog } from '../../src/platform/log.ts';
import { createVirtualClock } from '../sandbox/virtual-clock.ts';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';
import { createTenant, type TestTenant } from '../setup/tenant.ts';

let database: TestDatabase;
let db: Database;
let sql: postgres.Sql;
const clock = createVirtualClock(new Date('2026-11-20T23:30:00Z'));
const app = createHttpApp({ log: memoryLog(), clock, metrics: null, metricsToken: null, readiness: [] });

let acme: Tenant;
let globex: Tenant;
interface Tenant extends TestTenant {
  readonly connectionId: string;
  readonly key: Readonly<Record<string, string>>;
}

beforeAll(async () => {
  database = await createTestDatabase();
  db = openDatabase(database.appUrl, 4);
  sql = postgres(database.superuserUrl, { max: 1 });
  addPartnerRoutes(app, { db, clock });
});
afterAll(async () => {
  await sql.end();
  await db.close();
  await database.drop();
});
beforeEach(async () => {
  [acme, globex] = [await newTenant('Acme'), await newTenant('Globex')];
});

async function newTenant(name: string): Promise<Tenant> {
  const tenant = await createTenant(db, name);
  const { organizationId } = tenant;
  const [connection] = await sql<{ id: string }[]>`
    insert into connections (organization_id, provider, account_external_id, status, scopes)
    values (${organizationId}, 'hubspot', '4711', 'active', '{}') returning id`;
  return { ...tenant, connectionId: connection?.id ?? '', key: await tenant.headers('write') };
}

interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what an outsider gets
  readonly body: any;
}
async function call(method: string, path: string, body?: unknown, tenant = acme): Promise<Answer> {
  const response = await app.request(path, {
    method,
    headers: tenant.key,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json() };
}

interface Company {
  readonly name?: string;
  readonly domain?: string;
  readonly type?: string;
  readonly parent?: string;
}
async function addCompany(tenant: Tenant, externalId: string, company: Company = {}): Promise<void> {
  const { name = externalId, domain = null, type = null, parent = null } = company;
  await sql`insert into accounts (organization_id, connection_id, external_id, name, domain, type, parent_external_id, changed_at, read_at)
    values (${tenant.organizationId}, ${tenant.connectionId}, ${externalId}, ${name}, ${domain}, ${type}, ${parent}, now(), now())`;
}
/** A deal with companies on it: external id → label ('' = plain). */
async function addDeal(
  tenant: Tenant,
  externalId: string,
  companies: Readonly<Record<string, string>>,
): Promise<string> {
  const [deal] = await sql<{ id: string }[]>`
    insert into deals (organization_id, connection_id, external_id, crm_created_at, changed_at, read_at)
    values (${tenant.organizationId}, ${tenant.connectionId}, ${externalId}, now(), now(), now()) returning id`;
  for (const [company, label] of Object.entries(companies))
    await sql`insert into deal_accounts (organization_id, connection_id, deal_id, account_external_id, label)
      values (${tenant.organizationId}, ${tenant.connectionId}, ${deal?.id ?? ''}, ${company}, ${label})`;
  return deal?.id ?? '';
}
async function addPerson(tenant: Tenant, externalId: string, email: string, company: string): Promise<void> {
  await sql`insert into contacts (organization_id, connection_id, external_id, email, changed_at, read_at)
    values (${tenant.organizationId}, ${tenant.connectionId}, ${externalId}, ${email}, now(), now())`;
  await sql`insert into contact_accounts (organization_id, connection_id, contact_external_id, account_external_id)
    values (${tenant.organizationId}, ${tenant.connectionId}, ${externalId}, ${company})`;
}

const dirtyDeals = async (tenant = acme) =>
  (
    await sql`select object from work where organization_id = ${tenant.organizationId} and lane = 'recompute' order by 1`
  ).map((row) => row.object as string);
const cleanUp = () => sql`delete from work where organization_id = ${acme.organizationId}`;
const newPartner = async (name = 'Partner', tenant = acme): Promise<string> =>
  (await call('POST', '/v1/partners', { name, type: 'reseller' }, tenant)).body.id;
const link = (partnerId: string, accountExternalId: string, more: object = {}) =>
  call('POST', `/v1/partners/${partnerId}/links`, {
    connectionId: acme.connectionId,
    accountExternalId,
    ...more,
  });

test('a partner is created, read, changed, and each change is in the audit log with its actor', async () => {
  const made = await call('POST', '/v1/partners', {
    name: ' Nordwind ',
    type: 'referral',
    defaultCommissionPpm: 150_000,
  });
  expect(made).toMatchObject({
    status: 201,
    body: { name: 'Nordwind', type: 'referral', status: 'active', defaultCommissionPpm: 150_000 },
  });
  const { id } = made.body;
  expect(await call('PATCH', `/v1/partners/${id}`, { status: 'inactive' })).toMatchObject({
    status: 200,
    body: { status: 'inactive', name: 'Nordwind' },
  });
  expect((await call('GET', `/v1/partners/${id}`)).body).toMatchObject({ id, status: 'inactive', links: [] });
  const audit = await sql`select actor_kind, action, details from audit_log
    where organization_id = ${acme.organizationId} and action like 'partner.%' order by at, action desc`;
  expect(audit.map((row) => [row.actor_kind, row.action])).toEqual([
    ['api_key', 'partner.create'],
    ['api_key', 'partner.change'],
  ]);
  expect(audit[1]?.details).toEqual({ was: { status: 'active' }, is: { status: 'inactive' } });
});

test('bad partners are refused with the fields that are wrong, and a reader cannot write', async () => {
  const bad = await call('POST', '/v1/partners', {
    name: '',
    type: 'friend',
    organizationId: globex.organizationId,
  });
  expect(bad.status).toBe(400);
  expect(bad.body.errors.map((error: { field: string }) => error.field)).toEqual(
    expect.arrayContaining(['name', 'type']),
  );
  const reader = { ...acme, key: await acme.headers('read') };
  expect((await call('POST', '/v1/partners', { name: 'x', type: 'agency' }, reader)).status).toBe(403);
  expect((await call('GET', '/v1/partners', undefined, reader)).status).toBe(200);
});

test('pages list every partner once, oldest first', async () => {
  const names = Array.from({ length: 7 }, (_, at) => `Partner ${at}`);
  for (const name of names) {
    await newPartner(name);
    if (name !== 'Partner 3') await clock.advance(1);
  }
  const seen: string[] = [];
  let after = '';
  do {
    const { body } = await call('GET', `/v1/partners?limit=3${after}`);
    seen.push(...body.partners.map((partner: { name: string }) => partner.name));
    after = body.next === null ? '' : `&after=${body.next}`;
  } while (after !== '');
  expect(seen.toSorted()).toEqual(names);
  expect(seen.slice(0, 3)).toEqual(names.slice(0, 3));
  expect((await call('GET', '/v1/partners?after=nonsense')).status).toBe(400);
});

test('foreign and missing ids get the same answer', async () => {
  await addCompany(globex, 'g1');
  const theirs = await newPartner('Theirs', globex);
  const { body: theirLink } = await call(
    'POST',
    `/v1/partners/${theirs}/links`,
    { connectionId: globex.connectionId, accountExternalId: 'g1' },
    globex,
  );
  const never = crypto.randomUUID();
  const mine = await newPartner();
  const attempts = (partner: string, linkId: string, connectionId: string) => [
    call('GET', `/v1/partners/${partner}`),
    call('PATCH', `/v1/partners/${partner}`, { name: 'x' }),
    call('GET', `/v1/partners?after=${partner}`),
    call('POST', `/v1/partners/${partner}/links`, {
      connectionId: acme.connectionId,
      accountExternalId: 'g1',
    }),
    call('POST', `/v1/partners/${mine}/links`, { connectionId, accountExternalId: 'g1' }),
    call('POST', `/v1/partner-links/${linkId}/end`, {}),
    call('POST', '/v1/partner-suggestions/accept', [
      { connectionId, accountExternalId: 'g1', type: 'agency' },
    ]),
  ];
  const strip = ({ status, body: { instance: _, requestId: __, ...body } }: Answer) => ({ status, body });
  const foreign = await Promise.all(attempts(theirs, theirLink.id, globex.connectionId));
  const missing = await Promise.all(attempts(never, never, never));
  for (const answer of foreign) expect(answer.status).toBe(404);
  expect(foreign.map(strip)).toEqual(missing.map(strip));
});

test('a link marks the deals its company took part in, children too when it says so', async () => {
  await addCompany(acme, 'p1');
  await addCompany(acme, 'p2', { parent: 'p1' });
  const [direct, child] = [await addDeal(acme, 'd1', { p1: '' }), await addDeal(acme, 'd2', { p2: '' })];
  await addDeal(acme, 'd3', {});
  const partner = await newPartner();
  const narrow = await link(partner, 'p1', { fromOn: '2026-01-01', toOn: '2026-02-01' });
  expect(narrow).toMatchObject({ status: 201, body: { accountExternalId: 'p1', withChildren: false } });
  expect(await dirtyDeals()).toEqual([direct]);
  await cleanUp();
  await link(partner, 'p1', { fromOn: '2026-02-01', withChildren: true });
  expect(await dirtyDeals()).toEqual([direct, child].sort());
  await cleanUp();
  await call('PATCH', `/v1/partners/${partner}`, { name: 'Other name' });
  expect(await dirtyDeals()).toEqual([]);
  await call('PATCH', `/v1/partners/${partner}`, { status: 'inactive' });
  expect(await dirtyDeals()).toEqual([direct, child].sort());
});

test('a company is one partner’s at a time, and the answer names whose', async () => {
  await addCompany(acme, 'p1');
  await link(await newPartner('First'), 'p1', { fromOn: '2026-01-01', toOn: '2026-06-01' });
  const second = await newPartner('Second');
  const overlap = await link(second, 'p1', { fromOn: '2026-05-31' });
  expect(overlap.status).toBe(409);
  expect(overlap.body.detail).toContain('linked to First from 2026-01-01 to 2026-06-01');
  expect((await link(second, 'p1', { fromOn: '2026-06-01' })).status).toBe(201);
  expect((await link(second, 'p1', { fromOn: '2025-02-01', toOn: '2025-01-01' })).status).toBe(400);
  expect((await link(second, 'nobody')).status).toBe(404);
});

test('of two partners who claim one company at once, one gets it', async () => {
  await addCompany(acme, 'p1');
  const [a, b] = [await newPartner('A'), await newPartner('B')];
  const answers = await Promise.all([link(a, 'p1'), link(b, 'p1')]);
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
});

test('a link ends on a day of the organization’s own calendar, once, and marks its deals', async () => {
  await addCompany(acme, 'p1');
  const deal = await addDeal(acme, 'd1', { p1: '' });
  const { body } = await link(await newPartner(), 'p1', { fromOn: '2026-01-01' });
  await cleanUp();
  const end = (toOn?: string) =>
    call('POST', `/v1/partner-links/${body.id}/end`, toOn === undefined ? {} : { toOn });
  expect((await end('2026-01-01')).body.detail).toContain('began on 2026-01-01');
  // 23:30 UTC on the 20th is the 21st in Berlin.
  expect(await end()).toMatchObject({ status: 200, body: { toOn: '2026-11-21' } });
  expect(await dirtyDeals()).toEqual([deal]);
  expect((await end('2026-11-21')).status).toBe(200);
  expect((await end('2026-12-01')).status).toBe(409);
  expect((await end('2026-06-01')).body.toOn).toBe('2026-06-01');
});

test('suggestions say why: company type, labels on deals, people with a partner’s domain; never by free mail', async () => {
  await addCompany(acme, 'known', { name: 'Known', domain: 'known.example' });
  await addCompany(acme, 'typed', { type: 'PARTNER' });
  await addCompany(acme, 'labelled');
  await addCompany(acme, 'domain');
  await addCompany(acme, 'free', { domain: 'gmail.com' });
  await addCompany(acme, 'freelinked', { domain: 'gmail.com' });
  await addCompany(acme, 'customer', { type: 'PROSPECT' });
  await addDeal(acme, 'd1', { labelled: 'Reseller', customer: '' });
  await addDeal(acme, 'd2', { labelled: 'Reseller', known: 'Referral partner' });
  await sql`update deal_accounts set is_primary = true, label = 'Buyer' where account_external_id = 'customer'`;
  await addPerson(acme, 'c1', 'a@Known.example', 'domain');
  await addPerson(acme, 'c2', 'b@gmail.com', 'free');
  await addCompany(globex, 'theirs', { type: 'PARTNER' });
  const partner = await newPartner('Known Partner');
  await link(partner, 'known');
  await link(partner, 'freelinked');

  const { body } = await call('GET', '/v1/partner-suggestions');
  expect(
    body.suggestions.map((one: { accountExternalId: string; reasons: string[]; suggestedType: string }) => [
      one.accountExternalId,
      one.suggestedType,
      one.reasons,
    ]),
  ).toEqual([
    ['labelled', 'reseller', ['It is on 2 deals as “Reseller”.']],
    [
      'domain',
      'referral',
      ['One of its people writes from known.example, the domain of your partner Known Partner.'],
    ],
    ['typed', 'referral', ['The CRM calls this company “PARTNER”.']],
  ]);
  expect(body.suggestions[0].evidence).toEqual([
    { kind: 'association_label', value: 'Reseller', count: 2, partnerName: null },
  ]);
});

test('accepting many makes partners with links at once, and again changes nothing', async () => {
  for (const id of ['s1', 's2', 's3'])
    await addCompany(acme, id, { type: 'RESELLER', name: `Company ${id}` });
  const deal = await addDeal(acme, 'd1', { s1: 'Reseller' });
  const wanted = ['s1', 's2', 's1'].map((accountExternalId) => ({
    connectionId: acme.connectionId,
    accountExternalId,
    type: 'reseller',
    ...(accountExternalId === 's2' ? { name: 'Renamed' } : {}),
  }));
  const accept = (items: readonly object[]) => call('POST', '/v1/partner-suggestions/accept', items);
  const [first, second] = await Promise.all([accept(wanted), accept(wanted)]);
  const created = [...first.body.accepted, ...second.body.accepted].filter((one) => one.created);
  expect(created).toHaveLength(2);
  expect(first.body.accepted[0].partnerId).toBe(second.body.accepted[0].partnerId);
  expect(first.body.accepted[0].partnerId).toBe(first.body.accepted[2].partnerId);
  const { body } = await call('GET', '/v1/partners');
  expect(body.partners.map((one: { name: string }) => one.name).toSorted()).toEqual([
    'Company s1',
    'Renamed',
  ]);
  expect(await dirtyDeals()).toEqual([deal]);
  const left = await call('GET', '/v1/partner-suggestions');
  expect(left.body.suggestions.map((one: { accountExternalId: string }) => one.accountExternalId)).toEqual([
    's3',
  ]);
  // One company that is not there: nothing of the rest is done.
  const mixed = [
    { ...wanted[0], accountExternalId: 's3' },
    { ...wanted[0], accountExternalId: 'nobody' },
  ];
  expect((await accept(mixed)).status).toBe(404);
  expect((await call('GET', '/v1/partners')).body.partners).toHaveLength(2);
});
