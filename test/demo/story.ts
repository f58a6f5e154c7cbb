import { type Database, openDatabase } from '../../src/platform/db/client.ts';
import type { RunningTributary } from '../../src/start.ts';
import type { OracleTerms } from '../oracle/portal-oracle.ts';
import { type Api, type ConnectionSeen, createApi } from './api.ts';
import { type DriftReport, expectAll, measureDrift } from './drift.ts';
import { type BulkCalls, countBulkCalls, countRecords, countStanding } from './figures.ts';
import type { DemoFolder } from './folder.ts';
import { makeInstallLink, openTenant, TIME_ZONE, walkThroughInstall } from './install.ts';
import { planChanges } from './live-changes.ts';
import { makePartners } from './partners.ts';
import { type DemoPortal, PORTAL_ID } from './portal.ts';
import type { Screen } from './screen.ts';
import { type Patience, waitForBackfill, waitForQuiet } from './waiting.ts';
import { type Seen, takeBreath, watchChange } from './watching.ts';

/** Names a partner company on a deal, in this portal. */
const PARTNER_FIELD = 'referral_partner';
const ACTIVITY_KINDS: readonly string[] = ['meeting', 'call', 'email', 'note', 'task'];

export interface Stage extends Patience {
  readonly screen: Screen;
  readonly folder: DemoFolder;
  readonly portal: DemoPortal;
  readonly publicUrl: string;
  readonly tributary: RunningTributary;
}
/** What `--json` prints. */
export interface Result {
  readonly deals: number;
  readonly activities: number;
  readonly touchpoints: number;
  readonly creditedDeals: number;
  readonly written: number;
  readonly drift: number;
  readonly calls: BulkCalls;
  readonly webhookToCardMs: { readonly p50: number; readonly p95: number };
  readonly seconds: number;
}
export interface Told {
  readonly result: Result;
  /** Drift 0, every live change seen, nothing set aside. */
  readonly held: boolean;
  readonly apiKey: string;
  readonly connectionId: string;
  /** A won deal with credit. */
  readonly exampleDealId: string | null;
}

/** The story of the main job, from an empty Tributary to live changes on the card. */
export async function tellStory(stage: Stage, startedAtMs: number): Promise<Told> {
  const { screen, folder, clock } = stage;
  const db = openDatabase(stage.tributary.appUrl, 2);
  try {
    const { organizationId, apiKey } = await openTenant(db, folder, clock.now());
    const api = createApi(stage.publicUrl, apiKey);
    const connection = await connect(stage, db, organizationId, api);
    const terms = await linkPartners(stage, db, organizationId, api, connection.id);
    const calls = countBulkCalls(stage.portal);
    const seen = await watchChanges(stage, db, organizationId, terms);
    const aside = await waitForQuiet(stage, db, organizationId);
    for (const { lane, count } of aside) screen.line(`  ${count} objects of the lane ${lane} are set aside.`);
    screen.heading('Checking every deal, credit and row against an independent recomputation');
    const checked = await check(stage, api, connection.id, terms);
    folder.save({ phase: 'ended' });
    const drift = checked.differences.length;
    const cardMs = seen.times.map((each) => each.cardMs).sort((a, b) => a - b);
    return {
      apiKey,
      connectionId: connection.id,
      exampleDealId: checked.exampleDealId,
      held: drift === 0 && seen.missed === 0 && seen.times.length > 0 && aside.length === 0,
      result: {
        deals: checked.deals,
        activities: await countActivities(api),
        touchpoints: checked.touchpoints,
        creditedDeals: checked.creditedDeals,
        written: countStanding(stage.portal),
        drift,
        calls,
        webhookToCardMs: { p50: percentile(cardMs, 0.5), p95: percentile(cardMs, 0.95) },
        seconds: Math.round((clock.now().getTime() - startedAtMs) / 100) / 10,
      },
    };
  } finally {
    await db.close();
  }
}

/** Installs through OAuth and waits for the full read; a run that is taken up is connected already. */
async function connect(
  stage: Stage,
  db: Database,
  organizationId: string,
  api: Api,
): Promise<ConnectionSeen> {
  const { screen, folder, portal, publicUrl, clock } = stage;
  screen.heading('Connecting HubSpot');
  const before = folder.memory.tokens === null ? null : await api.connection();
  if (before === null) {
    const link = await makeInstallLink(db, organizationId, publicUrl, clock.now());
    await walkThroughInstall(link);
    portal.remember();
    screen.line('  install link → consent page → callback: connected');
  } else {
    // The portal's tables came back with its process, our object did not: looking again makes it.
    await api.call('POST', `/v1/connections/${before.id}/check-up`);
    screen.line('  connected before; the read goes on');
  }
  const connection = before ?? (await api.connection());
  if (connection === null) throw new Error('The install left no connection.');
  if (!connection.partnerFields.includes(PARTNER_FIELD))
    await api.call('PATCH', `/v1/connections/${connection.id}`, { partnerFields: [PARTNER_FIELD] });
  const progress = screen.progress('Reading');
  const startMs = clock.now().getTime();
  const read = await waitForBackfill(stage, api, progress, {
    expected: countRecords(portal),
    onMoved: portal.remember,
  });
  const rows = read.positions.reduce((sum, each) => sum + each.rowsRead, 0);
  progress.end(`${rows} records in ${secondsSince(startMs, clock.now())} s`);
  return read;
}

