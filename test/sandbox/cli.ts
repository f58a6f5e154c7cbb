import { parseArgs } from 'node:util';
import { systemClock } from '../../src/platform/clock.ts';
import { startSandboxServer } from './hubspot/server.ts';
import { installSubscriptions } from './hubspot/subscriptions.ts';
import { seedCompany } from './hubspot/world.ts';

/**
 * Serves one sandbox portal alone until Ctrl-C and prints the settings that point the app at it.
 * `npm run sandbox -- --crm hubspot --port 4010 [--app http://localhost:8080] [--empty]`
 */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      crm: { type: 'string', default: 'hubspot' },
      port: { type: 'string', default: process.env.SANDBOX_PORT ?? '4010' },
      app: { type: 'string', default: 'http://localhost:8080' },
      seed: { type: 'string', default: '1' },
      empty: { type: 'boolean', default: false },
    },
  });
  if (values.crm !== 'hubspot') throw new Error(`this sandbox plays hubspot, not ${values.crm}`);
  const portalId = 1_000_001;
  const server = await startSandboxServer({
    port: Number(values.port),
    clock: systemClock,
    seed: Number(values.seed),
    clientId: 'sandbox-client',
    clientSecret: 'sandbox-secret',
    redirectUrls: [`${values.app}/oauth/hubspot/callback`],
    portals: [{ portalId, name: 'Sandbox portal', timeZone: 'US/Eastern' }],
    webhooks: { targetUrl: `${values.app}/webhooks/hubspot`, subscriptions: installSubscriptions() },
  });
  if (!values.empty) seedCompany(server.sandbox, portalId, { seed: Number(values.seed) });
  process.stdout.write(
    [
      `# A sandbox of HubSpot (portal ${portalId}) listens on ${server.url}. Settings that point the app (${values.app}) at it:`,
      `export HUBSPOT_API_URL=${server.url}`,
      `export HUBSPOT_APP_URL=${server.url}`,
      'export HUBSPOT_CLIENT_ID=sandbox-client',
      'export HUBSPOT_CLIENT_SECRET=sandbox-secret',
      `export HUBSPOT_APP_ID=${server.sandbox.appId}`,
      `# Another address of the app: --app http://localhost:PORT (redirects and webhooks are checked against it).`,
      `# Webhooks go to ${values.app}/webhooks/hubspot; calls: ${server.url}/_sandbox/log, deals: ${server.url}/_sandbox/tables/${portalId}/deals`,
      '',
    ].join('\n'),
  );
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void server.close().then(() => process.exit(0)));
  }
}

try {
  await main();
} catch (error) {
  const why = error instanceof Error ? error.message : String(error);
  process.stderr.write(
    `${why}\nusage: npm run sandbox -- [--crm hubspot] [--port 4010] [--app http://localhost:8080] [--seed 1] [--empty]\n`,
  );
  process.exitCode = 64;
}
