import type { AccountFacts } from '../connector.ts';
import type { CallHubSpot } from './client.ts';
import { ESSENTIAL_DEAL_PROPERTIES } from './kinds.ts';
import { type HubSpotObject, ListSchema } from './schema.ts';
import { HUBSPOT_API_VERSION } from './version.ts';

/** Essential properties that this account leaves out of an answer when they are empty, comma-separated. */
const QUIRK = 'omittedWhenEmpty';

/**
 * HubSpot's reference shows an empty property as null, its guides say that it is left out; and a property that is hidden
 * from the app is left out as well. So we look: a property that the account lists for us, that no deal of a page shows as
 * null, and that some deals show and others leave out, is left out when empty. In doubt, left out means hidden: a deal
 * is blocked with a reason rather than taken for one without an amount.
 */
export async function detectEmptyFields(
  call: CallHubSpot,
  listed: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
  const page = await call(
    {
      operation: 'deals.probe',
      path: `/crm/objects/${HUBSPOT_API_VERSION}/deals`,
      query: { limit: '100', properties: ESSENTIAL_DEAL_PROPERTIES.join(',') },
      schema: ListSchema,
      repeatable: true,
    },
    signal,
  );
  return { [QUIRK]: omittedWhenEmpty(page.results, listed).join(',') };
}

/** The essential properties that these deals leave out when empty. */
export function omittedWhenEmpty(
  deals: readonly HubSpotObject[],
  listed: ReadonlySet<string>,
): readonly string[] {
  const values = (name: string) => deals.map((deal) => deal.properties[name]);
  const showsNull = ESSENTIAL_DEAL_PROPERTIES.some((name) => values(name).includes(null));
  if (showsNull) return [];
  return ESSENTIAL_DEAL_PROPERTIES.filter(
    (name) =>
      listed.has(name) && values(name).includes(undefined) && values(name).some((value) => value != null),
  );
}

/** The properties with those filled in as empty that this account is known to leave out when empty. */
export function withEmptyFields(
  properties: HubSpotObject['properties'],
  facts: AccountFacts | null,
): HubSpotObject['properties'] {
  const omitted = (facts?.quirks?.[QUIRK] ?? '').split(',').filter((name) => name !== '');
  const filled = omitted
    .filter((name) => properties[name] === undefined)
    .map((name) => [name, null] as const);
  return filled.length === 0 ? properties : { ...properties, ...Object.fromEntries(filled) };
}
