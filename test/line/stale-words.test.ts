import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RecordKind, Snapshot } from '../../connectors/connector.ts';
import { withOrganization } from '../../src/platform/db/client.ts';
import { findConnection } from '../../src/sync/connection-store.ts';
import { applySnapshots } from '../../src/sync/ingest.ts';
import { type Line, MINUTE_MS, openLine } from './harness.ts';
import { openSmallWorld } from './small-world.ts';
import { readRecords } from './state.ts';
import type { Tenant } from './tenant.ts';

let line: Line;
beforeAll(async () => {
  line = await openLine();
  line.sandbox.subscriptions.length = 0;
});
afterAll(() => line.close());

const TYPES = { deal: 'deals', account: 'companies', contact: 'contacts' } as const;
const ROWS = { deal: 'deals', account: 'accounts', contact: 'contacts' } as const;

async function apply(tenant: Tenant, snapshots: readonly Snapshot[]): Promise<void> {
  const key = { organizationId: tenant.organizationId, connectionId: await tenant.connectionId() };
  await withOrganization(line.db, tenant.organizationId, async (tx) => {
    const connection = await findConnection(tx, key);
    if (connection === null) throw new Error('not connected');
    await applySnapshots(tx, connection, snapshots, {
      now: line.clock.now(),
      verified: false,
      backfilling: false,
    });
  });
}

test.each(['deal', 'account', 'contact'] as const)(
  'a page of %ss that was read before a second merge, and stored after it, points nobody back',
  async (kind: RecordKind & keyof typeof TYPES) => {
    const { portalId, tenant } = await openSmallWorld(line);
    const { control } = line.sandbox;
    const create = (n: number) =>
      kind === 'contact'
        ? control.create(portalId, 'contacts', { email: `stale-${n}@example.com` })
        : kind === 'account'
          ? control.create(portalId, 'companies', { name: `Stale ${n}` })
          : control.createDeal(portalId, { dealname: `Stale ${n}` });
    const [a, b, d] = [create(1), create(2), create(3)];
    const c = control.merge(portalId, TYPES[kind], a, b);
    const mergedAt = line.clock.now().toISOString();
    await line.pass(MINUTE_MS);
    const stale: Snapshot[] = [a, b].map((externalId) => ({
      ref: { kind, externalId },
      status: 'merged',
      survivorExternalId: c,
      changedAt: mergedAt,
      readAt: line.clock.now().toISOString(),
    }));
    await line.pass(MINUTE_MS);
    const e = control.merge(portalId, TYPES[kind], c, d);
    await line.pass(10 * MINUTE_MS, 2);
    const survivors = async () => {
      const rows = (await readRecords(line, tenant))[ROWS[kind]];
      return [a, b, c, d].map((id) => rows.find((r) => r.external_id === id)?.merged_into_external_id);
    };
    expect(await survivors()).toEqual([e, e, e, e]);
    await apply(tenant, stale);
    expect(await survivors()).toEqual([e, e, e, e]);
  },
);
