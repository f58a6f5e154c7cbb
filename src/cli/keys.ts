/** `npm run keys -- new | rewrap`: fresh entries for MASTER_KEYS, and stored secrets brought under the first of them. */
import { ConfigError, parseKeys, readEnvironment } from '../platform/config.ts';
import { type MasterKey, newMasterKey } from '../platform/crypto.ts';
import { type Database, withOrganization } from '../platform/db/client.ts';
import { rewrapAll } from '../platform/rewrap.ts';
import { listSealedTokens, replaceSealedToken } from '../sync/token-store.ts';
import { CannotDo } from './admin/command.ts';
import { openCliDatabase } from './database.ts';

const USAGE = `usage: npm run keys -- new | rewrap
  new     prints a fresh entry; put it in front of MASTER_KEYS, so that it encrypts and the old ones still decrypt
  rewrap  brings every stored token under the first key while the app runs; afterwards the old keys can go,
          once ten minutes have passed, so that no installation is under way with an older one
`;

const SECRETS_PER_PAGE = 200;

process.exitCode = await run(process.argv.slice(2));

async function run([command]: readonly string[]): Promise<number> {
  try {
    if (command === 'new') {
      process.stdout.write(`${newMasterKey(nextVersion())}\n`);
      return 0;
    }
    if (command === 'rewrap') return await rewrap();
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof CannotDo)) throw error;
    process.stderr.write(`${error.message}\n`);
    return error instanceof ConfigError ? error.exitCode : 1;
  }
  process.stderr.write(USAGE);
  return 64;
}

/** One above the highest version that MASTER_KEYS holds. */
function nextVersion(): string {
  const env = readEnvironment();
  const present = env.MASTER_KEYS?.trim() ? parseKeys(env, ['MASTER_KEYS']).MASTER_KEYS : [];
  return `v${Math.max(0, ...present.map(({ version }) => Number(version.slice(1)))) + 1}`;
}

async function rewrap(): Promise<number> {
  const env = readEnvironment();
  const keys = parseKeys(env, ['MASTER_KEYS']).MASTER_KEYS;
  const db = openCliDatabase(env);
  try {
    const organizations = await db.doors<{ id: string }[]>`select ops.organization_ids() as id`;
    let unreadable = 0;
    let rewrapped = 0;
    for (const { id } of organizations) {
      const result = await rewrapOrganization(db, id, keys);
      rewrapped += result.rewrapped;
      unreadable += result.unreadable.length;
      for (const secret of result.unreadable)
        process.stderr.write(`organization ${id}, token ${secret.id}: ${secret.reason}\n`);
    }
    process.stdout.write(`${rewrapped} secrets are now under ${keys[0]?.version}\n`);
    return unreadable === 0 ? 0 : 1;
  } finally {
    await db.close();
  }
}

function rewrapOrganization(db: Database, organizationId: string, keys: readonly MasterKey[]) {
  return rewrapAll({
    keys,
    list: (version, afterId) =>
      withOrganization(db, organizationId, (tx) =>
        listSealedTokens(tx, organizationId, version, afterId, SECRETS_PER_PAGE),
      ),
    replace: (secret, next) =>
      withOrganization(db, organizationId, (tx) => replaceSealedToken(tx, secret, next)),
  });
}
