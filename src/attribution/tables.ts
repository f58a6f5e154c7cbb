import {
  bigint,
  char,
  date,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  uuid,
} from 'drizzle-orm/pg-core';
import { deals } from '../deals/tables.ts';
import { organizations } from '../identity/tables.ts';
import { partners } from '../partners/tables.ts';
import { instant, organizationId, tenantPolicy } from '../platform/db/columns.ts';

/** Versioned rules and parameters. Written by members and API keys; a version never changes once applied. */
export const ruleSets = pgTable(
  'rule_sets',
  {
    organizationId: organizationId(),
    version: integer().notNull(),
    status: text({ enum: ['draft', 'approved', 'applied'] }).notNull(),
    body: jsonb().notNull(),
    createdAt: instant().notNull().defaultNow(),
    appliedAt: instant(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.version] }),
    foreignKey({ columns: [t.organizationId], foreignColumns: [organizations.organizationId] }),
    tenantPolicy(),
  ],
);

/** The latest run of each deal and what it said: a projection. Written by recompute alone. */
export const attributions = pgTable(
  'attributions',
  {
    organizationId: organizationId(),
    dealId: uuid().notNull(),
    runId: uuid().notNull(),
    computedAt: instant().notNull(),
    inputHash: text().notNull(),
    ruleSetVersion: integer().notNull(),
    modelOfRecord: text().notNull(),
    state: text({ enum: ['projected', 'earned', 'lost'] }).notNull(),
    /** The deal is blocked since: the last result is kept and marked. */
    blockedReason: text(),
    touchpoints: integer().notNull(),
    /** The first day on which the same inputs may give another answer. */
    validUntilOn: date({ mode: 'string' }),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.dealId] }),
    foreignKey({
      columns: [t.organizationId, t.dealId],
      foreignColumns: [deals.organizationId, deals.id],
    }).onDelete('cascade'),
    index('attributions_valid_until').on(t.organizationId, t.validUntilOn),
    tenantPolicy(),
  ],
);

/** Who earned what of a deal under each model, by its latest run: a projection. Written by recompute alone. */
export const credits = pgTable(
  'credits',
  {
    organizationId: organizationId(),
    dealId: uuid().notNull(),
    model: text().notNull(),
    partnerId: uuid().notNull(),
    /** Hundredths of a percent; the exact share is in the run. */
    shareBps: smallint().notNull(),
    amountMinor: bigint({ mode: 'bigint' }),
    currency: char({ length: 3 }),
    role: text({ enum: ['sourced', 'influenced'] }).notNull(),
    reason: text().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.dealId, t.model, t.partnerId] }),
    foreignKey({
      columns: [t.organizationId, t.dealId],
      foreignColumns: [deals.organizationId, deals.id],
    }).onDelete('cascade'),
    foreignKey({
      columns: [t.organizationId, t.partnerId],
      foreignColumns: [partners.organizationId, partners.id],
    }),
    index('credits_by_partner').on(t.organizationId, t.partnerId, t.model),
    tenantPolicy(),
  ],
);
