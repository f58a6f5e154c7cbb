import { Rejected } from '../../src/platform/errors.ts';
import type { Finding, SchemaState } from '../connector.ts';
import type { CallHubSpot } from './client.ts';
import { OBJECT_TYPE_IDS } from './kinds.ts';
import type { FieldDefinition } from './our-fields.ts';
import {
  compareFields,
  DEAL_FIELDS,
  FIELD_GROUP,
  OBJECT_FIELDS,
  OBJECT_NAME,
  toObjectDefinition,
} from './our-fields.ts';
import type { ObjectType } from './schema.ts';
import { IgnoredSchema, LabelsSchema, LimitSchema, ObjectTypesSchema, PropertiesSchema } from './schema.ts';
import { HUBSPOT_API_VERSION as VERSION } from './version.ts';

const SCHEMAS = `/crm-object-schemas/${VERSION}/schemas`;

/**
 * The highest rung that this account allows: our custom object (Enterprise), else properties on the deal, else
 * nothing. Looks before it makes, so it may run again at any time; what a crash left half made is completed.
 */
export async function ensureSchema(call: CallHubSpot, signal: AbortSignal): Promise<SchemaState> {
  const findings: Finding[] = [];
  const object = await ensureObject(call, findings, signal);
  if (object !== null) return object;
  const fields = await ensureDealFields(call, findings, signal);
  return fields ?? (await toState('none', {}, [], findings));
}

/** Our object type, or null when there is none or custom objects are not to be had. */
export async function findObjectType(call: CallHubSpot, signal: AbortSignal): Promise<ObjectType | null> {
  const listed = await call(
    { operation: 'schemas.list', path: SCHEMAS, schema: ObjectTypesSchema, repeatable: true },
    signal,
  );
  return listed.results.find((type) => type.name === OBJECT_NAME) ?? null;
}

async function ensureObject(
  call: CallHubSpot,
  findings: Finding[],
  signal: AbortSignal,
): Promise<SchemaState | null> {
  const found = await orRefused(findObjectType(call, signal), findings, noCustomObjects);
  if (found === REFUSED) return null;
  let type = found;
  if (type === null) {
    if (!(await hasRoomForObject(call, findings, signal))) return null;
    const created = call(
      {
        operation: 'schemas.create',
        method: 'POST',
        path: SCHEMAS,
        body: toObjectDefinition(),
        schema: IgnoredSchema,
        repeatable: false,
      },
      signal,
    );
    const refusals: Finding[] = [];
    await orRefused(created, refusals, noCustomObjects);
    // Read again even after a refusal: another process may have been faster.
    type = await findObjectType(call, signal);
    if (type === null) {
      findings.push(...refusals);
      return null;
    }
  }
  const { missing, unfit } = compareFields(OBJECT_FIELDS, type.properties);
  if (unfit.length > 0) {
    findings.push(wrongType(`the object ${OBJECT_NAME}`, unfit));
    return null;
  }
  await createFields(call, type.objectTypeId, `${OBJECT_NAME}_information`, missing, signal);
  const deal = await ensureAssociation(call, type, OBJECT_TYPE_IDS.deal, signal);
  const company = await ensureAssociation(call, type, OBJECT_TYPE_IDS.account, signal);
  const handle = {
    objectTypeId: type.objectTypeId,
    dealCategory: deal.category,
    dealTypeId: String(deal.typeId),
    companyCategory: company.category,
    companyTypeId: String(company.typeId),
  };
  const seen = [
    ...type.properties.map((property) => `${property.name}:${property.type}`),
    ...missing.map((field) => `${field.name}:${field.type}`),
    ...type.requiredProperties.map((name) => `required:${name}`),
  ];
  return await toState('custom_object', handle, seen, findings);
}

async function hasRoomForObject(
  call: CallHubSpot,
  findings: Finding[],
  signal: AbortSignal,
): Promise<boolean> {
  const limit = await orRefused(
    call(
      {
        operation: 'limits.custom_objects',
        path: `/crm/limits/${VERSION}/custom-object-types`,
        schema: LimitSchema,
        repeatable: true,
      },
      signal,
    ),
    [],
    noCustomObjects,
  );
  if (limit === REFUSED || limit.usage < limit.limit) return true;
  findings.push({
    severity: 'info',
    code: 'no_custom_objects',
    message:
      limit.limit === 0
        ? "This account's subscription has no custom objects: credits are written to deal properties."
        : `All ${limit.limit} custom objects of this account are in use: credits are written to deal properties.`,
    fix: 'To get one row for each partner and deal, use an Enterprise subscription with a free custom object, then check again.',
  });
  return false;
}

