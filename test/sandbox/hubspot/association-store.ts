/** Every association type that links one kind of record to another, seen from one side. */
export interface AssociationType {
  readonly typeId: number;
  readonly category: 'HUBSPOT_DEFINED' | 'USER_DEFINED';
  label: string | null;
  readonly name: string;
  /** The type that says the same from the other side. */
  readonly inverseTypeId: number;
}
export interface Link {
  readonly toId: string;
  types: readonly number[];
}
export interface AssociationStore {
  /** `0-3>0-2` → types in force in that direction. */
  readonly types: Map<string, AssociationType[]>;
  /** `0-3>0-2` → record id → its links. Readable by tests; changed only through `link` and `unlink`. */
  readonly links: Map<string, Map<string, Link[]>>;
  nextTypeId: number;
}

/** [from, to, type there, type back, label there, label back] as HubSpot publishes them. */
const HUBSPOT_TYPES: readonly (readonly [
  string,
  string,
  number,
  number,
  (string | null)?,
  (string | null)?,
])[] = [
  ['0-3', '0-2', 341, 342],
  ['0-3', '0-2', 5, 6, 'Primary', 'Primary'],
  ['0-3', '0-1', 3, 4],
  ['0-1', '0-2', 279, 280],
  ['0-1', '0-2', 1, 2, 'Primary', 'Primary'],
  ['0-2', '0-2', 13, 14, 'Child Company', 'Parent Company'],
  ['0-3', '0-48', 205, 206],
  ['0-3', '0-49', 209, 210],
  ['0-3', '0-47', 211, 212],
  ['0-3', '0-46', 213, 214],
  ['0-3', '0-27', 215, 216],
  ['0-1', '0-48', 193, 194],
  ['0-1', '0-49', 197, 198],
  ['0-1', '0-47', 199, 200],
  ['0-1', '0-46', 201, 202],
  ['0-1', '0-27', 203, 204],
  ['0-2', '0-48', 181, 182],
  ['0-2', '0-49', 185, 186],
  ['0-2', '0-47', 187, 188],
  ['0-2', '0-46', 189, 190],
  ['0-2', '0-27', 191, 192],
];
const SELF_TYPES: readonly (readonly [string, number])[] = [
  ['0-1', 449],
  ['0-2', 450],
  ['0-3', 451],
];
/** Types of which a record may have only one: setting it elsewhere takes it from the former holder. */
const EXCLUSIVE: ReadonlySet<number> = new Set([5, 1, 14]);

export const direction = (from: string, to: string): string => `${from}>${to}`;

export function createAssociationStore(): AssociationStore {
  const store: AssociationStore = { types: new Map(), links: new Map(), nextTypeId: 7 };
  for (const [from, to, there, back, labelThere, labelBack] of HUBSPOT_TYPES) {
    addPair(store, from, to, { there, back, labelThere: labelThere ?? null, labelBack: labelBack ?? null });
  }
  for (const [type, typeId] of SELF_TYPES) {
    typesFor(store, type, type).unshift({
      typeId,
      category: 'HUBSPOT_DEFINED',
      label: null,
      name: `${type}_to_${type}`,
      inverseTypeId: typeId,
    });
  }
  return store;
}

export function typesFor(store: AssociationStore, from: string, to: string): AssociationType[] {
  const key = direction(from, to);
  let types = store.types.get(key);
  if (types === undefined) {
    types = [];
    store.types.set(key, types);
  }
  return types;
}

/** Adds a portal's own type (a label, or the plain association of a custom object) in both directions. */
export function defineType(
  store: AssociationStore,
  from: string,
  to: string,
  spec: { readonly name: string; readonly label: string | null; readonly inverseLabel: string | null },
): readonly AssociationType[] {
  // A label that reads the same from both sides of one object type is a single type to HubSpot.
  const there = store.nextTypeId;
  const symmetric = from === to && (spec.inverseLabel === null || spec.inverseLabel === spec.label);
  const back = symmetric ? there : there + 1;
  store.nextTypeId = back + 1;
  // 13, 14 and the like belong to HubSpot; a portal's own ids step over every published one.
  while (isPublished(store.nextTypeId)) store.nextTypeId += 1;
  const make = (typeId: number, inverseTypeId: number, label: string | null): AssociationType => ({
    typeId,
    category: 'USER_DEFINED',
    label,
    name: spec.name,
    inverseTypeId,
  });
  const first = make(there, back, spec.label);
  typesFor(store, from, to).push(first);
  if (symmetric) return [first];
  const second = make(back, there, spec.inverseLabel ?? spec.label);
  typesFor(store, to, from).push(second);
  return [first, second];
}

export function linksFrom(store: AssociationStore, from: string, to: string, id: string): readonly Link[] {
  return store.links.get(direction(from, to))?.get(id) ?? [];
}

