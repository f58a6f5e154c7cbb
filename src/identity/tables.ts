import { foreignKey, index, jsonb, pgTable, primaryKey, text, unique } from 'drizzle-orm/pg-core';
import { instant, organizationId, ownId, tenantPolicy } from '../platform/db/columns.ts';

/** Our customers. Written by the admin command. */
export const organizations = pgTable(
  'organizations',
  {
    organizationId: organizationId().primaryKey().defaultRandom(),
    name: text().notNull(),
    /** IANA zone in which close dates and windows are days. */
    timeZone: text().notNull(),
    /** Deals that closed before this day are neither attributed nor written back. */
    historyFromOn: text(),
    createdAt: instant().notNull().defaultNow(),
  },
  () => [tenantPolicy()],
);

/** People of an organization. Written by the admin command; log-in comes later, on this. */
export const members = pgTable(
  'members',
  {
    organizationId: organizationId(),
    id: ownId(),
    email: text().notNull(),
    role: text({ enum: ['owner', 'admin', 'analyst', 'viewer'] }).notNull(),
    createdAt: instant().notNull().defaultNow(),
    deactivatedAt: instant(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.id] }),
    unique('members_email').on(t.organizationId, t.email),
    foreignKey({ columns: [t.organizationId], foreignColumns: [organizations.organizationId] }),
    tenantPolicy(),
  ],
);

/** API keys, as hashes. Written by the admin command and, for `last_used_at`, by the API guard. */
export const apiKeys = pgTable(
  'api_keys',
  {
    organizationId: organizationId(),
    id: ownId(),
    name: text().notNull(),
    /** Shown in lists so that a person can tell keys apart; not secret. */
    prefix: text().notNull(),
    secretSha256: text().notNull(),
    scopes: text().array().notNull(),
    createdAt: instant().notNull().defaultNow(),
    expiresAt: instant(),
    lastUsedAt: instant(),
    revokedAt: instant(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.id] }),
    foreignKey({ columns: [t.organizationId], foreignColumns: [organizations.organizationId] }),
    index('api_keys_by_secret').on(t.secretSha256),
    tenantPolicy(),
  ],
);

/** Who did what, append-only (a trigger refuses everything else). Written with every mutation, in its transaction. */
export const auditLog = pgTable(
  'audit_log',
  {
    organizationId: organizationId(),
    id: ownId(),
    at: instant().notNull(),
    actorKind: text({ enum: ['member', 'api_key', 'crm_user', 'operator', 'system'] }).notNull(),
    actorId: text().notNull(),
    action: text().notNull(),
    subject: text().notNull(),
    details: jsonb().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.id] }),
    foreignKey({ columns: [t.organizationId], foreignColumns: [organizations.organizationId] }),
    index('audit_log_by_time').on(t.organizationId, t.at),
    tenantPolicy(),
  ],
);

/** Single-use, short-lived invitations to connect a CRM. Written by the admin command, used up by the install page. */
export const installLinks = pgTable(
  'install_links',
  {
    organizationId: organizationId(),
    id: ownId(),
    provider: text().notNull(),
    tokenSha256: text().notNull(),
    expiresAt: instant().notNull(),
    usedAt: instant(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.id] }),
    foreignKey({ columns: [t.organizationId], foreignColumns: [organizations.organizationId] }),
    index('install_links_by_token').on(t.tokenSha256),
    tenantPolicy(),
  ],
);

/** One running OAuth round trip, bound to the browser that began it. Written by the install page and the callback. */
export const oauthStates = pgTable(
  'oauth_states',
  {
    organizationId: organizationId(),
    id: ownId(),
    provider: text().notNull(),
    stateSha256: text().notNull(),
    browserSha256: text().notNull(),
    /** PKCE verifier, sealed like a token. */
    codeVerifier: jsonb().notNull(),
    startedBy: text().notNull(),
    expiresAt: instant().notNull(),
    usedAt: instant(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.id] }),
    foreignKey({ columns: [t.organizationId], foreignColumns: [organizations.organizationId] }),
    index('oauth_states_by_state').on(t.stateSha256),
    tenantPolicy(),
  ],
);
