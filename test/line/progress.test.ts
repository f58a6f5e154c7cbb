import { afterAll, beforeAll, expect, test } from 'vitest';
import { seedBulk } from '../sandbox/hubspot/world-bulk.ts';
import { type Line, openLine, PORTAL } from './harness.ts';

let line: Line;
beforeAll(async () => {
  line = await openLine();
});
afterAll(() => line.close());

test('a full read says from its first page on how much there is, at one call for each kind that is listed', async () => {
  seedBulk(line.sandbox, PORTAL, { deals: 230, partners: 3, customers: 20, meetings: 40 });
  const tenant = await line.addTenant();
  await tenant.install();
  await line.drain();
  const { body } = await tenant.api<{
    connections: { positions: { kind: string; rowsRead: number; rowsExpected: number | null }[] }[];
  }>('GET', '/v1/connections');
  const expected = Object.fromEntries(
    body.connections[0]?.positions.map((p) => [p.kind, [p.rowsRead, p.rowsExpected]]) ?? [],
  );
  expect(expected).toMatchObject({ deal: [230, 230], account: [23, 23], meeting: [40, 40], note: [0, 0] });
  expect(line.sandbox.log.count({ operation: 'search' })).toBe(3);
});