/** The type of an unlabelled association from our object to deals or companies; made when it is missing. */
async function ensureAssociation(call: CallHubSpot, type: ObjectType, to: string, signal: AbortSignal) {
  const existing = await findAssociation(call, type.objectTypeId, to, signal);
  if (existing !== undefined) return existing;
  await call(
    {
      operation: 'schemas.associations.create',
      method: 'POST',
      path: `${SCHEMAS}/${type.objectTypeId}/associations`,
      body: {
        fromObjectTypeId: type.objectTypeId,
        toObjectTypeId: to,
        name: `${OBJECT_NAME}_to_${to.replace('-', '_')}`,
      },
      schema: IgnoredSchema,
      repeatable: false,
    },
    signal,
  );
  const made = await findAssociation(call, type.objectTypeId, to, signal);
  if (made === undefined)
    throw new Error(`HubSpot made an association from ${OBJECT_NAME} to ${to} and does not list it.`);
  return made;
}

async function findAssociation(call: CallHubSpot, from: string, to: string, signal: AbortSignal) {
  const labels = await call(
    {
      operation: 'associations.ours.labels',
      bucket: 'associations',
      path: `/crm/associations/${VERSION}/${from}/${to}/labels`,
      schema: LabelsSchema,
      repeatable: true,
    },
    signal,
  );
  return labels.results.find((type) => !type.label) ?? labels.results[0];
}

async function ensureDealFields(
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

async function createFields(
  call: CallHubSpot,
  objectType: string,
  groupName: string,
  fields: readonly FieldDefinition[],
  signal: AbortSignal,
): Promise<void> {
  if (fields.length === 0) return;
  await call(
    {
      operation: 'properties.create',
      method: 'POST',
      path: `/crm/properties/${VERSION}/${objectType}/batch/create`,
      body: { inputs: fields.map((field) => ({ ...field, groupName })) },
      schema: IgnoredSchema,
      repeatable: false,
    },
    signal,
  );
}

const REFUSED = Symbol('refused');

/** A refusal by HubSpot becomes a finding and the next rung is tried; everything else is the caller's. */
async function orRefused<T>(
  work: Promise<T>,
  findings: Finding[],
  explain: (message: string) => Finding,
): Promise<T | typeof REFUSED> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof Rejected)) throw error;
    findings.push(explain(error.message));
    return REFUSED;
  }
}

function noCustomObjects(message: string): Finding {
  return {
    severity: 'info',
    code: 'no_custom_objects',
    message: `Custom objects cannot be used in this account: credits are written to deal properties. ${message}`,
    fix: 'To get one row for each partner and deal, use an Enterprise subscription and connect again with the custom object permissions.',
  };
}

function noDealFields(message: string): Finding {
  return {
    severity: 'error',
    code: 'no_deal_fields',
    message: `Tributary cannot create its deal properties: nothing is written to HubSpot. ${message}`,
    fix: 'Connect HubSpot again as a super admin and accept the permission to change deal settings.',
  };
}

function wrongType(where: string, names: readonly string[]): Finding {
  return {
    severity: 'error',
    code: 'field_type_conflict',
    message: `On ${where}, ${names.join(', ')} exist with another type than Tributary writes.`,
    fix: 'Rename or delete these properties in HubSpot, then check again.',
  };
}

/** The version is a hash of what stands there, so that it changes when an admin changes it. */
async function toState(
  rung: SchemaState['rung'],
  handle: SchemaState['handle'],
  seen: readonly string[],
  findings: readonly Finding[],
): Promise<SchemaState> {
  const text = JSON.stringify([rung, Object.entries(handle).sort(), [...seen].sort()]);
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  const version = Array.from(new Uint8Array(digest).slice(0, 16), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');
  return { rung, version, handle, findings };
}
