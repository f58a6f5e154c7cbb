import { dealConsequences } from './deal-consequences.ts';
import { DAY_MS, iso, type Seeding, wallTime } from './seeding.ts';
import type { HistoryEntry, Pipeline, Row, Stage } from './state.ts';
import { PARTNER_LABELS } from './world-ground.ts';
import type { Company, People } from './world-people.ts';

export interface SeededDeal {
  readonly id: string;
  readonly createdAtMs: number;
  /** Close of a closed deal, else now. */
  readonly endMs: number;
  readonly customer: Company;
  readonly partners: readonly Company[];
}

const isClosed = (stage: Stage) => stage.metadata.isClosed === 'true';
const isWon = (stage: Stage) => isClosed(stage) && Number(stage.metadata.probability) === 1;

export function seedDeals(
  seeding: Seeding,
  people: People,
  counts: { deals: number; months: number },
): SeededDeal[] {
  const { random, nowMs } = seeding;
  const startMs = nowMs - counts.months * 30 * DAY_MS;
  const created = Array.from({ length: counts.deals }, () => random.between(startMs, nowMs - DAY_MS)).sort(
    (a, b) => a - b,
  );
  return created.map((createdAtMs, n) => seedDeal(seeding, people, n, createdAtMs));
}

function seedDeal(seeding: Seeding, people: People, n: number, createdAtMs: number): SeededDeal {
  const { portal, random, nowMs } = seeding;
  const pipeline = random.pick(portal.pipelines);
  const stage = pickStage(seeding, pipeline);
  const closed = isClosed(stage);
  const endMs = closed ? closeMs(seeding, n, createdAtMs) : nowMs;
  const customer = random.pick(people.customers);
  const partners = random.chance(0.6)
    ? random.shuffle(people.partners).slice(0, random.pick([1, 1, 1, 2, 2, 3]))
    : [];
  const expectedMs = closed ? endMs : nowMs + random.between(-20, 120) * DAY_MS;
  const referrer = random.chance(0.15) ? partners[0] : undefined;
  const values = {
    dealname: `${customer.name}: ${random.pick(['new business', 'expansion', 'pilot', 'renewal'])} ${n + 1}`,
    pipeline: pipeline.id,
    dealstage: stage.id,
    closedate: random.chance(0.03) && !closed ? null : iso(expectedMs),
    ...money(seeding),
    dealtype: random.pick(['newbusiness', 'existingbusiness', null]),
    hubspot_owner_id: random.chance(0.95) ? random.pick(portal.owners).id : null,
    ...(referrer === undefined ? {} : { referral_partner: referrer.id }),
  };
  const changedAtMs = closed ? Math.min(endMs + 60_000, nowMs) : random.between(createdAtMs, nowMs);
  const row = seeding.add('deals', values, createdAtMs, changedAtMs);
  complete(seeding, row, pipeline, stage, { createdAtMs, endMs, changedAtMs });
  attach(seeding, row.id, customer, partners);
  return { id: row.id, createdAtMs, endMs, customer, partners };
}

function pickStage({ random }: Seeding, pipeline: Pipeline): Stage {
  const won = pipeline.stages.filter(isWon);
  const lost = pipeline.stages.filter((stage) => isClosed(stage) && !isWon(stage));
  const open = pipeline.stages.filter((stage) => !isClosed(stage));
  const draw = random.next();
  return random.pick(draw < 0.45 ? won : draw < 0.68 ? lost : open);
}

/** Every fortieth deal closes at the very edge of a month in the portal's own zone. */
function closeMs({ portal, random, nowMs }: Seeding, n: number, createdAtMs: number): number {
  const anyMs = Math.min(
    createdAtMs + random.between(3, 120) * DAY_MS + random.between(0, DAY_MS),
    nowMs - 60_000,
  );
  if (n % 40 !== 0) return anyMs;
  const day = new Date(anyMs);
  const first = new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth(), 1)).toISOString().slice(0, 10);
  const last = new Date(Date.parse(first) - DAY_MS).toISOString().slice(0, 10);
  const edgeMs =
    n % 80 === 0 ? wallTime(portal.timeZone, last, '23:30:00') : wallTime(portal.timeZone, first, '00:30:00');
  return edgeMs > createdAtMs ? edgeMs : anyMs;
}

