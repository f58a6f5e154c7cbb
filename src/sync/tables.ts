import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  unique,
  uuid,
} from 'drizzle-orm/pg-core';
import { organizations } from '../identity/tables.ts';
import { instant, organizationId, ownId, tenantPolicy } from '../platform/db/columns.ts';

/** One CRM account linked to an organization. Written by install, by the worker (facts, findings) and by uninstall. */
export const connections = pgTable(
  'connections',
  {
    organizationId: organizationId(),
    id: ownId(),
    provider: text({ enum: ['hubspot', 'salesforce', 'pipedrive'] }).notNull(),
    accountExternalId: text().notNull(),
    status: text({ enum: ['active', 'reconnect_needed', 'uninstalled'] }).notNull(),
    statusReason: text(),
    scopes: text().array().notNull(),
    /** `AccountFacts` as last described; null until the first description. */
    facts: jsonb(),
    /** `SchemaState` as last ensured: the rung of the write-back ladder. */
    schemaState: jsonb(),
    /** `Finding[]` of the last preflight. */
    findings: jsonb().notNull().default([]),
    /** Deal properties that name a partner, chosen by the admin. */
    partnerFields: text().array().notNull().default(sql`'{}'`),
    createdAt: instant().notNull().defaultNow(),
    describedAt: instant(),
    uninstalledAt: instant(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.id] }),
    unique('connections_account').on(t.organizationId, t.provider, t.accountExternalId),
    foreignKey({ columns: [t.organizationId], foreignColumns: [organizations.organizationId] }),
    index('connections_by_account').on(t.provider, t.accountExternalId),
    tenantPolicy(),
  ],
);

/** The grant of a connection, sealed. Written by install and by whoever holds the refresh lease. */
export const connectionTokens = pgTable(
  'connection_tokens',
  {
    organizationId: organizationId(),
    connectionId: uuid().notNull(),
    access: jsonb().notNull(),
    refresh: jsonb().notNull(),
    expiresAt: instant().notNull(),
    /** Rises with every stored pair; a refresh is saved only over the version it started from. */
    version: integer().notNull().default(1),
    leaseHolder: uuid(),
    leaseUntil: instant(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.connectionId] }),
    foreignKey({
      columns: [t.organizationId, t.connectionId],
      foreignColumns: [connections.organizationId, connections.id],
    }).onDelete('cascade'),
    tenantPolicy(),
  ],
);

/** How far each kind of record has been read. Written in the transaction that stored the page. */
export const syncPositions = pgTable(
  'sync_positions',
  {
    organizationId: organizationId(),
    connectionId: uuid().notNull(),
    kind: text().notNull(),
    backfill: text({ enum: ['waiting', 'running', 'done'] })
      .notNull()
      .default('waiting'),
    cursor: text(),
    rowsRead: bigint({ mode: 'number' }).notNull().default(0),
    rowsExpected: bigint({ mode: 'number' }),
    backfillStartedAt: instant(),
    backfillEndedAt: instant(),
    /** The kind is complete up to here; the next poll starts a lookback below it. */
    watermark: instant(),
    polledAt: instant(),
    reconciledAt: instant(),
    /** Differences the last reconciliation found. */
    drift: integer(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.connectionId, t.kind] }),
    foreignKey({
      columns: [t.organizationId, t.connectionId],
      foreignColumns: [connections.organizationId, connections.id],
    }).onDelete('cascade'),
    tenantPolicy(),
  ],
);

/**
 * Work to be done, one row per object; a job only wakes somebody up to look here.
 * Marked in the transaction that made it necessary, claimed with SKIP LOCKED, deleted when `seq` has not moved.
 */
export const work = pgTable(
  'work',
  {
    organizationId: organizationId(),
    lane: text().notNull(),
    /** Connection for CRM lanes, the organization itself for recompute. */
    scopeId: uuid().notNull(),
    object: text().notNull(),
    seq: bigint({ mode: 'number' }).notNull().default(1),
    runAt: instant().notNull(),
    /** When the first cause not yet worked off happened: the age of the queue. */
    causedAt: instant().notNull(),
    attempts: integer().notNull().default(0),
    claim: uuid(),
    leaseUntil: instant(),
    /** Set aside: not tried again by itself; `reason` is shown to a person. */
    setAsideAt: instant(),
    reason: text(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.lane, t.scopeId, t.object] }),
    foreignKey({ columns: [t.organizationId], foreignColumns: [organizations.organizationId] }),
    index('work_due').on(t.runAt).where(sql`lease_until is null and set_aside_at is null`),
    index('work_leased').on(t.leaseUntil).where(sql`lease_until is not null`),
    tenantPolicy(),
  ],
);

/** What stands, or should stand, in the CRM for a deal: one row per partner. Written by the write-back lane alone. */
export const crmRows = pgTable(
  'crm_rows',
  {
    organizationId: organizationId(),
    connectionId: uuid().notNull(),
    dealId: uuid().notNull(),
    key: text().notNull(),
    dealExternalId: text().notNull(),
    crmRowId: text(),
    /** Hash of the row the CRM last accepted; `unknown` = a write was begun and its end not seen; null = nothing of ours stands there. */
    writtenHash: text(),
    /** The object or the fields it was written to (`placeOf`); when the account offers another place, it stands no more. */
    place: text(),
    /** The partner's company that it was associated with. */
    accountExternalId: text(),
    /** Hash of the row the CRM last refused, with the schema it was refused under. */
    rejectedHash: text(),
    rejectedSchema: text(),
    rejectedReason: text(),
    status: text({ enum: ['written', 'rejected'] }).notNull(),
    attemptedAt: instant().notNull(),
    writtenAt: instant(),
    retired: boolean().notNull().default(false),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.connectionId, t.dealId, t.key] }),
    foreignKey({
      columns: [t.organizationId, t.connectionId],
      foreignColumns: [connections.organizationId, connections.id],
    }).onDelete('cascade'),
    tenantPolicy(),
  ],
);
