import { Rejected, RetryLater } from '../../src/platform/errors.ts';
import { ACTIVITY_KINDS, type ActivityKind, type RecordKind } from '../connector.ts';
import type { CallHubSpot } from './client.ts';
import { associatedKinds, OBJECT_TYPE_IDS, toObjectName } from './kinds.ts';
import type { Associations } from './mapper.ts';
import type { Association, HubSpotErrorBody } from './schema.ts';
import { AssociationsSchema } from './schema.ts';
import { HUBSPOT_API_VERSION } from './version.ts';

/** HubSpot's cap on ids in one association read. */
export const ASSOCIATION_READ_BATCH = 1_000;

/**
 * Every association set that records of `kind` carry, for all `ids`, complete: the other ends are read in
 * parallel, and a record with more associations than one answer holds is paged on its own. A set of activities that
 * HubSpot refuses to show is left out, which says "unknown"; an empty one says "none".
 * @param unreadable kinds that are known to be refused: not asked for again
 */
export async function readAssociations(
  call: CallHubSpot,
  kind: RecordKind,
  ids: readonly string[],
  unreadable: readonly ActivityKind[],
  signal: AbortSignal,
): Promise<(id: string) => Associations> {
  const others = associatedKinds(kind).filter((other) => !(unreadable as readonly string[]).includes(other));
  const sets = await Promise.all(
    others.map((other) =>
      unlessRefused(other, () =>
        readAssociationSet(
          call,
          toObjectName(kind),
          toObjectName(other),
          OBJECT_TYPE_IDS[kind],
          OBJECT_TYPE_IDS[other],
          ids,
          signal,
        ),
      ),
    ),
  );
  return (id) =>
    Object.fromEntries(
      others.flatMap((other, at) => {
        const set = sets[at];
        return set === undefined || set === null ? [] : [[other, set.get(id) ?? []]];
      }),
    );
}

/** Is it a refusal for want of a permission, which only the account's admin can give? */
export const isForbidden = (error: unknown): boolean =>
  error instanceof Rejected && (error.reason === 'missing_scope' || error.reason === 'forbidden');

/** Deals are read without their e-mails rather than not at all; companies and people nobody can do without. */
async function unlessRefused<T>(other: RecordKind, read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (isForbidden(error) && (ACTIVITY_KINDS as readonly string[]).includes(other)) return null;
    throw error;
  }
}

/**
 * @param from, to names for the metric; `fromType`, `toType` are object type ids.
 * @returns id → its associations; an id without any is not in the map.
 */
export async function readAssociationSet(
  call: CallHubSpot,
  from: string,
  to: string,
  fromType: string,
  toType: string,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, readonly Association[]>> {
  const found = new Map<string, Association[]>();
  let inputs: { id: string; after?: string }[] = [...new Set(ids)].map((id) => ({ id }));
  while (inputs.length > 0) {
    const batch = inputs.slice(0, ASSOCIATION_READ_BATCH);
    const rest = inputs.slice(ASSOCIATION_READ_BATCH);
    const answer = await call(
      {
        operation: `associations.${from}.${to}.read`,
        bucket: 'associations',
        method: 'POST',
        path: `/crm/associations/${HUBSPOT_API_VERSION}/${fromType}/${toType}/batch/read`,
        body: { inputs: batch },
        schema: AssociationsSchema,
        repeatable: true,
      },
      signal,
    );
    refusePartial(answer.errors, from, to);
    const more: { id: string; after: string }[] = [];
    for (const row of answer.results) {
      found.set(row.from.id, [...(found.get(row.from.id) ?? []), ...row.to]);
      const after = row.paging?.next?.after;
      if (after !== undefined) more.push({ id: row.from.id, after });
    }
    inputs = [...more, ...rest];
  }
  return found;
}

/** "No associations" is an answer; any other error would make an empty set out of one that was not read. */
function refusePartial(errors: readonly HubSpotErrorBody[], from: string, to: string): void {
  const bad = errors.find(
    (error) =>
      error.category !== 'OBJECT_NOT_FOUND' &&
      !String(error.subCategory ?? '').includes('NO_ASSOCIATIONS_FOUND'),
  );
  if (bad === undefined) return;
  throw new RetryLater(
    `HubSpot could not read some associations from ${from} to ${to}: ${bad.message ?? 'no reason given'}`,
    60_000,
  );
}
