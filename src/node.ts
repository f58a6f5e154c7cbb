/** `npm start`: Tributary on Node, configured by the environment. Exit codes: 0 asked to stop, 78 configuration, 1 else. */
import { systemClock } from './platform/clock.ts';
import { ConfigError, parseConfig, readEnvironment } from './platform/config.ts';
import { createNodeLog } from './platform/log-node.ts';
import { startTributary } from './start.ts';

process.exitCode = await run();

async function run(): Promise<number> {
  const asked = new Promise<'stop'>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve('stop'));
  });
  try {
    const config = parseConfig(readEnvironment());
    const log = createNodeLog({ level: config.logLevel });
    const tributary = await startTributary({ config, clock: systemClock, log });
    const end = await Promise.race([asked, tributary.died]);
    if (end !== 'stop') log.fatal('Tributary ends', { why: end });
    await tributary.stop();
    return end === 'stop' ? 0 : 1;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof ConfigError ? error.exitCode : 1;
  }
}
