import type { z } from 'zod';
import { Rejected } from '../../src/platform/errors.ts';
import { ACTIVITY_KINDS, type AccountFacts, type ActivityKind } from '../connector.ts';
import { isForbidden } from './associations.ts';
import type { CallHubSpot } from './client.ts';
import { exponentOf } from './currency.ts';
import { listDealProperties } from './deal-fields.ts';
import { detectEmptyFields } from './empty-fields.ts';
import { OBJECT_TYPE_IDS, toObjectName } from './kinds.ts';
import { DEAL_FIELDS } from './our-fields.ts';
import {
  AccountDetailsSchema,
  IgnoredSchema,
  LabelsSchema,
  OwnersSchema,
  PipelinesSchema,
} from './schema.ts';
import { HUBSPOT_API_VERSION } from './version.ts';

/**
 * Facts of the account, read side by side. Currencies come from the account details, which every app may read;
 * the currency settings hold the same list and rates, but behind a scope of their own that nothing here needs.
 */
export async function describeAccount(call: CallHubSpot, signal: AbortSignal): Promise<AccountFacts> {
  const [details, pipelines, active, archived, labels, fields, unreadableKinds] = await Promise.all([
    call(
      {
        operation: 'account.details',
        path: `/account-info/${HUBSPOT_API_VERSION}/details`,
        schema: AccountDetailsSchema,
        repeatable: true,
      },
      signal,
    ),
    call(
      {
        operation: 'deals.pipelines',
        path: `/crm/pipelines/${HUBSPOT_API_VERSION}/deals`,
        schema: PipelinesSchema,
        repeatable: true,
      },
      signal,
    ),
    listOwners(call, false, signal),
    listOwners(call, true, signal),
    call(
      {
        operation: 'associations.deals.companies.labels',
        bucket: 'associations',
        path: `/crm/associations/${HUBSPOT_API_VERSION}/${OBJECT_TYPE_IDS.deal}/${OBJECT_TYPE_IDS.account}/labels`,
        schema: LabelsSchema,
        repeatable: true,
      },
      signal,
    ),
    describeDealFields(call, signal),
    findUnreadableKinds(call, signal),
  ]);
  const currencies = [details.companyCurrency, ...(details.additionalCurrencies ?? [])];
  return {
    externalId: details.portalId,
    // HubSpot's account details hold no name.
    name: null,
    timeZone: details.timeZone,
    homeCurrency: details.companyCurrency,
    currencies: Object.fromEntries(currencies.map((currency) => [currency, exponentOf(currency)])),
    pipelines: pipelines.results.map((pipeline) => ({
      id: pipeline.id,
      label: pipeline.label,
      stages: pipeline.stages.map((stage) => ({
        id: stage.id,
        label: stage.label,
        state: toStageState(stage.metadata),
      })),
    })),
    owners: [...active, ...archived],
    dealAccountLabels: labels.results.flatMap((type) =>
      type.label ? [{ id: String(type.typeId), label: type.label }] : [],
    ),
    recordBaseUrl: `https://${details.uiDomain}/contacts/${details.portalId}`,
    edition: details.accountType ?? null,
    unreadableKinds,
    ...fields,
  };
}

/** Some kinds need permissions of their own (e-mails: `sales-email-read`), which an admin may hold back. */
async function findUnreadableKinds(call: CallHubSpot, signal: AbortSignal): Promise<readonly ActivityKind[]> {
  const readable = await Promise.all(ACTIVITY_KINDS.map((kind) => mayRead(call, kind, signal)));
  return ACTIVITY_KINDS.filter((_, at) => readable[at] === false);
}

async function mayRead(call: CallHubSpot, kind: ActivityKind, signal: AbortSignal): Promise<boolean> {
  const name = toObjectName(kind);
  try {
    await call(
      {
        operation: `${name}.probe`,
        path: `/crm/objects/${HUBSPOT_API_VERSION}/${name}`,
        query: { limit: '1' },
        schema: IgnoredSchema,
        repeatable: true,
      },
      signal,
    );
    return true;
  } catch (error) {
    if (isForbidden(error)) return false;
    throw error;
  }
}

/** Words in a property's internal name that say it may hold a partner. */
const PARTNER_WORDS =
  /(^|_)(partners?|referr(al|er|ed_by)|resellers?|distributors?|registered_by|registration)(_|$)/;

/** An account that refuses to be asked is told apart by preflight; here nothing is known then. */
async function describeDealFields(
  call: CallHubSpot,
  signal: AbortSignal,
): Promise<Pick<AccountFacts, 'partnerFieldCandidates' | 'quirks'>> {
  try {
    const properties = (await listDealProperties(call, signal)).filter(
      (property) => property.hidden !== true,
    );
    const names = properties.map((property) => property.name);
    const quirks = await detectEmptyFields(call, new Set(names), signal);
    const own = new Set<string>(DEAL_FIELDS.map((field) => field.name));
    const isCandidate = (name: string) =>
      PARTNER_WORDS.test(name) && !name.startsWith('hs_') && !own.has(name);
    return { quirks, partnerFieldCandidates: names.filter(isCandidate).sort() };
  } catch (error) {
    if (!(error instanceof Rejected)) throw error;
    return { quirks: {}, partnerFieldCandidates: [] };
  }
}

type StageMetadata = z.infer<typeof PipelinesSchema>['results'][number]['stages'][number]['metadata'];

/** HubSpot documents probability 1.0 as closed won and 0.0 as closed lost; `isClosed` follows from it. */
export function toStageState(metadata: StageMetadata): 'open' | 'won' | 'lost' {
  const probability = metadata.probability ?? Number.NaN;
  const closed =
    metadata.isClosed === undefined ? probability === 1 || probability === 0 : metadata.isClosed === 'true';
  if (!closed) return 'open';
  return probability >= 1 ? 'won' : 'lost';
}

async function listOwners(
  call: CallHubSpot,
  archived: boolean,
  signal: AbortSignal,
): Promise<AccountFacts['owners']> {
  const owners: AccountFacts['owners'][number][] = [];
  let after: string | undefined;
  do {
    const page: z.infer<typeof OwnersSchema> = await call(
      {
        operation: 'owners.list',
        path: `/crm/owners/${HUBSPOT_API_VERSION}`,
        query: { limit: '500', archived: String(archived), ...(after === undefined ? {} : { after }) },
        schema: OwnersSchema,
        repeatable: true,
      },
      signal,
    );
    owners.push(...page.results.map((owner) => ({ externalId: owner.id, active: !archived })));
    after = page.paging?.next?.after;
  } while (after !== undefined);
  return owners;
}
