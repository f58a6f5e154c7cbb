import { z } from 'zod';
import { type AssociationType, typesFor } from './association-store.ts';
import type { Call } from './guard.ts';
import { invalid } from './replies.ts';
import { findTable, type ObjectTable } from './state.ts';

export const AssociationTypes = z.array(
  z.object({ associationCategory: z.string(), associationTypeId: z.coerce.number() }),
);
export const AssociationsInput = z
  .array(
    z.object({
      to: z.object({ id: z.coerce.string() }),
      types: AssociationTypes,
    }),
  )
  .optional();

/** @throws Refusal 400 when a type does not link these two kinds of records */
export function knownTypes(
  call: Call,
  from: ObjectTable,
  to: ObjectTable,
  wanted: z.infer<typeof AssociationTypes>,
): readonly AssociationType[] {
  if (wanted.length === 0) throw invalid('At least one association type is required.');
  const types = typesFor(call.portal.associations, from.typeId, to.typeId);
  return wanted.map(({ associationCategory, associationTypeId }) => {
    const type = types.find(
      (each) => each.typeId === associationTypeId && each.category === associationCategory,
    );
    if (type !== undefined) return type;
    throw invalid(
      `Association type ${associationTypeId} of category ${associationCategory} does not exist between ${from.typeId} and ${to.typeId}.`,
    );
  });
}

/** The other ends that a new record is to be linked with, found by their association type. */
export function resolveLinks(
  call: Call,
  table: ObjectTable,
  associations: NonNullable<z.infer<typeof AssociationsInput>>,
): { readonly to: { readonly type: string; readonly id: string }; readonly typeIds: readonly number[] }[] {
  return associations.map((each) => {
    const typeIds = each.types.map((type) => type.associationTypeId);
    for (const [key, types] of call.portal.associations.types) {
      const [from, to = ''] = key.split('>');
      if (from !== table.typeId || !typeIds.every((id) => types.some((type) => type.typeId === id))) continue;
      const other = findTable(call.portal, to);
      if (other?.rows.get(each.to.id) === undefined) throw invalid(`${to}=${each.to.id} is not valid`);
      knownTypes(call, table, other, each.types);
      return { to: { type: to, id: each.to.id }, typeIds };
    }
    throw invalid(`Invalid association types ${typeIds.join(', ')} for ${table.typeId}`);
  });
}
