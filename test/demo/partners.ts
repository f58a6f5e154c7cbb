import type { Company, People } from '../sandbox/hubspot/world-people.ts';
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

interface WantedPartner {
  readonly name: string;
  readonly type: (typeof TYPES)[number];
  readonly status: 'active' | 'inactive';
  readonly links: readonly WantedLink[];
}
interface WantedLink {
  readonly accountExternalId: string;
  readonly fromOn?: string;
  readonly toOn?: string;
  readonly withChildren?: boolean;
}

/**
 * Makes partners of the portal's partner companies: every third by hand, the others as Tributary suggests them.
 * @param seededAt the instant the days of links are counted from, so that every run makes the same ones
 */
export async function makePartners(
  api: Api,
  connectionId: string,
  people: People,
  seededAt: string,
): Promise<{ readonly suggested: number; readonly accepted: number; readonly byHand: number }> {
  const suggestions = await api.suggestions();
  const suggested = new Set(suggestions.map((each) => each.accountExternalId));
  const companies = people.partners.map((company, at) => ({
    company,
    type: TYPES[at % TYPES.length] ?? 'referral',
  }));
  const accepted = companies.filter(({ company }, at) => at % 3 !== 2 && suggested.has(company.id));
  const byHand = planByHand(
    companies.filter((each) => !accepted.includes(each)),
    people.customers[0],
    (days) => new Date(Date.parse(seededAt) - days * DAY_MS).toISOString().slice(0, 10),
  );
  await Promise.all(
    byHand.map(async ({ links, ...partner }) => {
      const { id } = (await api.call('POST', '/v1/partners', partner)) as { readonly id: string };
      for (const link of links) await api.call('POST', `/v1/partners/${id}/links`, { connectionId, ...link });
    }),
  );
  await api.call(
    'POST',
    '/v1/partner-suggestions/accept',
    accepted.map(({ company, type }) => ({ connectionId, accountExternalId: company.id, type })),
  );
  return { suggested: suggestions.length, accepted: accepted.length, byHand: byHand.length };
}

/** Links with a first or a last day, a company that changed hands, a partner gone, one that is a customer's family too. */
function planByHand(
  companies: readonly { readonly company: Company; readonly type: WantedPartner['type'] }[],
  family: Company | undefined,
  dayBefore: (days: number) => string,
): readonly WantedPartner[] {
  const sold = companies[0]?.company.id;
  return companies.map(({ company, type }, at) => {
    const own = { accountExternalId: company.id };
    const links: readonly WantedLink[] =
      at === 0
        ? [{ ...own, toOn: dayBefore(120) }]
        : at === 1 && sold !== undefined
          ? [own, { accountExternalId: sold, fromOn: dayBefore(120) }]
          : at === 2 && family !== undefined
            ? [own, { accountExternalId: family.id, withChildren: true }]
            : [{ ...own, ...spanOf(at, dayBefore) }];
    return { name: company.name, type, status: at === 3 ? 'inactive' : 'active', links };
  });
}

function spanOf(at: number, dayBefore: (days: number) => string): Omit<WantedLink, 'accountExternalId'> {
  if (at % 4 === 0) return { fromOn: dayBefore(365) };
  if (at % 4 === 1) return { fromOn: dayBefore(700), toOn: dayBefore(60) };
  return {};
}
