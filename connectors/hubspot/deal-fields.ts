import { Rejected } from '../../src/platform/errors.ts';
import type { Finding, SchemaState } from '../connector.ts';
import type { CallHubSpot } from './client.ts';
import type { FieldDefinition } from './our-fields.ts';
import { compareFields, DEAL_FIELDS, FIELD_GROUP } from './our-fields.ts';
import { createFields, orRefused, REFUSED, toState, wrongType } from './rung.ts';
import { IgnoredSchema, PropertiesSchema } from './schema.ts';
import { HUBSPOT_API_VERSION as VERSION } from './version.ts';

/** The second rung: five properties on the deal; null when they cannot be made. */
export async function ensureDealFields(
  call: CallHubSpot,
  findings: Finding[],
  signal: AbortSignal,
): Promise<SchemaState | null> {
  const listed = await orRefused(listDealProperties(call, signal), findings, noDealFields);
  if (listed === REFUSED) return null;
  const { missing, unfit } = compareFields(DEAL_FIELDS, listed);
  if (unfit.length > 0) {
    findings.push(wrongType('deals', unfit));
    return null;
  }
  if (missing.length > 0) {
    const made = await orRefused(makeDealFields(call, missing, signal), findings, noDealFields);
    if (made === REFUSED) return null;
  }
  const seen = DEAL_FIELDS.map((field) => `${field.name}:${field.type}`);
  return await toState('deal_fields', {}, seen, findings);
}

export async function listDealProperties(call: CallHubSpot, signal: AbortSignal) {
  const listed = await call(
    {
      operation: 'properties.deals.list',
      path: `/crm/properties/${VERSION}/deals`,
      schema: PropertiesSchema,
      repeatable: true,
    },
    signal,
  );
  return listed.results;
}

async function makeDealFields(call: CallHubSpot, missing: readonly FieldDefinition[], signal: AbortSignal) {
  const path = `/crm/properties/${VERSION}/deals/groups`;
  try {
    await call(
      {
        operation: 'properties.group',
        path: `${path}/${FIELD_GROUP}`,
        schema: IgnoredSchema,
        repeatable: true,
      },
      signal,
    );
  } catch (error) {
    if (!(error instanceof Rejected && error.reason === 'not_found')) throw error;
    const body = { name: FIELD_GROUP, label: 'Partner attribution (Tributary)' };
    await call(
      {
        operation: 'properties.group.create',
        method: 'POST',
        path,
        body,
        schema: IgnoredSchema,
        repeatable: false,
      },
      signal,
    );
  }
  await createFields(call, 'deals', FIELD_GROUP, missing, signal);
}

function noDealFields(message: string): Finding {
  return {
    severity: 'error',
    code: 'no_deal_fields',
    message: `Tributary cannot create its deal properties: nothing is written to HubSpot. ${message}`,
    fix: 'Connect HubSpot again as a super admin and accept the permission to change deal settings.',
  };
}
