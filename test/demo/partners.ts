import type { Company } from '../sandbox/hubspot/world-people.ts';
import type { Api } from './api.ts';

const TYPES = [
  'referral',
  'agency',
  'technology',
  'reseller',
  'integration',
  'affiliate',
  'distributor',
] as const;
const DAY_MS = 86_400_000;

/**
 * Makes partners of the portal's partner companies: two thirds as Tributary suggests them, the rest by hand, some with
 * a first or a last day, one company that changed hands, one partner gone, one that is a customer's family as well.
 */
export async function makePartners(
  api: Api,
  connectionId: string,
  people: { readonly partners: readonly Company[]; readonly customers: readonly Company[] },
  seededAt: string,
): Promise<{ readonly suggested: number; readonly accepted: number; readonly byHand: number }> {
  const suggestions = await api.suggestions();
  const suggested = new Set(suggestions.map((each) => each.accountExternalId));
  const typeOf = (at: number) => TYPES[at % TYPES.length] ?? 'referral';
  const companies = people.partners.map((company, at) => ({ company, type: typeOf(at) }));
  const accepted = companies.filter(({ company }, at) => at % 3 !== 2 && suggested.has(company.id));
  const byHand = companies.filter((each) => !accepted.includes(each));
  await api.call(
    'POST',
    '/v1/partner-suggestions/accept',
    accepted.map(({ company, type }) => ({ connectionId, accountExternalId: company.id, type })),
  );
  const dayBefore = (days: number) =>
    new Date(Date.parse(seededAt) - days * DAY_MS).toISOString().slice(0, 10);
  let former: string | null = null;
  for (const [at, { company, type }] of byHand.entries()) {
    const status = at === 3 ? 'inactive' : 'active';
    const { id } = (await api.call('POST', '/v1/partners', { name: company.name, type, status })) as {
      id: string;
    };
    const link = (account: string, days: object) =>
      api.call('POST', `/v1/partners/${id}/links`, { connectionId, accountExternalId: account, ...days });
    if (at === 0) {
      // Its company goes to the next partner, who takes over its people.
      former = company.id;
      await link(company.id, { toOn: dayBefore(120) });
    } else if (at === 1 && former !== null) {
      await link(company.id, {});
      await link(former, { fromOn: dayBefore(120) });
    } else if (at === 2) {
      const family = people.customers[0];
      await link(company.id, {});
      if (family !== undefined) await link(family.id, { withChildren: true });
    } else if (at % 4 === 0) await link(company.id, { fromOn: dayBefore(365) });
    else if (at % 4 === 1) await link(company.id, { fromOn: dayBefore(700), toOn: dayBefore(60) });
    else await link(company.id, {});
  }
  return { suggested: suggestions.length, accepted: accepted.length, byHand: byHand.length };
}
