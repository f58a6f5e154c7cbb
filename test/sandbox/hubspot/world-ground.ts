import { defineType } from './association-store.ts';
import { addPipeline } from './deal-pipelines.ts';
import { defineProperty } from './property-definitions.ts';
import { DAY_MS, iso, type Seeding } from './seeding.ts';
import type { Pipeline } from './state.ts';

export const PARTNER_LABELS = [
  'Referral partner',
  'Reseller',
  'Implementation partner',
  'Technology partner',
  'Distributor',
] as const;
export const MEETING_TYPES = ['Demo', 'Proposal', 'Negotiation', 'Introduction'] as const;

/** Pipelines with several won stages, owners (some gone), currencies, labels and the portal's own properties. */
export function layGround(seeding: Seeding): void {
  const { portal, nowMs } = seeding;
  const at = iso(nowMs - 900 * DAY_MS);
  for (const pipeline of extraPipelines(at)) addPipeline(portal, pipeline, at);
  portal.additionalCurrencies = ['EUR', 'JPY', 'KWD'];
  for (const [code, rate] of [
    ['EUR', '1.08'],
    ['JPY', '0.0067'],
    ['KWD', '3.25'],
  ] as const) {
    portal.exchangeRates.set(code, rate);
  }
  for (let n = 1; n <= 12; n += 1) {
    portal.owners.push({
      id: String(5_000 + n),
      userId: 880_000 + n,
      email: `rep${n}@seller.example`,
      firstName: 'Rep',
      lastName: `Number ${n}`,
      archived: n > 9,
      createdAt: at,
      updatedAt: at,
    });
  }
  for (const label of PARTNER_LABELS) {
    const name = label.toLowerCase().replaceAll(' ', '_');
    defineType(portal.associations, '0-3', '0-2', { name, label, inverseLabel: `${label} on` });
  }
  const deals = seeding.table('deals');
  deals.groups.set('partners', { name: 'partners', label: 'Partners', archived: false, displayOrder: 9 });
  defineProperty(
    deals,
    {
      name: 'referral_partner',
      label: 'Referral partner',
      type: 'string',
      fieldType: 'text',
      groupName: 'partners',
    },
    at,
  );
  for (const type of ['meetings', 'calls']) {
    const property = seeding.table(type).properties.get('hs_activity_type');
    if (property !== undefined) property.options = MEETING_TYPES.map((value) => ({ value, label: value }));
  }
}

function extraPipelines(at: string): Pipeline[] {
  const pipeline = (
    id: string,
    label: string,
    displayOrder: number,
    stages: readonly (readonly [string, string, string])[],
  ) => ({
    id,
    label,
    displayOrder,
    createdAt: at,
    updatedAt: at,
    stages: stages.map(([stageId, stageLabel, probability], order) => ({
      id: stageId,
      label: stageLabel,
      displayOrder: order,
      metadata: { isClosed: String(probability === '1.0' || probability === '0.0'), probability },
    })),
  });
  return [
    pipeline('enterprise', 'Enterprise', 1, [
      ['ent_discovery', 'Discovery', '0.1'],
      ['ent_evaluation', 'Evaluation', '0.3'],
      ['ent_procurement', 'Procurement', '0.7'],
      ['ent_won', 'Won', '1.0'],
      ['ent_won_expansion', 'Won with expansion', '1.0'],
      ['ent_lost', 'Lost', '0.0'],
    ]),
    pipeline('renewals', 'Renewals', 2, [
      ['ren_open', 'Upcoming', '0.5'],
      ['ren_negotiation', 'Negotiation', '0.8'],
      ['ren_won', 'Renewed', '1.0'],
      ['ren_won_multi_year', 'Renewed for several years', '1.0'],
      ['ren_lost', 'Churned', '0.0'],
    ]),
  ];
}