/**
 * Links two records with these types, and with the plain type that every labelled association also has.
 * Returns the type ids that are new, seen from `from`, and those taken from a former holder.
 */
export function link(
  store: AssociationStore,
  from: { readonly type: string; readonly id: string },
  to: { readonly type: string; readonly id: string },
  typeIds: readonly number[],
): { readonly added: readonly number[]; readonly displaced: readonly { toId: string; typeId: number }[] } {
  const known = typesFor(store, from.type, to.type);
  const plain = known.find((type) => type.label === null);
  const wanted = new Set(plain === undefined ? typeIds : [plain.typeId, ...typeIds]);
  const displaced: { toId: string; typeId: number }[] = [];
  for (const typeId of wanted) {
    if (EXCLUSIVE.has(typeId)) displaced.push(...takeFromOthers(store, from, to, typeId));
    const inverse = known.find((type) => type.typeId === typeId)?.inverseTypeId;
    if (inverse !== undefined && EXCLUSIVE.has(inverse)) takeFromOthers(store, to, from, inverse);
  }
  const added: number[] = [];
  for (const typeId of wanted) {
    const inverse = known.find((type) => type.typeId === typeId)?.inverseTypeId ?? typeId;
    if (!addType(store, from, to, typeId)) continue;
    addType(store, to, from, inverse);
    added.push(typeId);
  }
  return { added, displaced };
}

/** Removes these types (all of them when none are named). Returns the type ids that were there. */
export function unlink(
  store: AssociationStore,
  from: { readonly type: string; readonly id: string },
  to: { readonly type: string; readonly id: string },
  typeIds?: readonly number[],
): readonly number[] {
  const present = linksFrom(store, from.type, to.type, from.id).find((each) => each.toId === to.id);
  if (present === undefined) return [];
  const gone = present.types.filter((typeId) => typeIds === undefined || typeIds.includes(typeId));
  const known = typesFor(store, from.type, to.type);
  for (const typeId of gone) {
    removeType(store, from, to, typeId);
    removeType(store, to, from, known.find((type) => type.typeId === typeId)?.inverseTypeId ?? typeId);
  }
  return gone;
}

function takeFromOthers(
  store: AssociationStore,
  from: { readonly type: string; readonly id: string },
  to: { readonly type: string; readonly id: string },
  typeId: number,
): { toId: string; typeId: number }[] {
  const others = linksFrom(store, from.type, to.type, from.id).filter(
    (each) => each.toId !== to.id && each.types.includes(typeId),
  );
  for (const other of others) unlink(store, from, { type: to.type, id: other.toId }, [typeId]);
  return others.map((other) => ({ toId: other.toId, typeId }));
}

function addType(
  store: AssociationStore,
  from: { readonly type: string; readonly id: string },
  to: { readonly type: string; readonly id: string },
  typeId: number,
): boolean {
  const key = direction(from.type, to.type);
  let byId = store.links.get(key);
  if (byId === undefined) {
    byId = new Map();
    store.links.set(key, byId);
  }
  const links = byId.get(from.id);
  if (links === undefined) {
    byId.set(from.id, [{ toId: to.id, types: [typeId] }]);
    return true;
  }
  const present = links.find((each) => each.toId === to.id);
  if (present === undefined) {
    links.push({ toId: to.id, types: [typeId] });
    return true;
  }
  if (present.types.includes(typeId)) return false;
  present.types = [...present.types, typeId];
  return true;
}

function removeType(
  store: AssociationStore,
  from: { readonly type: string; readonly id: string },
  to: { readonly type: string; readonly id: string },
  typeId: number,
): void {
  const byId = store.links.get(direction(from.type, to.type));
  const links = byId?.get(from.id);
  const present = links?.find((each) => each.toId === to.id);
  if (byId === undefined || links === undefined || present === undefined) return;
  present.types = present.types.filter((each) => each !== typeId);
  if (present.types.length > 0) return;
  if (links.length === 1) byId.delete(from.id);
  else links.splice(links.indexOf(present), 1);
}

function addPair(
  store: AssociationStore,
  from: string,
  to: string,
  spec: { there: number; back: number; labelThere: string | null; labelBack: string | null },
): void {
  const name = `${from}_to_${to}`;
  const category = 'HUBSPOT_DEFINED';
  const { there, back, labelThere, labelBack } = spec;
  typesFor(store, from, to).push({ typeId: there, category, label: labelThere, name, inverseTypeId: back });
  typesFor(store, to, from).push({ typeId: back, category, label: labelBack, name, inverseTypeId: there });
}

function isPublished(typeId: number): boolean {
  return (
    HUBSPOT_TYPES.some((each) => each[2] === typeId || each[3] === typeId) ||
    SELF_TYPES.some((each) => each[1] === typeId)
  );
}
