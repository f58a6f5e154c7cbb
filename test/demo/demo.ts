/**
 * `npm run demo`: the main job on a machine that has nothing but Node and npm. It serves a sandbox portal, starts Tributary
 * on the embedded PostgreSQL, tells the story of `story.ts`, and goes on serving until Ctrl-C.
 * Exit codes: 0 everything held, 1 something did not, 64 wrong options, 78 configuration, 130 stopped in the middle.
 */
import fs from 'node:fs';
import net from 'node:net';
import { type Clock, systemClock } from '../../src/platform/clock.ts';
import {
  ConfigError,
  type Environment,
  parseConfig,
  parseKeys,
  readEnvironment,
} from '../../src/platform/config.ts';
import { createNodeLog } from '../../src/platform/log-node.ts';
import { startTributary } from '../../src/start.ts';
import { type DemoFolder, openFolder } from './folder.ts';
import { type DemoOptions, readOptions } from './options.ts';
import { CLIENT_ID, openPortal, PORTAL_ID } from './portal.ts';
import { createScreen, type Screen } from './screen.ts';
import { type Stage, type Told, tellStory } from './story.ts';

const CLIENT_SECRET = 'demo-secret';
const USUAL_PORT = 8080;

process.exitCode = await main();

async function main(): Promise<number> {
  const env = readEnvironment();
  const options = readOptions(process.argv.slice(2));
  if (typeof options === 'string') {
    process.stderr.write(`${options}\n`);
    return 64;
  }
  const screen = createScreen(options.json ? process.stderr : process.stdout, env);
  const asked = new AbortController();
  const onSignal = () => asked.abort(new Error('stopped'));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal);
  try {
    return await run(env, options, screen, systemClock, asked);
  } catch (error) {
    if (asked.signal.aborted && error === asked.signal.reason) return 130;
    if (error instanceof ConfigError) {
      screen.line(error.message);
      return error.exitCode;
    }
    screen.line();
    screen.line(`The demo ended: ${error instanceof Error ? error.message : String(error)}`);
    screen.line('Run it again: it goes on where it can, or starts afresh and says so.');
    return 1;
  }
}

async function run(
  env: Environment,
  options: DemoOptions,
  screen: Screen,
  clock: Clock,
  asked: AbortController,
): Promise<number> {
  const startedAtMs = clock.now().getTime();
  const { SANDBOX_PORT: sandboxPort } = parseKeys(env, ['SANDBOX_PORT']);
  const folder = await openFolder(env, options);
  screen.line(folder.note);
  if (env.DATABASE_URL) screen.line('DATABASE_URL is left alone: the demo brings a database of its own.');
  const appPort = env.PORT ? parseKeys(env, ['PORT']).PORT : await findPort();
  const publicUrl = `http://localhost:${appPort}`;
  const undo: (() => Promise<void>)[] = [];
  try {
    const portal = await openPortal({
      clock,
      options,
      folder,
      port: sandboxPort ?? 0,
      publicUrl,
      clientSecret: CLIENT_SECRET,
    });
    undo.push(() => portal.close());
    screen.line(`A HubSpot portal is served at ${portal.url}: ${countWorld(options)}`);
    const tributary = await startTributary({
      clock,
      config: toConfig(env, folder, {
        appPort,
        publicUrl,
        sandboxUrl: portal.url,
        appId: portal.sandbox.appId,
      }),
      log: createNodeLog({
        level: 'info',
        destination: { write: (line) => fs.appendFileSync(folder.logFile, line) },
      }),
    });
    undo.push(() => tributary.stop());
    const death = tributary.died.then((why) => asked.abort(new Error(`Tributary died: ${why}`)));
    void death;
    screen.line(`Tributary is up at ${publicUrl}, with its own PostgreSQL`);
    const stage: Stage = { clock, signal: asked.signal, screen, folder, portal, publicUrl, tributary };
    const told = await tellStory(stage, startedAtMs);
    report(screen, stage, told, env);
    if (options.json) process.stdout.write(`${JSON.stringify(told.result)}\n`);
    if (!options.exit) await serveOn(screen, asked.signal);
    return told.held ? 0 : 1;
  } finally {
    for (const step of undo.reverse())
      await step().catch((error: unknown) => screen.line(`A step of the shutdown failed: ${String(error)}`));
  }
}

