import {
  bigint,
  boolean,
  char,
  date,
  foreignKey,
  index,
  integer,
  pgTable,
  primaryKey,
  smallint,
  text,
  unique,
  uuid,
} from 'drizzle-orm/pg-core';
import { instant, organizationId, ownId, tenantPolicy } from '../platform/db/columns.ts';
import { connections } from '../sync/tables.ts';

/** Deals of a CRM. Written by ingest alone; the newer reading wins. */
export const deals = pgTable(
  'deals',
  {
    organizationId: organizationId(),
    id: ownId(),
    connectionId: uuid().notNull(),
    externalId: text().notNull(),
    name: text(),
    pipelineId: text(),
    stageId: text(),
    state: text({ enum: ['open', 'won', 'lost'] }),
    amountMinor: bigint({ mode: 'bigint' }),
    currency: char({ length: 3 }),
    /** Minor-unit digits of `currency`. */
    exponent: smallint(),
    closeAt: instant(),
    /** `close_at` as a day in the organization's zone. */
    closeOn: date({ mode: 'string' }),
    crmCreatedAt: instant().notNull(),
    wonAt: instant(),
    /** How often the deal entered won, as far as we saw it. */
    wonSeq: integer().notNull().default(0),
    ownerExternalId: text(),
    /** Why no result can be computed (a hidden field, an unknown stage or currency); null = nothing is in the way. */
    blockedReason: text(),
    changedAt: instant().notNull(),
    readAt: instant().notNull(),
    deletedAt: instant(),
    mergedIntoExternalId: text(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.id] }),
    unique('deals_external').on(t.organizationId, t.connectionId, t.externalId),
    foreignKey({
      columns: [t.organizationId, t.connectionId],
      foreignColumns: [connections.organizationId, connections.id],
    }).onDelete('cascade'),
    index('deals_by_survivor').on(t.organizationId, t.connectionId, t.mergedIntoExternalId),
    tenantPolicy(),
  ],
);

/** Companies on a deal, one row per label ('' = plain): customer and association-label evidence. Written by ingest. */
export const dealAccounts = pgTable(
  'deal_accounts',
  {
    organizationId: organizationId(),
    id: ownId(),
    connectionId: uuid().notNull(),
    dealId: uuid().notNull(),
    accountExternalId: text().notNull(),
    label: text().notNull().default(''),
    isPrimary: boolean().notNull().default(false),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.id] }),
    unique('deal_accounts_set').on(t.organizationId, t.dealId, t.accountExternalId, t.label),
    foreignKey({
      columns: [t.organizationId, t.dealId],
      foreignColumns: [deals.organizationId, deals.id],
    }).onDelete('cascade'),
    index('deal_accounts_by_account').on(t.organizationId, t.connectionId, t.accountExternalId),
    tenantPolicy(),
  ],
);

/** Partner properties of a deal that the admin chose: field evidence. Written by ingest. */
export const dealFields = pgTable(
  'deal_fields',
  {
    organizationId: organizationId(),
    id: ownId(),
    connectionId: uuid().notNull(),
    dealId: uuid().notNull(),
    name: text().notNull(),
    value: text().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.id] }),
    unique('deal_fields_set').on(t.organizationId, t.dealId, t.name),
    foreignKey({
      columns: [t.organizationId, t.dealId],
      foreignColumns: [deals.organizationId, deals.id],
    }).onDelete('cascade'),
    tenantPolicy(),
  ],
);
