/**
 * Who may import whom. A wrong arrow fails `npm run check`; test/boundaries.test.ts plants one for every rule.
 * Type-only imports count as arrows too, unless a rule says otherwise.
 */

const COMPOSITION_ROOT = '^src/(node|edge|compose|start)\\.ts$|^src/cli/';
const SLICE = '^src/(?!platform/|cli/)([^/]+)/';
/** Files of the pure slices that are not pure: they touch the database, the queue or HTTP. */
const SHELL_FILE = '(^|/|-)(store|tables|jobs|routes|recompute|card)\\.ts$';
const PURE_FILE = { path: '^src/(attribution|incentives)/', pathNot: SHELL_FILE };
/** What runs on Cloudflare Workers; none of it may reach what only Node has. */
const EDGE = [
  '^src/edge\\.ts$',
  '^connectors/registry\\.edge\\.ts$',
  '^connectors/[^/]+/(edge|oauth)\\.ts$',
  '^src/platform/http/(app|input|problem)\\.ts$',
  '^src/platform/(crypto|errors|clock|log|metrics|redact)\\.ts$',
];

/** Installed, or named in an import and not installed. */
const packages = (...names) => names.flatMap((name) => [`(^|/)node_modules/${name}/`, `^${name}(/|$)`]);

/** A package with one home: `from` everything else. */
const home = (name, files, names, to = {}) => ({
  name,
  severity: 'error',
  from: { path: '^(src|connectors)/', pathNot: files },
  to: { path: packages(...names), ...to },
});

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'platform-stands-alone',
      comment: 'What every slice stands on knows none of them, and no CRM.',
      severity: 'error',
      from: { path: '^src/platform/' },
      to: { path: ['^src/(?!platform/)', '^connectors/'] },
    },
    {
      name: 'slices-see-connectors-by-their-interface',
      severity: 'error',
      from: { path: SLICE },
      to: { path: '^connectors/', pathNot: '^connectors/connector\\.ts$' },
    },
    {
      name: 'slices-meet-in-stores-and-pure-files',
      comment: 'The jobs and routes of a slice are its own; a composition root puts them together.',
      severity: 'error',
      from: { path: SLICE },
      to: { path: '(/|-)(jobs|routes)\\.ts$', pathNot: ['^src/$1/', '^src/platform/'] },
    },
    {
      name: 'composition-roots-are-on-top',
      severity: 'error',
      from: { path: '^(src|connectors)/', pathNot: COMPOSITION_ROOT },
      to: { path: COMPOSITION_ROOT },
    },
    {
      name: 'connector-interface-imports-nothing',
      severity: 'error',
      from: { path: '^connectors/connector\\.ts$' },
      to: { path: '.' },
    },
    {
      name: 'connectors-only-translate',
      comment:
        'Its own folder, the interface, our errors and crypto: no database, job, HTTP app or other CRM.',
      severity: 'error',
      from: { path: '^connectors/([^/]+)/' },
      to: {
        path: '^(src|connectors)/',
        pathNot: ['^connectors/connector\\.ts$', '^connectors/$1/', '^src/platform/(errors|crypto)\\.ts$'],
      },
    },
    {
      name: 'connectors-have-no-server-packages',
      severity: 'error',
      from: { path: '^connectors/' },
      to: {
        path: packages(
          'drizzle-orm',
          'postgres',
          'pg',
          'graphile-worker',
          'hono',
          '@hono/[^/]+',
          'pino',
          'prom-client',
        ),
      },
    },
    {
      name: 'pure-files-do-no-io',
      comment:
        'Same inputs, same bytes, for ever. node:crypto is there for its hashes; the test looks for clocks and randomness.',
      severity: 'error',
      from: PURE_FILE,
      to: {
        path: ['^src/platform/', SHELL_FILE, 'node_modules/', '^[a-z_:/]+$'],
        pathNot: ['^src/platform/errors\\.ts$', ...packages('zod'), '^crypto$'],
      },
    },
    {
      name: 'edge-reaches-no-sdk-and-no-worker',
      comment: 'By types neither: an interface that both sides know lives in a file of its own.',
      severity: 'error',
      from: { path: EDGE },
      to: {
        path: packages(
          'jsforce',
          '@hubspot/api-client',
          'pipedrive',
          'graphile-worker',
          'pg',
          'pino',
          'prom-client',
          '@hono/node-server',
        ),
        reachable: true,
      },
    },
    {
      name: 'edge-reaches-few-node-built-ins',
      comment: 'Only those that the Workers build of postgres.js itself needs.',
      severity: 'error',
      from: { path: EDGE },
      to: { path: '^(?!(buffer|stream|events)$)[a-z_:/]+$', reachable: true },
    },
    {
      name: 'extensions-speak-http-only',
      severity: 'error',
      from: { path: '^extensions/' },
      to: { path: '^(src|connectors|test|migrations)/' },
    },
    {
      name: 'extensions-are-deployed-elsewhere',
      severity: 'error',
      from: { path: '^(src|connectors|test)/' },
      to: { path: '^extensions/' },
    },
    {
      name: 'production-imports-no-test',
      comment: 'The demo and the sandbox command do: they are composition roots.',
      severity: 'error',
      from: { path: '^(src|connectors)/', pathNot: COMPOSITION_ROOT },
      to: { path: '^test/' },
    },
    {
      name: 'production-needs-no-development-package',
      severity: 'error',
      from: { path: '^(src|connectors)/', pathNot: '^src/cli/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
    home('hubspot-sdk-lives-in-its-client', '^connectors/hubspot/client\\.ts$', ['@hubspot/api-client']),
    home('salesforce-sdk-lives-in-its-client', '^connectors/salesforce/client\\.ts$', ['jsforce']),
    home('pipedrive-sdk-lives-in-its-client', '^connectors/pipedrive/client\\.ts$', ['pipedrive']),
    home('sql-lives-in-stores', ['(^|/|-)(store|tables)\\.ts$', '^src/platform/db/'], ['drizzle-orm']),
    // A store on a hot path is handed a client and names its type; it never opens one. `admin roles` runs as a superuser.
    home(
      'postgres-lives-in-platform',
      ['^src/platform/(db|embedded-postgres|jobs)/', '^src/cli/admin/roles-command\\.ts$'],
      ['postgres', 'pg'],
      {
        dependencyTypesNot: ['type-only'],
      },
    ),
    home(
      'graphile-lives-in-jobs',
      ['^src/platform/jobs/', '^src/platform/db/migrate\\.ts$'],
      ['graphile-worker'],
    ),
    home('pino-lives-in-log', '^src/platform/log-node\\.ts$', ['pino']),
    home('prometheus-lives-in-metrics', '^src/platform/metrics-node\\.ts$', ['prom-client']),
    home('node-server-lives-in-http', '^src/platform/http/node\\.ts$', ['@hono/node-server']),
    home('icons-live-in-the-console', '^src/console/', ['lucide-react']),
    {
      name: 'no-circles',
      comment: 'Two files may name each other’s types.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'everything-resolves',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    // TypeScript 7 has no classic API; swc reads the sources instead, type-only imports included.
    parser: 'swc',
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