/** Secrets are made here, and here only: a real Tributary invents none. */
function toConfig(
  env: Environment,
  folder: DemoFolder,
  at: {
    readonly appPort: number;
    readonly publicUrl: string;
    readonly sandboxUrl: string;
    readonly appId: number;
  },
) {
  return parseConfig({
    HUBSPOT_API_URL: at.sandboxUrl,
    HUBSPOT_APP_URL: at.sandboxUrl,
    ...env,
    HUBSPOT_CLIENT_ID: CLIENT_ID,
    HUBSPOT_CLIENT_SECRET: CLIENT_SECRET,
    HUBSPOT_WEBHOOK_SECRETS: undefined,
    HUBSPOT_APP_ID: String(at.appId),
    MASTER_KEYS: folder.memory.masterKeys,
    PORT: String(at.appPort),
    HOST: '127.0.0.1',
    PUBLIC_URL: at.publicUrl,
    ROLE: 'all',
    DATABASE_URL: undefined,
    DATABASE_OWNER_URL: undefined,
    DATA_DIR: folder.databaseHome,
  });
}

function countWorld({ deals, partners, activities }: DemoOptions): string {
  return `${deals} deals, ${partners} partners, ${activities} activities over 18 months`;
}

function report(screen: Screen, { publicUrl, portal, folder }: Stage, told: Told, env: Environment): void {
  const { result, held } = told;
  screen.heading(held ? 'Everything held.' : 'Not everything held: see above.');
  screen.line(
    `  ${result.deals} deals, ${result.activities} activities, ${result.touchpoints} touchpoints, ${result.written} rows in HubSpot, drift ${result.drift}`,
  );
  const { read, readMinimum, write, writeMinimum } = result.calls;
  screen.line(
    `  calls to HubSpot: ${read} reads (fewest possible ${readMinimum}), ${write} writes (${writeMinimum})`,
  );
  const { p50, p95 } = result.webhookToCardMs;
  screen.line(`  webhook to card: p50 ${p50} ms, p95 ${p95} ms; all in ${result.seconds} s`);
  screen.heading('Where to look');
  const deal = told.exampleDealId ?? '';
  const ask = (what: string, where: string) =>
    screen.line(`  ${what.padEnd(20)} curl -H "authorization: Bearer $KEY" "${publicUrl}${where}"`);
  screen.line(`  KEY=${told.apiKey}`);
  ask('the connection', '/v1/connections');
  ask('the partners', '/v1/partners');
  ask('a deal’s credits', `/v1/deals?connectionId=${told.connectionId}&externalId=${deal}`);
  screen.line(`  that deal in HubSpot ${portal.url}/contacts/${PORTAL_ID}/record/0-3/${deal}`);
  screen.line(`  HubSpot’s call log   ${portal.url}/_sandbox/log`);
  screen.line(`  health and figures   ${publicUrl}/readyz  ${publicUrl}/metrics`);
  screen.line(`  Tributary’s log      ${folder.logFile}`);
  if (env.HUBSPOT_API_URL)
    screen.line(`  Tributary calls HubSpot by ${env.HUBSPOT_API_URL} (HUBSPOT_API_URL)`);
}

async function serveOn(screen: Screen, signal: AbortSignal): Promise<void> {
  screen.line();
  screen.line('Serving on; Ctrl-C ends it.');
  if (!signal.aborted)
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  if (signal.reason instanceof Error && signal.reason.message !== 'stopped') throw signal.reason;
}

/** The usual port when it is free, else any. */
function findPort(): Promise<number> {
  const free = (port: number) =>
    new Promise<number>((resolve, reject) => {
      const probe = net.createServer();
      probe.once('error', reject);
      probe.listen(port, '127.0.0.1', () => {
        const address = probe.address();
        probe.close(() => resolve(address !== null && typeof address === 'object' ? address.port : port));
      });
    });
  return free(USUAL_PORT).catch(() => free(0));
}
