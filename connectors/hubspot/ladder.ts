import type { Finding, SchemaState } from '../connector.ts';
import type { CallHubSpot } from './client.ts';
import { ensureDealFields } from './deal-fields.ts';
import { OBJECT_TYPE_IDS } from './kinds.ts';
import { compareFields, OBJECT_FIELDS, OBJECT_NAME, toObjectDefinition } from './our-fields.ts';
import { createFields, orRefused, REFUSED, toState, wrongType } from './rung.ts';
import type { ObjectType } from './schema.ts';
import { IgnoredSchema, LabelsSchema, LimitSchema, ObjectTypesSchema } from './schema.ts';
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

function noCustomObjects(message: string): Finding {
  return {
    severity: 'info',
    code: 'no_custom_objects',
    message: `Custom objects cannot be used in this account: credits are written to deal properties. ${message}`,
    fix: 'To get one row for each partner and deal, use an Enterprise subscription and connect again with the custom object permissions.',
  };
}
