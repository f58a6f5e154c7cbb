import { afterEach, expect, test } from 'vitest';
import { installApp } from './install.ts';
import { type SandboxServer, startSandboxServer } from './server.ts';
import { openSandbox } from './testing.ts';

const open: SandboxServer[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

async function serve() {
  const { sandbox, portalId, accessToken } = await openSandbox();
  const server = await startSandboxServer({ port: 0, sandbox });
  open.push(server);
  return { server, sandbox, portalId, accessToken };
}

test('a person’s actions, the tables and the log are open to other processes', async () => {
  const { server, portalId, accessToken } = await serve();
  const action = (name: string, ...args: unknown[]) =>
    fetch(`${server.url}/_sandbox/actions`, { method: 'POST', body: JSON.stringify({ name, args }) });
  const { result } = (await (await action('createDeal', portalId, { dealname: 'A' })).json()) as {
    result: string;
  };
  const deal = await fetch(`${server.url}/crm/objects/2026-09/deals/${result}`, {
    headers: { Authorization: `Bearer ${accessToken}` },
  });
  expect(deal.status).toBe(200);
  const table = await (await fetch(`${server.url}/_sandbox/tables/${portalId}/deals`)).json();
  expect(table).toMatchObject([{ id: result, values: { dealname: 'A' } }]);
  const log = (await (await fetch(`${server.url}/_sandbox/log`)).json()) as { calls: unknown[] };
  expect(log.calls.at(-1)).toMatchObject({ operation: 'objects.get', status: 200 });
  expect((await action('noSuchThing')).status).toBe(400);
  expect((await action('moveStage', portalId, result, 'nowhere')).status).toBe(400);
});

test('a reset tears the socket down', async () => {
  const { server, sandbox, accessToken } = await serve();
  sandbox.control.failNext(1, 'reset');
  const headers = { Authorization: `Bearer ${accessToken}` };
  await expect(fetch(`${server.url}/crm/objects/2026-09/deals`, { headers })).rejects.toThrow('fetch failed');
  expect((await fetch(`${server.url}/crm/objects/2026-09/deals`, { headers })).status).toBe(200);
});

test('several portals live in one sandbox and see nothing of each other', async () => {
  const { sandbox, portalId } = await serve();
  sandbox.addPortal({ portalId: 77 });
  const other = await installApp(sandbox, 77);
  sandbox.control.createDeal(portalId, { dealname: 'A' });
  const answer = await sandbox.app.request('/crm/objects/2026-09/deals', {
    headers: { Authorization: `Bearer ${other.accessToken}` },
  });
  expect(await answer.json()).toEqual({ results: [] });
});
