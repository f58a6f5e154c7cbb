import {
  boolean,
  date,
  foreignKey,
  index,
  integer,
  pgTable,
  primaryKey,
  text,
  uuid,
} from 'drizzle-orm/pg-core';
import { accounts } from '../accounts/tables.ts';
import { PARTNER_TYPES } from '../attribution/types.ts';
import { organizations } from '../identity/tables.ts';
import { instant, organizationId, ownId, tenantPolicy } from '../platform/db/columns.ts';

/** Organisations that may earn credit. Written by members and API keys. */
export const partners = pgTable(
  'partners',
  {
    organizationId: organizationId(),
    id: ownId(),
    name: text().notNull(),
    type: text({ enum: PARTNER_TYPES }).notNull(),
    status: text({ enum: ['active', 'inactive'] })
      .notNull()
      .default('active'),
    /** Parts per million of the credited money. */
    defaultCommissionPpm: integer().notNull().default(0),
    createdAt: instant().notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.id] }),
    foreignKey({ columns: [t.organizationId], foreignColumns: [organizations.organizationId] }),
    tenantPolicy(),
  ],
);

/**
 * Which company is which partner, from when to when (`[from_on, to_on)`, null = open). Written by members and API keys.
 * An exclusion constraint keeps two links of one company from overlapping.
 */
export const partnerLinks = pgTable(
  'partner_links',
  {
    organizationId: organizationId(),
    id: ownId(),
    partnerId: uuid().notNull(),
    accountId: uuid().notNull(),
    fromOn: date({ mode: 'string' }),
    toOn: date({ mode: 'string' }),
    /** The company's child companies count as the partner too. */
    withChildren: boolean().notNull().default(false),
    createdAt: instant().notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.id] }),
    foreignKey({
      columns: [t.organizationId, t.partnerId],
      foreignColumns: [partners.organizationId, partners.id],
    }),
    foreignKey({
      columns: [t.organizationId, t.accountId],
      foreignColumns: [accounts.organizationId, accounts.id],
    }),
    index('partner_links_by_account').on(t.organizationId, t.accountId),
    tenantPolicy(),
  ],
);