/** Says who is a partner and waits until every credit stands in the CRM. */
async function linkPartners(
  stage: Stage,
  db: Database,
  organizationId: string,
  api: Api,
  connectionId: string,
): Promise<Omit<OracleTerms, 'now'>> {
  const { screen, folder, portal, clock } = stage;
  screen.heading('Linking partners, computing credit, writing it back');
  folder.save({ phase: 'writing' });
  await waitForQuiet(stage, db, organizationId);
  const startMs = clock.now().getTime();
  const made = await makePartners(api, connectionId, portal.world, folder.memory.seededAt);
  screen.line(
    `  ${made.suggested} companies suggested, ${made.accepted} accepted, ${made.byHand} partners made by hand`,
  );
  const progress = screen.progress('Computing and writing');
  const aside = await waitForQuiet(stage, db, organizationId, progress);
  progress.end(
    `${countStanding(portal)} rows stand in HubSpot after ${secondsSince(startMs, clock.now())} s`,
  );
  for (const { lane, count } of aside) screen.line(`  ${count} objects of the lane ${lane} are set aside.`);
  const [partners, ruleSet] = [await api.partners(), await api.ruleSet()];
  return { partners, ruleSet, partnerFields: [PARTNER_FIELD], timeZone: TIME_ZONE };
}

async function check(
  stage: Stage,
  api: Api,
  connectionId: string,
  terms: Omit<OracleTerms, 'now'>,
): Promise<DriftReport> {
  const { screen, portal, clock } = stage;
  const now = clock.now();
  const report = await measureDrift(portal.sandbox.portal(PORTAL_ID), api, connectionId, { ...terms, now });
  screen.line(
    `  ${report.deals} deals, ${report.touchpoints} touchpoints, ${report.creditedDeals} won deals with credit: ` +
      `${report.differences.length} differences (${secondsSince(now.getTime(), clock.now())} s)`,
  );
  for (const { dealId, what, expected, found } of report.differences.slice(0, 10)) {
    screen.line(`  deal ${dealId}, ${what}:`);
    screen.line(`    must be ${expected}`);
    screen.line(`    is      ${found}`);
  }
  return report;
}

async function watchChanges(
  stage: Stage,
  db: Database,
  organizationId: string,
  terms: Omit<OracleTerms, 'now'>,
): Promise<{ readonly times: readonly Seen[]; readonly missed: number }> {
  const { screen, portal, publicUrl, clock } = stage;
  const termsNow = { ...terms, now: clock.now() };
  const expected = expectAll(portal.sandbox.portal(PORTAL_ID), termsNow);
  const changes = planChanges(portal.sandbox, portal.world, termsNow, expected);
  screen.heading('Live changes: milliseconds since HubSpot sent the webhook');
  screen.line('  recompute   CRM row      card');
  const times: Seen[] = [];
  let missed = 0;
  for (const change of changes) {
    await waitForQuiet(stage, db, organizationId);
    await takeBreath(stage, portal.sandbox.log);
    const watched = await watchChange(stage, portal.sandbox, publicUrl, terms, change);
    if (watched.status === 'seen') {
      const { recomputeMs, rowMs, cardMs } = watched.seen;
      const columns = [recomputeMs, rowMs, cardMs].map((ms, at) => String(ms).padStart(at === 0 ? 11 : 9));
      screen.line(`${columns.join(' ')}   ${change.title}`);
      times.push(watched.seen);
    } else {
      missed += 1;
      screen.line(`  not seen within 30 s: ${change.title}`);
      for (const { what, expected: wanted, found } of watched.differences.slice(0, 3))
        screen.line(`    ${what}: must be ${wanted}, is ${found}`);
    }
  }
  return { times, missed };
}

/** As Tributary counted them while it read. */
async function countActivities(api: Api): Promise<number> {
  const connection = await api.connection();
  const kinds = connection?.positions.filter(({ kind }) => ACTIVITY_KINDS.includes(kind)) ?? [];
  return kinds.reduce((sum, { rowsRead }) => sum + rowsRead, 0);
}

/** The smallest value that so large a part does not exceed; 0 of none. */
function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0;
}

const secondsSince = (startMs: number, now: Date): string => ((now.getTime() - startMs) / 1000).toFixed(1);