/** Amounts in the currency's own number of digits; some deals have none, some name no currency. */
function money({ random }: Seeding): { amount: string | null; deal_currency_code: string | null } {
  const currency = random.pick(['USD', 'USD', 'USD', 'EUR', 'JPY', 'KWD', null]);
  if (random.chance(0.05)) return { amount: null, deal_currency_code: currency };
  const whole = random.between(500, 250_000);
  const digits = { JPY: 0, KWD: 3 }[currency ?? 'USD'] ?? 2;
  if (currency === 'JPY') return { amount: String(whole * 100), deal_currency_code: currency };
  const fraction = random.chance(0.5)
    ? String(random.between(1, 10 ** digits - 1)).padStart(digits, '0')
    : '';
  const trimmed = fraction.replace(/0+$/, '');
  return { amount: trimmed === '' ? String(whole) : `${whole}.${trimmed}`, deal_currency_code: currency };
}

/** Computed values and the stage history, with wins that were undone and won again. */
function complete(
  seeding: Seeding,
  row: Row,
  pipeline: Pipeline,
  stage: Stage,
  times: { createdAtMs: number; endMs: number; changedAtMs: number },
): void {
  const { portal, random } = seeding;
  const first = pipeline.stages[0] ?? stage;
  const closed = isClosed(stage);
  const enteredMs = closed ? times.endMs : times.changedAtMs;
  const moves: { readonly stage: Stage; readonly atMs: number }[] = [
    { stage: first, atMs: times.createdAtMs },
  ];
  const won = pipeline.stages.find(isWon);
  if (won !== undefined && random.chance(0.03)) {
    // Won once, then reopened, before it came to where it stands.
    const spanMs = enteredMs - times.createdAtMs;
    moves.push({ stage: won, atMs: times.createdAtMs + Math.floor(spanMs / 3) });
    moves.push({ stage: first, atMs: times.createdAtMs + Math.floor(spanMs / 2) });
  }
  if (moves.at(-1)?.stage !== stage) moves.push({ stage, atMs: enteredMs });
  const edges: Record<string, string | null> = {};
  const history: HistoryEntry[] = [];
  moves.forEach((move, index) => {
    const before = moves[index - 1];
    if (before !== undefined) edges[`hs_v2_date_exited_${before.stage.id}`] = iso(move.atMs);
    edges[`hs_v2_date_entered_${move.stage.id}`] = iso(move.atMs);
    if (index === moves.length - 1) edges[`hs_v2_date_exited_${move.stage.id}`] = null;
    const timestamp = iso(move.atMs);
    history.unshift({ value: move.stage.id, timestamp, sourceType: 'CRM_UI', sourceId: 'userId:222222' });
  });
  row.values = {
    ...row.values,
    ...dealConsequences(portal, seeding.table('deals'), row, {}, enteredMs),
    ...edges,
  };
  row.history = new Map([['dealstage', history]]);
  // The index takes a row again only as a newer version.
  row.version += 1;
  seeding.table('deals').index.put(row);
}

function attach(seeding: Seeding, dealId: string, customer: Company, partners: readonly Company[]): void {
  const { random } = seeding;
  const deal = { type: 'deals', id: dealId };
  seeding.link(deal, { type: 'companies', id: customer.id }, 'Primary');
  for (const contact of customer.contacts.slice(0, 2)) seeding.link(deal, { type: 'contacts', id: contact });
  for (const partner of partners) {
    const labels = random.chance(0.7) ? [random.pick(PARTNER_LABELS)] : [];
    if (labels.length > 0 && random.chance(0.1)) labels.push(random.pick(PARTNER_LABELS));
    // Some partners are known only by the people they send to meetings.
    if (random.chance(0.85)) seeding.link(deal, { type: 'companies', id: partner.id }, ...new Set(labels));
    if (random.chance(0.4) && partner.contacts[0] !== undefined) {
      seeding.link(deal, { type: 'contacts', id: partner.contacts[0] });
    }
  }
}
