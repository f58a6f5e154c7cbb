import { foreignKey, index, pgTable, primaryKey, text, unique, uuid } from 'drizzle-orm/pg-core';
import { instant, organizationId, ownId, tenantPolicy } from '../platform/db/columns.ts';
import { connections } from '../sync/tables.ts';

/** Companies of a CRM. Written by ingest alone; the newer reading wins. */
export const accounts = pgTable(
  'accounts',
  {
    organizationId: organizationId(),
    id: ownId(),
    connectionId: uuid().notNull(),
    externalId: text().notNull(),
    name: text(),
    domain: text(),
    type: text(),
    parentExternalId: text(),
    changedAt: instant().notNull(),
    readAt: instant().notNull(),
    deletedAt: instant(),
    /** The company that answers for this one since a merge. */
    mergedIntoExternalId: text(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.id] }),
    unique('accounts_external').on(t.organizationId, t.connectionId, t.externalId),
    foreignKey({
      columns: [t.organizationId, t.connectionId],
      foreignColumns: [connections.organizationId, connections.id],
    }).onDelete('cascade'),
    index('accounts_by_parent').on(t.organizationId, t.connectionId, t.parentExternalId),
    index('accounts_by_survivor').on(t.organizationId, t.connectionId, t.mergedIntoExternalId),
    tenantPolicy(),
  ],
);

/** People of a CRM; the e-mail address is the only personal column. Written by ingest alone. */
export const contacts = pgTable(
  'contacts',
  {
    organizationId: organizationId(),
    id: ownId(),
    connectionId: uuid().notNull(),
    externalId: text().notNull(),
    email: text(),
    changedAt: instant().notNull(),
    readAt: instant().notNull(),
    deletedAt: instant(),
    erasedAt: instant(),
    mergedIntoExternalId: text(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.id] }),
    unique('contacts_external').on(t.organizationId, t.connectionId, t.externalId),
    foreignKey({
      columns: [t.organizationId, t.connectionId],
      foreignColumns: [connections.organizationId, connections.id],
    }).onDelete('cascade'),
    index('contacts_by_survivor').on(t.organizationId, t.connectionId, t.mergedIntoExternalId),
    tenantPolicy(),
  ],
);

/**
 * Who belonged to which company when, as far as we saw it: CRMs date no membership, so what the first reading found
 * counts from ever (`from_at` null), and a change counts from the contact's own modification instant.
 */
export const contactAccounts = pgTable(
  'contact_accounts',
  {
    organizationId: organizationId(),
    id: ownId(),
    connectionId: uuid().notNull(),
    contactExternalId: text().notNull(),
    accountExternalId: text().notNull(),
    fromAt: instant(),
    toAt: instant(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.id] }),
    foreignKey({
      columns: [t.organizationId, t.connectionId],
      foreignColumns: [connections.organizationId, connections.id],
    }).onDelete('cascade'),
    index('contact_accounts_by_contact').on(t.organizationId, t.connectionId, t.contactExternalId),
    index('contact_accounts_by_account').on(t.organizationId, t.connectionId, t.accountExternalId),
    tenantPolicy(),
  ],
);
