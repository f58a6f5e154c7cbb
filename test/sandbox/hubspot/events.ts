import { direction, typesFor } from './association-store.ts';
import type { Subscription } from './options.ts';
import type { Acting, RecordEnd } from './records.ts';
import type { ObjectTable, Portal } from './state.ts';

/** Where a change came from, as HubSpot words it in webhooks and histories. */
export interface Source {
  /** `CRM_UI`, `INTEGRATION`, … */
  readonly changeSource: string;
  /** `userId:1` for a person, the app id for an integration. */
  readonly sourceId: string;
}

/** An event as it goes over the wire, all but the delivery's own fields. */
export type WebhookEvent = Readonly<Record<string, unknown>> & {
  readonly eventId: number;
  readonly subscriptionId: number;
  readonly portalId: number;
  readonly occurredAt: number;
  readonly subscriptionType: string;
};

export type RecordEventKind = 'creation' | 'deletion' | 'restore' | 'merge' | 'privacyDeletion';

/** Names under which `deal.*` and its like may be subscribed. */
const LEGACY_NAMES: ReadonlySet<string> = new Set(['contact', 'company', 'deal']);

export function emitRecord(
  acting: Acting,
  table: ObjectTable,
  kind: RecordEventKind,
  objectId: string,
  more: Readonly<Record<string, unknown>> = {},
): void {
  for (const matched of matching(acting, table, kind)) {
    push(acting, matched, {
      objectId: Number(objectId),
      ...(matched.generic ? { objectTypeId: table.typeId } : {}),
      ...(kind === 'creation' ? { changeFlag: 'NEW' } : {}),
      ...(kind === 'deletion' ? { changeFlag: 'DELETED' } : {}),
      ...more,
    });
  }
}

export function emitChange(
  acting: Acting,
  table: ObjectTable,
  objectId: string,
  name: string,
  value: string,
): void {
  // Computed values and the modification time itself raise nothing.
  if (table.properties.get(name)?.readOnly === true) return;
  for (const matched of matching(acting, table, 'propertyChange')) {
    if (matched.subscription.propertyName !== name) continue;
    push(acting, matched, {
      objectId: Number(objectId),
      ...(matched.generic ? { objectTypeId: table.typeId } : {}),
      propertyName: name,
      propertyValue: value,
    });
  }
}

/** One event per side that is subscribed; a primary association thus makes two for each side. */
export function emitAssociation(
  acting: Acting,
  from: RecordEnd,
  to: RecordEnd,
  typeId: number,
  removed: boolean,
): void {
  const type = typesFor(acting.portal.associations, from.type, to.type).find(
    (each) => each.typeId === typeId,
  );
  if (type === undefined) return;
  emitOneSide(acting, from, to, typeId, removed);
  if (direction(from.type, to.type) === direction(to.type, from.type) && type.inverseTypeId === typeId)
    return;
  emitOneSide(acting, to, from, type.inverseTypeId, removed);
}

function emitOneSide(acting: Acting, from: RecordEnd, to: RecordEnd, typeId: number, removed: boolean): void {
  const table = acting.portal.tables.get(from.type);
  const other = acting.portal.tables.get(to.type);
  if (table === undefined || other === undefined) return;
  const type = typesFor(acting.portal.associations, from.type, to.type).find(
    (each) => each.typeId === typeId,
  );
  for (const matched of matching(acting, table, 'associationChange')) {
    const ends = { fromObjectId: Number(from.id), toObjectId: Number(to.id), associationRemoved: removed };
    push(
      acting,
      matched,
      matched.generic
        ? {
            ...ends,
            fromObjectTypeId: from.type,
            toObjectTypeId: to.type,
            associationTypeId: typeId,
            associationCategory: type?.category ?? 'HUBSPOT_DEFINED',
          }
        : {
            ...ends,
            associationType: `${table.singular}_TO_${other.singular}`.toUpperCase(),
            isPrimaryAssociation: type?.label === 'Primary',
          },
    );
  }
}

interface Matched {
  readonly subscription: Subscription;
  readonly subscriptionId: number;
  /** An `object.*` subscription, whose events name the object type by id. */
  readonly generic: boolean;
}

function matching(acting: Acting, table: ObjectTable, kind: string): Matched[] {
  const { portal, sandbox } = acting;
  if (!portal.installed) return [];
  const matched: Matched[] = [];
  sandbox.subscriptions.forEach((subscription, index) => {
    if (subscription.active === false) return;
    const subscriptionId = 700_000 + index;
    if (
      subscription.subscriptionType === `object.${kind}` &&
      isType(portal, table, subscription.objectType)
    ) {
      matched.push({ subscription, subscriptionId, generic: true });
    } else if (
      LEGACY_NAMES.has(table.singular) &&
      subscription.subscriptionType === `${table.singular}.${kind}`
    ) {
      matched.push({ subscription, subscriptionId, generic: false });
    }
  });
  return matched;
}

function isType(portal: Portal, table: ObjectTable, wanted: string | undefined): boolean {
  if (wanted === undefined) return false;
  const name = wanted.toLowerCase();
  if (name === table.typeId || name === table.singular || name === table.name.toLowerCase()) return true;
  return table.custom !== null && name === `p${portal.id}_${table.custom.name}`;
}

function push(acting: Acting, matched: Matched, body: Readonly<Record<string, unknown>>): void {
  const { sandbox, portal, source } = acting;
  sandbox.webhooks.push({
    eventId: sandbox.webhooks.nextEventId(),
    subscriptionId: matched.subscriptionId,
    portalId: portal.id,
    appId: sandbox.appId,
    occurredAt: sandbox.nowMs(),
    subscriptionType: matched.subscription.subscriptionType,
    ...body,
    changeSource: source.changeSource,
    sourceId: source.sourceId,
  });
}
