/** `npm run admin -- COMMAND …`: what an operator does before there is a screen for it. */

import { readEnvironment } from '../platform/config.ts';
import { runAdmin } from './admin/run.ts';

process.exitCode = await runAdmin(process.argv.slice(2), {
  env: readEnvironment(),
  now: () => new Date(),
  out: (text) => process.stdout.write(`${text}\n`),
  err: (text) => process.stderr.write(`${text}\n`),
});
