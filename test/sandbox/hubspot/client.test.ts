import { Client } from '@hubspot/api-client';
import { setupServer } from 'msw/node';
import { afterEach, expect, test } from 'vitest';
import { sandboxHandlers } from './msw.ts';
import { openSandbox } from './testing.ts';

const servers: { close(): void }[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** HubSpot's official client, talking to HubSpot's own addresses. */
async function officialClient() {
  const bench = await openSandbox();
  const server = setupServer(...sandboxHandlers(bench.sandbox));
  server.listen({ onUnhandledFrame: 'error' });
  servers.push(server);
  const client = new Client({ accessToken: bench.accessToken, numberOfApiCallRetries: 0 });
  return { ...bench, client };
}

test('the official client lists, reads, searches and associates', async () => {
  const { client, sandbox, portalId } = await officialClient();
  const company = sandbox.control.create(portalId, 'companies', { name: 'C' });
  const made = await client.crm.deals.basicApi.create({
    properties: { dealname: 'A', amount: '12' },
    associations: [],
  });
  const page = await client.crm.deals.basicApi.getPage(10, undefined, ['amount']);
  expect(page.results.map((row) => [row.id, row.properties.amount])).toEqual([[made.id, '12']]);
  const read = await client.crm.deals.batchApi.read({
    inputs: [{ id: made.id }],
    properties: ['dealname'],
    propertiesWithHistory: [],
  });
  expect(read.results[0]?.createdAt).toBeInstanceOf(Date);
  const found = await client.crm.deals.searchApi.doSearch({
    filterGroups: [{ filters: [{ propertyName: 'amount', operator: 'GT' as never, value: '10' }] }],
    properties: ['amount'],
    limit: 5,
    after: '0',
    sorts: [],
  });
  expect(found.total).toBe(1);
  const linked = await client.crm.associations.v4.batchApi.create('deals', 'companies', {
    inputs: [
      {
        _from: { id: made.id },
        to: { id: company },
        types: [{ associationCategory: 'HUBSPOT_DEFINED' as never, associationTypeId: 341 }],
      },
    ],
  });
  expect(linked.results[0]?.fromObjectId).toBe(made.id);
  const ends = await client.crm.associations.v4.batchApi.getPage('deals', 'companies', {
    inputs: [{ id: made.id }],
  });
  expect(String(ends.results[0]?.to[0]?.toObjectId)).toBe(company);
});

test('the official client understands our refusals and gets tokens', async () => {
  const { client, refreshToken } = await officialClient();
  await expect(client.crm.deals.basicApi.getById('1')).rejects.toMatchObject({ code: 404 });
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    refresh_token: refreshToken,
    client_id: 'client-1',
    client_secret: 'secret-1',
  });
  const answer = await client.apiRequest({
    method: 'POST',
    path: '/oauth/2026-09/token',
    defaultJson: false,
    authType: 'none',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: form.toString(),
  });
  expect(await answer.json()).toMatchObject({ token_type: 'bearer', expires_in: 1_800 });
});

test('a torn connection reaches the client as a network error', async () => {
  const { client, sandbox } = await officialClient();
  sandbox.control.failNext(1, 'reset');
  await expect(client.apiRequest({ path: '/crm/objects/2026-09/deals' })).rejects.toThrow(TypeError);
});
