import { type ApiScope, createApiKey } from '../../src/identity/api-key-store.ts';
import { createOrganization } from '../../src/identity/store.ts';
import { type Database, withOrganization } from '../../src/platform/db/client.ts';

const by = { actor: { kind: 'operator', id: 'test' }, now: new Date('2026-11-20T10:00:00Z') } as const;

export interface TestTenant {
  readonly organizationId: string;
  /** Bearer headers of a key with these scopes. */
  headers(...scopes: ApiScope[]): Promise<Readonly<Record<string, string>>>;
}

/** An organization with the default rules, made as the admin command makes it. */
export async function createTenant(
  db: Database,
  name: string,
  timeZone = 'Europe/Berlin',
): Promise<TestTenant> {
  const { organizationId } = await createOrganization(db, { name, timeZone }, by);
  return {
    organizationId,
    headers: async (...scopes) => {
      const { text } = await withOrganization(db, organizationId, (tx) =>
        createApiKey(tx, { organizationId, name: 'test', scopes, expiresAt: null }, by),
      );
      return { authorization: `Bearer ${text}`, 'content-type': 'application/json' };
    },
  };
}
