import { Rejected } from '../../src/platform/errors.ts';
import type { CallHubSpot } from './client.ts';
import { listDealProperties } from './deal-fields.ts';
import { findObjectType } from './ladder.ts';
import { DEAL_FIELDS, FIELD_GROUP } from './our-fields.ts';
import { IgnoredSchema, ListSchema } from './schema.ts';
import { HUBSPOT_API_VERSION as VERSION } from './version.ts';

/**
 * Leaves the account: with `traces` our rows, object and properties go first, while the grant still stands; the
 * uninstall comes last and ends it. Safe to repeat: whatever is gone already is passed over.
 */
export async function leaveAccount(call: CallHubSpot, traces: boolean, signal: AbortSignal): Promise<void> {
  if (traces) {
    await removeObject(call, signal);
    await removeDealFields(call, signal);
  }
  await send(call, 'app.uninstall', 'DELETE', `/appinstalls/${VERSION}/external-install`, signal);
}

/**
 * The account has our object now: properties of the lower rung would stand beside it with credits that nobody keeps right.
 * A property that a workflow or a list uses is refused, and stays.
 */
export async function leaveDealFields(call: CallHubSpot, signal: AbortSignal): Promise<void> {
  await unlessRefused(removeDealFields(call, signal));
}

/** HubSpot deletes an object only when it has no records, and frees its name only by the second delete. */
async function removeObject(call: CallHubSpot, signal: AbortSignal): Promise<void> {
  const type = await unlessRefused(findObjectType(call, signal));
  if (!type) return;
  const records = `/crm/objects/${VERSION}/${type.objectTypeId}`;
  for (;;) {
    // The first page each time: what was archived is no longer listed.
    const page = await call(
      {
        operation: 'attribution.list',
        path: records,
        query: { limit: '100' },
        schema: ListSchema,
        repeatable: true,
      },
      signal,
    );
    if (page.results.length === 0) break;
    const body = { inputs: page.results.map(({ id }) => ({ id })) };
    await send(call, 'attribution.archive', 'POST', `${records}/batch/archive`, signal, body);
  }
  const path = `/crm-object-schemas/${VERSION}/schemas/${type.objectTypeId}`;
  await send(call, 'schemas.delete', 'DELETE', path, signal);
  await send(call, 'schemas.purge', 'DELETE', path, signal, undefined, { archived: 'true' });
}

async function removeDealFields(call: CallHubSpot, signal: AbortSignal): Promise<void> {
  const names = DEAL_FIELDS.map((field) => field.name as string);
  const listed = await unlessRefused(listDealProperties(call, signal));
  const standing = (listed ?? []).filter((property) => names.includes(property.name));
  if (standing.length === 0) return;
  const path = `/crm/properties/${VERSION}/deals`;
  const body = { inputs: standing.map(({ name }) => ({ name })) };
  await send(call, 'properties.archive', 'POST', `${path}/batch/archive`, signal, body);
  await send(call, 'properties.group.delete', 'DELETE', `${path}/groups/${FIELD_GROUP}`, signal);
}

async function send(
  call: CallHubSpot,
  operation: string,
  method: 'POST' | 'DELETE',
  path: string,
  signal: AbortSignal,
  body?: unknown,
  query?: Readonly<Record<string, string>>,
): Promise<void> {
  try {
    const extras = { ...(body === undefined ? {} : { body }), ...(query === undefined ? {} : { query }) };
    await call({ operation, method, path, schema: IgnoredSchema, repeatable: true, ...extras }, signal);
  } catch (error) {
    if (!(error instanceof Rejected && error.reason === 'not_found')) throw error;
  }
}

/** An account without custom objects refuses even the question. */
async function unlessRefused<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Rejected) return null;
    throw error;
  }
}
