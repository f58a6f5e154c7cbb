import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { cruise, type ICruiseResult } from 'dependency-cruiser';
import extractConfig from 'dependency-cruiser/config-utl/extract-depcruise-config';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '..');
const { forbidden = [], options = {} } = await extractConfig(path.join(root, '.dependency-cruiser.mjs'));

/** For every rule arrows that it must refuse: file → what it imports. */
const WRONG: Readonly<Record<string, readonly (readonly [from: string, to: string])[]>> = {
  'platform-stands-alone': [
    ['src/platform/a.ts', '../deals/store.ts'],
    ['src/platform/a.ts', '../../connectors/connector.ts'],
  ],
  'slices-see-connectors-by-their-interface': [
    ['src/sync/a.ts', '../../connectors/hubspot/mapper.ts'],
    ['src/sync/b.ts', '../../connectors/registry.ts'],
  ],
  'slices-meet-in-stores-and-pure-files': [
    ['src/sync/c.ts', '../deals/jobs.ts'],
    ['src/sync/d.ts', '../deals/portal-routes.ts'],
  ],
  'composition-roots-are-on-top': [['src/sync/e.ts', '../node.ts']],
  'connector-interface-imports-nothing': [['connectors/connector.ts', 'zod']],
  'connectors-only-translate': [
    ['connectors/hubspot/a.ts', '../../src/platform/db/client.ts'],
    ['connectors/hubspot/b.ts', '../../src/deals/store.ts'],
    ['connectors/hubspot/c.ts', '../salesforce/mapper.ts'],
  ],
  'connectors-have-no-server-packages': [['connectors/hubspot/d.ts', 'drizzle-orm']],
  'pure-files-do-no-io': [
    ['src/attribution/money.ts', 'node:fs'],
    ['src/attribution/models.ts', 'drizzle-orm'],
    ['src/attribution/explain.ts', './run-store.ts'],
    ['src/attribution/evidence.ts', '../platform/clock.ts'],
    ['src/incentives/terms.ts', '../deals/store.ts'],
  ],
  'edge-reaches-no-sdk-and-no-worker': [
    ['src/edge.ts', './identity/reaches-pg.ts'],
    ['connectors/hubspot/edge.ts', '@hubspot/api-client'],
  ],
  'edge-reaches-few-node-built-ins': [
    ['src/platform/crypto.ts', 'node:crypto'],
    ['src/edge.ts', './identity/reaches-fs.ts'],
  ],
  'extensions-speak-http-only': [['extensions/hubspot/a.ts', '../../src/attribution/card-view.ts']],
  'extensions-are-deployed-elsewhere': [['src/sync/f.ts', '../../extensions/hubspot/card.ts']],
  'production-imports-no-test': [['src/sync/g.ts', '../../test/sandbox/app.ts']],
  'production-needs-no-development-package': [['src/sync/h.ts', 'msw']],
  'hubspot-sdk-lives-in-its-client': [['connectors/hubspot/reader.ts', '@hubspot/api-client']],
  'salesforce-sdk-lives-in-its-client': [['connectors/salesforce/reader.ts', 'jsforce']],
  'pipedrive-sdk-lives-in-its-client': [['connectors/pipedrive/reader.ts', 'pipedrive']],
  'sql-lives-in-stores': [['src/deals/merge.ts', 'drizzle-orm/pg-core']],
  'postgres-lives-in-platform': [['src/deals/query.ts', 'postgres']],
  'graphile-lives-in-jobs': [['src/deals/queue.ts', 'graphile-worker']],
  'pino-lives-in-log': [['src/platform/other-log.ts', 'pino']],
  'prometheus-lives-in-metrics': [['src/deals/figures.ts', 'prom-client']],
  'node-server-lives-in-http': [['src/node.ts', '@hono/node-server']],
  'icons-live-in-the-console': [['src/deals/icon.ts', 'lucide-react']],
  'no-circles': [['src/deals/one.ts', './two.ts']],
  'everything-resolves': [['src/deals/gone.ts', './nowhere.ts']],
};

