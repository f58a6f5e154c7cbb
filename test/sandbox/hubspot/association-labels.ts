import { z } from 'zod';
import { type AssociationType, defineType, typesFor } from './association-store.ts';
import type { Call, Reply, RouteSpec } from './guard.ts';
import { invalid, notFound } from './replies.ts';
import type { ObjectTable } from './state.ts';
import { objectScope, parseBody, schemaScope } from './wire.ts';

/** HubSpot allows this many labels between two kinds of records. */
const MAX_LABELS = 50;
const LabelInput = z.object({ label: z.string(), name: z.string(), inverseLabel: z.string().optional() });

/** The types of association that exist between two kinds of records, and a portal's own labels. */
export function labelRoutes(base: string): RouteSpec[] {
  const bucket = 'associations' as const;
  return [
    { method: 'GET', path: `${base}/labels`, operation: 'labels.list', bucket, handle: listLabels },
    { method: 'POST', path: `${base}/labels`, operation: 'labels.create', bucket, handle: createLabel },
    {
      method: 'DELETE',
      path: `${base}/labels/:typeId`,
      operation: 'labels.delete',
      bucket,
      handle: deleteLabel,
    },
  ];
}

/** `deals>companies`, as calls about two kinds are logged. */
export const kindOf = (from: ObjectTable, to: ObjectTable): string => `${from.name}>${to.name}`;

function listLabels(call: Call): Reply {
  const [from, to] = [call.table('fromType'), call.table('toType')];
  call.needScope(objectScope(from, 'read'), schemaScope(from, 'read'));
  call.note(kindOf(from, to), 1);
  const results = typesFor(call.portal.associations, from.typeId, to.typeId).map(toLabel);
  return { status: 200, body: { results } };
}

function createLabel(call: Call): Reply {
  const [from, to] = [call.table('fromType'), call.table('toType')];
  call.needScope(schemaScope(from, 'write'));
  call.note(kindOf(from, to), 1);
  const input = parseBody(LabelInput, call);
  const own = typesFor(call.portal.associations, from.typeId, to.typeId).filter(
    (type) => type.category === 'USER_DEFINED' && type.label !== null,
  );
  if (own.some((type) => type.name === input.name || type.label === input.label)) {
    throw invalid(`An association label named ${input.label} already exists between these objects.`);
  }
  if (own.length >= MAX_LABELS)
    throw invalid(`The limit of ${MAX_LABELS} labels between these objects is reached.`);
  const made = defineType(call.portal.associations, from.typeId, to.typeId, {
    name: input.name,
    label: input.label,
    inverseLabel: input.inverseLabel ?? null,
  });
  return { status: 200, body: { results: made.map(toLabel) } };
}

function deleteLabel(call: Call): Reply {
  const [from, to] = [call.table('fromType'), call.table('toType')];
  call.needScope(schemaScope(from, 'write'));
  const types = typesFor(call.portal.associations, from.typeId, to.typeId);
  const at = types.findIndex(
    (type) => type.typeId === Number(call.param('typeId')) && type.category === 'USER_DEFINED',
  );
  const type = types[at];
  if (type === undefined) throw notFound();
  types.splice(at, 1);
  const back = typesFor(call.portal.associations, to.typeId, from.typeId);
  const inverse = back.findIndex((each) => each.typeId === type.inverseTypeId);
  if (inverse >= 0) back.splice(inverse, 1);
  return { status: 204 };
}

const toLabel = (type: AssociationType) => ({
  category: type.category,
  typeId: type.typeId,
  label: type.label,
});
