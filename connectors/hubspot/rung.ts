import { Rejected } from '../../src/platform/errors.ts';
import type { Finding, SchemaState } from '../connector.ts';
import type { CallHubSpot } from './client.ts';
import { plainMessage } from './failures.ts';
import type { FieldDefinition } from './our-fields.ts';
import { CreatedPropertiesSchema } from './schema.ts';
import { HUBSPOT_API_VERSION } from './version.ts';

export const REFUSED = Symbol('refused');

/** A refusal by HubSpot becomes a finding and the next rung is tried; everything else is the caller's. */
export async function orRefused<T>(
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

/** Properties of ours that an object lacks. */
export async function createFields(
  call: CallHubSpot,
  objectType: string,
  groupName: string,
  fields: readonly FieldDefinition[],
  signal: AbortSignal,
): Promise<void> {
  if (fields.length === 0) return;
  const answer = await call(
    {
      operation: 'properties.create',
      method: 'POST',
      path: `/crm/properties/${HUBSPOT_API_VERSION}/${objectType}/batch/create`,
      body: { inputs: fields.map((field) => ({ ...field, groupName })) },
      schema: CreatedPropertiesSchema,
      repeatable: false,
    },
    signal,
  );
  // Another process may have been faster; any other refusal leaves a field out that every row needs.
  const refused = answer.errors.find((error) => !/already exists/i.test(error.message ?? ''));
  if (refused)
    throw new Rejected('validation', plainMessage(refused) ?? 'HubSpot refused one of our properties.');
}

export function wrongType(where: string, names: readonly string[]): Finding {
  return {
    severity: 'error',
    code: 'field_type_conflict',
    message: `On ${where}, ${names.join(', ')} exist with another type than Tributary writes.`,
    fix: 'Rename or delete these properties in HubSpot, then check again.',
  };
}

/** The version is a hash of what stands there, so that it changes when an admin changes it. */
export async function toState(
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
