import { foreignKey, index, pgTable, primaryKey, text, unique, uuid } from 'drizzle-orm/pg-core';
import { instant, organizationId, ownId, tenantPolicy } from '../platform/db/columns.ts';
import { connections } from '../sync/tables.ts';

/**
 * Meetings, calls, e-mails, notes and tasks: facts only, never bodies. Written by ingest alone.
 * A row whose `changed_at` is null is known by reference only; its facts are still to be fetched.
 */
export const activities = pgTable(
  'activities',
  {
    organizationId: organizationId(),
    id: ownId(),
    connectionId: uuid().notNull(),
    kind: text({ enum: ['meeting', 'call', 'email', 'note', 'task'] }).notNull(),
    externalId: text().notNull(),
    occurredAt: instant(),
    loggedAt: instant(),
    outcome: text(),
    label: text(),
    direction: text({ enum: ['inbound', 'outbound'] }),
    changedAt: instant(),
    readAt: instant(),
    deletedAt: instant(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.id] }),
    unique('activities_external').on(t.organizationId, t.connectionId, t.kind, t.externalId),
    foreignKey({
      columns: [t.organizationId, t.connectionId],
      foreignColumns: [connections.organizationId, connections.id],
    }).onDelete('cascade'),
    tenantPolicy(),
  ],
);

/** Deals of an activity: its complete set as last read from the activity's end. Written by ingest. */
export const activityDeals = pgTable(
  'activity_deals',
  {
    organizationId: organizationId(),
    activityId: uuid().notNull(),
    dealExternalId: text().notNull(),
    connectionId: uuid().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.activityId, t.dealExternalId] }),
    foreignKey({
      columns: [t.organizationId, t.activityId],
      foreignColumns: [activities.organizationId, activities.id],
    }).onDelete('cascade'),
    index('activity_deals_by_deal').on(t.organizationId, t.connectionId, t.dealExternalId),
    tenantPolicy(),
  ],
);

/** People and companies on an activity: complete sets as last read from the activity's end. Written by ingest. */
export const activityParties = pgTable(
  'activity_parties',
  {
    organizationId: organizationId(),
    activityId: uuid().notNull(),
    kind: text({ enum: ['contact', 'account'] }).notNull(),
    externalId: text().notNull(),
    connectionId: uuid().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.activityId, t.kind, t.externalId] }),
    foreignKey({
      columns: [t.organizationId, t.activityId],
      foreignColumns: [activities.organizationId, activities.id],
    }).onDelete('cascade'),
    index('activity_parties_by_party').on(t.organizationId, t.connectionId, t.kind, t.externalId),
    tenantPolicy(),
  ],
);
