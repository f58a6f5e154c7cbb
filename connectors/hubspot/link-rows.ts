import { OBJECT_TYPE_IDS } from './kinds.ts';
import type { Answered, Landed } from './narrowing.ts';
import { sendNarrowed, toRejectedRow } from './narrowing.ts';
import { AssociateSchema, IgnoredSchema } from './schema.ts';
import type { Placed, RowWriter } from './write-rows.ts';

const LINKS_PER_CALL = 2_000;

/** A row that stands and is to show on its deal and its partner's company. */
export interface Fresh {
  readonly placed: Placed;
  readonly rowId: string;
  /** Made in this write or not long ago: nobody knows whether it was associated. */
  readonly isYoung: boolean;
}

type Refused = Exclude<Landed<never>, { status: 'ok' }>;

/**
 * Brings the associations of written rows to their wanted state: young ones to deal and company, older ones only where the
 * partner's company is another by now.
 * @returns rows whose association failed, by key: without its deal a row shows nowhere, so it does not count as written.
 */
export async function associateRows(
  writer: RowWriter,
  fresh: readonly Fresh[],
): Promise<ReadonlyMap<string, Refused>> {
  const { handle } = writer.schema;
  const before = ({ placed }: Fresh) => placed.row.associatedAccountExternalId ?? null;
  const wanted = ({ placed }: Fresh) => placed.row.partnerAccountExternalId;
  const moved = new Set(fresh.filter((from) => before(from) !== wanted(from)));
  const toDeals = fresh
    .filter(({ isYoung }) => isYoung)
    .map((from) => ({ from, toId: from.placed.dealExternalId }));
  const toCompanies = fresh.flatMap((from) => {
    const toId = wanted(from);
    return toId !== null && (from.isYoung || moved.has(from)) ? [{ from, toId }] : [];
  });
  const gone = [...moved].flatMap((from) => {
    const toId = before(from);
    return toId === null ? [] : [{ from, toId }];
  });
  const deal: Relation = {
    name: 'deals',
    typeId: OBJECT_TYPE_IDS.deal,
    spec: { associationCategory: handle.dealCategory ?? '', associationTypeId: Number(handle.dealTypeId) },
  };
  const company: Relation = {
    name: 'companies',
    typeId: OBJECT_TYPE_IDS.account,
    spec: {
      associationCategory: handle.companyCategory ?? '',
      associationTypeId: Number(handle.companyTypeId),
    },
  };
  // First, since an old id may have been merged into the new one and stand for it.
  const kept = await unlinkRows(writer, company, gone);
  const failures = await Promise.all([
    linkRows(writer, deal, toDeals),
    linkRows(writer, company, toCompanies),
  ]);
  return new Map([...kept, ...failures.flat()]);
}

interface Relation {
  readonly name: string;
  readonly typeId: string;
  readonly spec: { readonly associationCategory: string; readonly associationTypeId: number };
}
interface Link {
  readonly from: Fresh;
  readonly toId: string;
}

async function linkRows(
  writer: RowWriter,
  relation: Relation,
  links: readonly Link[],
): Promise<readonly (readonly [string, Refused])[]> {
  const landed = await sendNarrowed(links, LINKS_PER_CALL, (batch) => linkBatch(writer, relation, batch));
  return links.flatMap(({ from }, at) => {
    const fate = landed[at];
    return fate && fate.status !== 'ok' ? [[from.placed.row.key, fate] as const] : [];
  });
}

/** A company that is gone took its associations along: only what must wait is a failure. */
async function unlinkRows(
  writer: RowWriter,
  relation: Relation,
  links: readonly Link[],
): Promise<readonly (readonly [string, Refused])[]> {
  const landed = await sendNarrowed(
    links,
    LINKS_PER_CALL,
    async (batch): Promise<readonly Landed<null>[]> => {
      await writer.call(
        {
          operation: `associations.attribution.${relation.name}.archive`,
          bucket: 'associations',
          method: 'POST',
          path: `/crm/associations/${writer.writeVersion}/${writer.schema.handle.objectTypeId}/${relation.typeId}/batch/archive`,
          body: { inputs: batch.map(({ from, toId }) => ({ from: { id: from.rowId }, to: [{ id: toId }] })) },
          schema: IgnoredSchema,
          repeatable: true,
        },
        writer.signal,
      );
      return batch.map(() => ({ status: 'ok', value: null }));
    },
  );
  return links.flatMap(({ from }, at) => {
    const fate = landed[at];
    return fate?.status === 'later' ? [[from.placed.row.key, fate] as const] : [];
  });
}

/** Success is read from `results`: HubSpot's errors name the ends in more than one way (`DEAL=1`, plain ids). */
async function linkBatch(
  writer: RowWriter,
  relation: Relation,
  batch: readonly Link[],
): Promise<readonly Answered<null>[]> {
  const answer = await writer.call(
    {
      operation: `associations.attribution.${relation.name}.create`,
      bucket: 'associations',
      method: 'POST',
      path: `/crm/associations/${writer.writeVersion}/${writer.schema.handle.objectTypeId}/${relation.typeId}/batch/create`,
      body: {
        inputs: batch.map(({ from, toId }) => ({
          from: { id: from.rowId },
          to: { id: toId },
          types: [relation.spec],
        })),
      },
      schema: AssociateSchema,
      repeatable: true,
    },
    writer.signal,
  );
  const linked = new Set(answer.results.map((pair) => `${pair.fromObjectId} ${pair.toObjectId}`));
  const named = answer.errors.map((error) => {
    const texts = Object.values(error.context ?? {}).flat();
    return { error, ids: new Set(texts.map((text) => text.replace(/^.*=/, ''))) };
  });
  return batch.map(({ from, toId }) => {
    if (answer.errors.length === 0 || linked.has(`${from.rowId} ${toId}`))
      return { status: 'ok', value: null };
    const own = named.find(({ ids }) => ids.has(from.rowId) || ids.has(toId));
    return own === undefined
      ? { status: 'unclear', error: answer.errors[0] ?? null }
      : toRejectedRow(own.error);
  });
}
