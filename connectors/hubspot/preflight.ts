import { Rejected } from '../../src/platform/errors.ts';
import type { ConnectorContext, Finding, RecordKind } from '../connector.ts';
import { ACTIVITY_KINDS, RECORD_KINDS } from '../connector.ts';
import type { CallHubSpot } from './client.ts';
import { listDealProperties } from './deal-fields.ts';
import { ESSENTIAL_DEAL_PROPERTIES, toObjectName } from './kinds.ts';
import { findObjectType } from './ladder.ts';
import { DEAL_FIELDS, OBJECT_FIELDS } from './our-fields.ts';
import { IgnoredSchema, RecordLimitsSchema } from './schema.ts';
import { HUBSPOT_API_VERSION as VERSION } from './version.ts';

const HEAD_ROOM = 0.9;

/**
 * What an admin should know or mend before data is missed. Permissions are tried out rather than looked up: the
 * token endpoint that lists them needs our app's secret, and a listed scope says nothing about hidden objects.
 */
export async function checkAccount(
  ctx: ConnectorContext,
  call: CallHubSpot,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const checks = [
    ...RECORD_KINDS.map((kind) => checkReadable(call, kind, signal)),
    checkOwners(call, signal),
    checkDealProperties(ctx, call, signal),
    checkOurObject(call, signal),
    checkHeadRoom(ctx, call, signal),
  ];
  return (await Promise.all(checks)).flat();
}

async function checkReadable(
  call: CallHubSpot,
  kind: RecordKind,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const name = toObjectName(kind);
  const isActivity = (ACTIVITY_KINDS as readonly string[]).includes(kind);
  const what = `${name} cannot be read${isActivity ? ': results are computed from everything else' : ''}`;
  return await refusalsOf(what, () =>
    call(
      {
        operation: `${name}.probe`,
        path: `/crm/objects/${VERSION}/${name}`,
        query: { limit: '1' },
        schema: IgnoredSchema,
        repeatable: true,
      },
      signal,
    ),
  );
}

async function checkOwners(call: CallHubSpot, signal: AbortSignal): Promise<readonly Finding[]> {
  return await refusalsOf('Owners cannot be read', () =>
    call(
      {
        operation: 'owners.probe',
        path: `/crm/owners/${VERSION}`,
        query: { limit: '1' },
        schema: IgnoredSchema,
        repeatable: true,
      },
      signal,
    ),
  );
}

async function checkDealProperties(
  ctx: ConnectorContext,
  call: CallHubSpot,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const refused = await refusalsOf('Deal properties cannot be read', async () => {
    const properties = new Map(
      (await listDealProperties(call, signal)).map((property) => [property.name, property]),
    );
    for (const name of [...ESSENTIAL_DEAL_PROPERTIES, ...ctx.partnerFields]) {
      const property = properties.get(name);
      if (property !== undefined && property.hidden !== true) continue;
      findings.push({
        severity: ctx.partnerFields.includes(name) ? 'warning' : 'error',
        code: 'hidden_property',
        message: `HubSpot does not show the deal property "${name}" to Tributary.`,
        fix: `Make the property "${name}" visible in HubSpot, then check again. Until then deals that need it keep their last result.`,
      });
    }
    for (const { name } of ctx.schema?.rung === 'deal_fields' ? DEAL_FIELDS : []) {
      if (properties.get(name)?.modificationMetadata?.readOnlyValue !== true) continue;
      findings.push({
        severity: 'error',
        code: 'read_only_property',
        message: `The deal property "${name}" cannot be changed.`,
        fix: `Allow edits of "${name}" in HubSpot's property settings.`,
      });
    }
  });
  return [...refused, ...findings];
}

/** A required property that we do not write makes HubSpot refuse every new row. */
async function checkOurObject(call: CallHubSpot, signal: AbortSignal): Promise<readonly Finding[]> {
  try {
    const type = await findObjectType(call, signal);
    const ours = new Set(OBJECT_FIELDS.map((field) => field.name));
    return (type?.requiredProperties ?? [])
      .filter((name) => !ours.has(name))
      .map((name) => ({
        severity: 'error',
        code: 'required_property',
        message: `"${name}" is required on Partner Attribution, and Tributary does not know it: HubSpot refuses new rows.`,
        fix: `Make "${name}" optional on the object Partner Attribution in HubSpot.`,
      }));
  } catch (error) {
    if (!(error instanceof Rejected)) throw error;
    return [
      {
        severity: 'info',
        code: 'no_custom_objects',
        message: `Custom objects cannot be used in this account: credits are written to deal properties. ${error.message}`,
        fix: 'To get one row for each partner and deal, use an Enterprise subscription and connect again with the custom object permissions.',
      },
    ];
  }
}

async function checkHeadRoom(
  ctx: ConnectorContext,
  call: CallHubSpot,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  if (ctx.schema?.rung !== 'custom_object') return [];
  try {
    const limits = await call(
      {
        operation: 'limits.records',
        path: `/crm/limits/${VERSION}/records`,
        schema: RecordLimitsSchema,
        repeatable: true,
      },
      signal,
    );
    const room = limits.customObjectTypes;
    if (!room || room.overallUsage < room.overallLimit * HEAD_ROOM) return [];
    return [
      {
        severity: 'warning',
        code: 'record_limit_near',
        message: `${room.overallUsage} of ${room.overallLimit} custom object records are used.`,
        fix: 'Raise the limit of custom object records in HubSpot, or delete records that are no longer needed.',
      },
    ];
  } catch (error) {
    // The limit is a courtesy: an account that does not tell it loses no more than the warning.
    if (error instanceof Rejected) return [];
    throw error;
  }
}

async function refusalsOf(what: string, probe: () => Promise<unknown>): Promise<readonly Finding[]> {
  try {
    await probe();
    return [];
  } catch (error) {
    if (!(error instanceof Rejected)) throw error;
    return [
      {
        severity: 'error',
        code: error.reason,
        message: `${what}. ${error.message}`,
        fix:
          error.reason === 'missing_scope'
            ? 'Connect HubSpot again as a super admin and accept every permission that is asked for.'
            : 'Check in HubSpot that the user who connected Tributary may see these records.',
      },
    ];
  }
}