/** Arrows that must be allowed. */
const RIGHT: readonly (readonly [from: string, to: string])[] = [
  ['src/node.ts', './sync/jobs.ts'],
  ['src/node.ts', '../connectors/registry.ts'],
  ['src/cli/demo.ts', '../../test/sandbox/app.ts'],
  ['src/edge.ts', './deals/routes.ts'],
  ['src/sync/ingest.ts', '../deals/store.ts'],
  ['src/sync/jobs.ts', './ingest.ts'],
  ['src/sync/jobs.ts', '../../connectors/connector.ts'],
  ['src/sync/jobs.ts', '../platform/jobs/define-job.ts'],
  ['src/deals/store.ts', 'drizzle-orm'],
  ['src/attribution/input-codec.ts', 'node:crypto'],
  ['src/attribution/card-view.ts', 'zod'],
  ['connectors/hubspot/client.ts', '@hubspot/api-client'],
  ['connectors/hubspot/client.ts', '../../src/platform/errors.ts'],
  ['connectors/hubspot/oauth.ts', '../../src/platform/errors.ts'],
  ['connectors/registry.ts', './hubspot/client.ts'],
  ['src/platform/jobs/define-job.ts', 'graphile-worker'],
  ['src/platform/log-node.ts', 'pino'],
];

const SUPPORT: Readonly<Record<string, string>> = {
  'src/identity/reaches-pg.ts': "import '../platform/jobs/supervise.ts';",
  'src/platform/jobs/supervise.ts': "import 'pg';",
  'src/deals/two.ts': "import './one.ts';",
  'src/identity/reaches-fs.ts': "import 'node:fs/promises';",
};

let folder: string;
let violations: readonly string[];

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tributary-boundaries-'));
  plant();
  const { output } = await cruise(['.'], {
    ...options,
    baseDir: folder,
    validate: true,
    ruleSet: { forbidden },
  });
  violations = (output as ICruiseResult).summary.violations.map(({ rule, from }) => `${rule.name}: ${from}`);
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

test('every rule has an arrow planted against it', () => {
  expect(Object.keys(WRONG).toSorted()).toEqual(forbidden.map(({ name }) => name).toSorted());
});

test.each(Object.entries(WRONG))('refused by %s', (rule, arrows) => {
  for (const [from] of arrows) expect(violations).toContain(`${rule}: ${from}`);
});

test('what the design allows is not refused', () => {
  const wrongFiles = new Set(Object.values(WRONG).flatMap((arrows) => arrows.map(([from]) => from)));
  const blamed = new Set(violations.map((violation) => violation.split(': ')[1]));
  for (const [from] of RIGHT) if (!wrongFiles.has(from)) expect(blamed, from).not.toContain(from);
});

test('pure files ask no clock, no dice and no environment', () => {
  const pure = fs
    .globSync('src/{attribution,incentives}/**/*.ts', { cwd: root })
    .filter((file) => !/(^|\/|-)(store|tables|jobs|routes|recompute|card)\.ts$/.test(file));
  const impure =
    /Date\.now|new Date\(\s*\)|(?<!new )\bDate\(|performance\.|Temporal\.Now|Math\.random|random(UUID|Bytes|Int)|getRandomValues|process\./;
  expect(pure.filter((file) => impure.test(fs.readFileSync(path.join(root, file), 'utf8')))).toEqual([]);
});

/** Writes every planted file, and an empty one for each that is imported. npm packages are found in our node_modules. */
function plant(): void {
  fs.symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  fs.copyFileSync(path.join(root, 'package.json'), path.join(folder, 'package.json'));
  const files = new Map(Object.entries(SUPPORT));
  for (const [from, to] of [...Object.values(WRONG).flat(), ...RIGHT]) {
    files.set(from, `${files.get(from) ?? ''}import '${to}';\n`);
    const target = path.posix.join(path.posix.dirname(from), to);
    if (to.startsWith('.') && !to.includes('nowhere') && !files.has(target)) files.set(target, '');
  }
  for (const [file, text] of files) {
    fs.mkdirSync(path.join(folder, path.dirname(file)), { recursive: true });
    fs.writeFileSync(path.join(folder, file), `${text}export {};\n`);
  }
}
