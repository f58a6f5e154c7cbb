/** `npm run keys -- new`: prints a fresh entry for MASTER_KEYS. */
import { ConfigError, parseKeys, readEnvironment } from '../platform/config.ts';
import { newMasterKey } from '../platform/crypto.ts';

const USAGE = `usage: npm run keys -- new
  new   prints a fresh entry; put it in front of MASTER_KEYS, so that it encrypts and the old ones still decrypt
`;

process.exitCode = run(process.argv.slice(2));

function run([command]: readonly string[]): number {
  try {
    if (command === 'new') {
      process.stdout.write(`${newMasterKey(nextVersion())}\n`);
      return 0;
    }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return error.exitCode;
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
