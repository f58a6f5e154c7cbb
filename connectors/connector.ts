/**
 * The one interface that every CRM implements, and the words it speaks.
 * A connector translates; it never touches our database, our queue or our HTTP app.
 * Errors cross this line only as RetryLater, ReconnectNeeded, Rejected, Misconfigured, or a bug.
 */

export type Provider = 'hubspot' | 'salesforce' | 'pipedrive';

/** What a CRM record is to us. An activity's finer kind is `ActivityKind`. */
export type RecordKind = 'account' | 'contact' | 'deal' | ActivityKind;
export type ActivityKind = 'meeting' | 'call' | 'email' | 'note' | 'task';
export const ACTIVITY_KINDS = [
  'meeting',
  'call',
  'email',
  'note',
  'task',
] as const satisfies readonly ActivityKind[];
export const RECORD_KINDS = [
  'account',
  'contact',
  'deal',
  ...ACTIVITY_KINDS,
] as const satisfies readonly RecordKind[];

export interface RecordRef {
  readonly kind: RecordKind;
  readonly externalId: string;
}

/** Exact decimal as the CRM wrote it, never a float. */
export type DecimalText = string;
/** An instant in ISO 8601 UTC, e.g. `2026-11-20T10:00:00.000Z`. */
export type Instant = string;

/** A field the CRM hides from us or refuses to give is `unknown`; `null` means it is empty there. */
export const UNKNOWN = Symbol.for('tributary.unknown');
export type Known<T> = T | typeof UNKNOWN;

export interface AccountRecord {
  readonly kind: 'account';
  readonly name: string | null;
  readonly domain: string | null;
  /** The CRM's own company type, e.g. `PARTNER`. */
  readonly type: string | null;
  readonly parentExternalId: string | null;
}

export interface ContactRecord {
  readonly kind: 'contact';
  readonly email: string | null;
  /** Every account the person belongs to now: a complete set. */
  readonly accountExternalIds: readonly string[];
}

export interface DealRecord {
  readonly kind: 'deal';
  readonly name: string | null;
  readonly pipelineId: string | null;
  readonly stageId: string | null;
  /** From the pipeline's own metadata; `unknown` when the stage is not in it. */
  readonly state: Known<'open' | 'won' | 'lost'>;
  readonly amount: Known<DecimalText | null>;
  /** ISO 4217; the connection's own currency is already filled in when the record names none. */
  readonly currency: Known<string | null>;
  /** Instant of closing as the CRM holds it; the calendar day is derived in the organization's zone. */
  readonly closeAt: Known<Instant | null>;
  readonly createdAt: Instant;
  /** When the deal entered its present won stage, where the CRM tells it. */
  readonly wonAt: Instant | null;
  readonly ownerExternalId: string | null;
  /** Complete set of companies on the deal, with every label each association carries. */
  readonly accounts: readonly DealAccount[];
  /** Admin-chosen partner properties: field name → value (never free text beyond a name or an id). */
  readonly partnerFields: Readonly<Record<string, string>>;
  /** Activities associated now: a complete set of references (facts are fetched on their own). */
  readonly activities: readonly RecordRef[];
  /** Kinds of activities that the CRM does not let us see: of these, `activities` says nothing at all. */
  readonly unknownActivityKinds?: readonly ActivityKind[];
}
export interface DealAccount {
  readonly externalId: string;
  readonly primary: boolean;
  readonly labels: readonly string[];
}

export interface ActivityRecord {
  readonly kind: ActivityKind;
  /** When it happened (a meeting's start, a mail's sending). `null`: the CRM does not say. */
  readonly occurredAt: Instant | null;
  /** When it was written into the CRM. */
  readonly loggedAt: Instant;
  /** Did it happen? `planned`, `cancelled`, `bounced` … never count. */
  readonly outcome: 'done' | 'planned' | 'cancelled' | 'no_show' | 'bounced' | 'failed' | 'unknown';
  /** The portal's own activity type, e.g. `Demo`; not a subject line. */
  readonly label: string | null;
  readonly direction: 'inbound' | 'outbound' | null;
  readonly dealExternalIds: readonly string[];
  readonly contactExternalIds: readonly string[];
  readonly accountExternalIds: readonly string[];
}

export type CrmRecord = AccountRecord | ContactRecord | DealRecord | ActivityRecord;

/** One record as the CRM has it now. Absence is never guessed: `missing` needs the CRM's own word. */
export type Snapshot = SnapshotBase &
  (
    | { readonly status: 'present'; readonly record: CrmRecord }
    /** Archived or deleted in the CRM, or (after `fetch`) not there at all. */
    | { readonly status: 'missing' }
    /** Merged away: `survivorExternalId` is the record that answers for it now. */
    | { readonly status: 'merged'; readonly survivorExternalId: string }
    /** The data subject asked for erasure: personal columns go, facts stay. */
    | { readonly status: 'erased' }
  );
interface SnapshotBase {
  readonly ref: RecordRef;
  /** The CRM's own modification instant; decides who is newer. */
  readonly changedAt: Instant;
  /** When our read began; decides between two readings of the same version and of association sets. */
  readonly readAt: Instant;
  /** Ids that were merged into this record. */
  readonly mergedExternalIds?: readonly string[];
}

/** A connector's opaque position: JSON-safe, stored by us, understood by nobody else. */
export type Cursor = string;

export interface Page {
  readonly snapshots: readonly Snapshot[];
  /** Where to go on after this page has been stored; null = that was the last page. */
  readonly next: Cursor | null;
  /** Rows read so far and, where the CRM tells it, in all (progress bars only). */
  readonly progress?: { readonly done: number; readonly total?: number };
}

export interface AccountFacts {
  readonly externalId: string;
  readonly name: string | null;
  /** IANA zone of the CRM account. */
  readonly timeZone: string;
  readonly homeCurrency: string;
  /** ISO 4217 → number of minor-unit digits (JPY 0, EUR 2, KWD 3). */
  readonly currencies: Readonly<Record<string, number>>;
  readonly pipelines: readonly {
    readonly id: string;
    readonly label: string;
    readonly stages: readonly {
      readonly id: string;
      readonly label: string;
      readonly state: 'open' | 'won' | 'lost';
    }[];
  }[];
  readonly owners: readonly { readonly externalId: string; readonly active: boolean }[];
  /** Association labels between deals and companies that exist in this account. */
  readonly dealAccountLabels: readonly { readonly id: string; readonly label: string }[];
  /** Deal fields that by their name may hold a partner: proposed to the admin, and used until they choose. */
  readonly partnerFieldCandidates: readonly string[];
  /** Where a person opens records, e.g. `https://app.hubspot.com/contacts/123`. */
  readonly recordBaseUrl: string;
  readonly edition: string | null;
  /** Kinds of activities that the CRM refuses to show: everything goes on without them. */
  readonly unreadableKinds?: readonly ActivityKind[];
  /** What the connector found out about this account and needs again; nobody else reads it. */
  readonly quirks?: Readonly<Record<string, string>>;
}

/** One row we want to stand in the CRM: one (deal, partner) under the model of record. */
export interface DesiredRow {
  /** `{surviving deal external id}:{our partner id}`. */
  readonly key: string;
  readonly partnerId: string;
  readonly partnerName: string;
  /** The partner's company in this CRM, to associate the row with; null when it has none here. */
  readonly partnerAccountExternalId: string | null;
  /** The company that the row was associated with when it was last written; absent or null: none that we know of. */
  readonly associatedAccountExternalId?: string | null;
  /** Percent with exactly two decimals, e.g. `33.34`; the rows of a deal sum to ≤ 100.00. */
  readonly sharePercent: DecimalText;
  /** In `currency`; null when the deal has no amount. */
  readonly amount: DecimalText | null;
  readonly currency: string | null;
  readonly role: 'sourced' | 'influenced';
  readonly model: string;
  readonly state: 'projected' | 'earned' | 'lost' | 'blocked';
  readonly reason: string;
  readonly computedAt: Instant;
  readonly runId: string;
}
export interface DesiredDeal {
  readonly dealExternalId: string;
  readonly rows: readonly DesiredRow[];
  /** Keys of rows of ours that must go, with the CRM's row id where we know it. */
  readonly retire: readonly { readonly key: string; readonly crmRowId: string | null }[];
}
export interface RowOutcome {
  readonly dealExternalId: string;
  readonly key: string;
  readonly result:
    | { readonly status: 'written' | 'retired'; readonly crmRowId: string | null }
    | { readonly status: 'rejected'; readonly reason: string; readonly message: string }
    | { readonly status: 'later'; readonly afterMs: number; readonly message: string };
}
/** What the CRM holds of ours for a deal, in the same words as `DesiredRow`. */
export interface WrittenCredit {
  readonly dealExternalId: string;
  readonly key: string;
  readonly crmRowId: string | null;
  readonly sharePercent: DecimalText | null;
  readonly amount: DecimalText | null;
  readonly role: string | null;
  readonly model: string | null;
  readonly state: string | null;
}

/** The rung of the capability ladder that this account allows, and what is missing. */
export interface SchemaState {
  readonly rung: 'custom_object' | 'deal_fields' | 'none';
  /** Changes when the schema changes: a rejected row is tried again then. */
  readonly version: string;
  /** Opaque to callers, handed back to `write` and `readBack`. */
  readonly handle: Readonly<Record<string, string>>;
  readonly findings: readonly Finding[];
}
export interface SubscriptionState {
  readonly ok: boolean;
  readonly findings: readonly Finding[];
}
/** Something an admin can act on: what is wrong, and how to mend it. */
export interface Finding {
  readonly severity: 'error' | 'warning' | 'info';
  readonly code: string;
  readonly message: string;
  readonly fix: string;
}

/** What a connector is given; it makes nothing of this itself. */
export interface ConnectorContext {
  /** A usable access token; `refused` = the CRM said 401 to the last one. May throw ReconnectNeeded. */
  token(options?: { readonly refused?: string }): Promise<string>;
  /** Waits until `cost` calls of this bucket may be made; holds across processes. */
  budget(bucket: string, cost: number, signal: AbortSignal): Promise<void>;
  readonly clock: { now(): Date; sleep(ms: number, signal?: AbortSignal): Promise<void> };
  readonly baseUrl: string;
  /** Told about every finished call, for metrics. */
  onCall(call: {
    readonly operation: string;
    readonly outcome: 'ok' | 'retry' | 'rejected' | 'failed';
    readonly ms: number;
  }): void;
  /** Facts of the account as last described; readers need pipelines and currencies. */
  readonly facts: AccountFacts | null;
  /** Deal properties that the admin says name a partner. */
  readonly partnerFields: readonly string[];
  /** The rung and names that `ensureSchema` last found; null before. */
  readonly schema: SchemaState | null;
}

/** Talks to one connection; worker side only. */
export interface Connector {
  describeAccount(signal: AbortSignal): Promise<AccountFacts>;
  /** Full read of one kind, in any order, resumable per page. `archived` rows come as `missing`. */
  list(kind: RecordKind, cursor: Cursor | null, signal: AbortSignal): AsyncIterable<Page>;
  /** What changed since `since` (inclusive, at least once), up to now minus the CRM's own index lag. */
  changes(kind: RecordKind, since: Instant, signal: AbortSignal): AsyncIterable<ChangesPage>;
  /** Every live id, for reconciliation; `version` is the CRM's modification instant. */
  ids(
    kind: RecordKind,
    signal: AbortSignal,
  ): AsyncIterable<readonly { externalId: string; version: Instant }[]>;
  /** Present truth by id, batched; a ref that is not there comes back `missing`, never left out. */
  fetch(refs: readonly RecordRef[], signal: AbortSignal): Promise<readonly Snapshot[]>;
  ensureSchema(signal: AbortSignal): Promise<SchemaState>;
  ensureSubscriptions(signal: AbortSignal): Promise<SubscriptionState>;
  write(deals: readonly DesiredDeal[], signal: AbortSignal): Promise<readonly RowOutcome[]>;
  readBack(dealExternalIds: readonly string[], signal: AbortSignal): Promise<readonly WrittenCredit[]>;
  preflight(signal: AbortSignal): Promise<readonly Finding[]>;
  /** Our rows or fields, our subscriptions, the grant. `traces: false` leaves rows and fields standing. */
  remove(options: { readonly traces: boolean }, signal: AbortSignal): Promise<void>;
}
export interface ChangesPage {
  readonly snapshots: readonly Snapshot[];
  /** Every change up to here has been seen; the next call may start here (with lookback). */
  readonly completeUntil: Instant | null;
}

// ── the edge ─────────────────────────────────────────────────────────────────────────────────────────────────

/** A request as it came: method, the public URL it was sent to, headers in lower case, raw bytes as text. */
export interface RawRequest {
  readonly method: string;
  /** Our configured public base + original path and query, undecoded. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}
export type Verdict = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** A hint that something changed. One POST may carry several accounts. */
export interface ChangeNotice {
  /** SHA-256 (hex) of the canonical event without its attempt counter. */
  readonly deliveryKey: string;
  readonly accountExternalId: string;
  /** Records to look at again. Empty: an event we skip on purpose. */
  readonly refs: readonly RecordRef[];
  /** The CRM says that this came from our own integration: dropped, nothing to look at. */
  readonly echo: boolean;
  /** A contact's personal data must be erased. */
  readonly erase: boolean;
  readonly occurredAt: Instant;
}
export interface CardCaller {
  readonly accountExternalId: string;
  readonly userExternalId: string;
  /** From the query, not signed as belonging to the account: the caller must check it. */
  readonly recordRef: RecordRef | null;
}

/** Pure; fetch + WebCrypto only; runs on Node and on Workers. */
export interface EdgeSource {
  readonly provider: Provider;
  verify(request: RawRequest, secrets: readonly string[], now: Date): Promise<Verdict>;
  /** Throws `BadNotice` when the body is not what this CRM sends. */
  parse(body: string): Promise<readonly ChangeNotice[]>;
  verifyCard(
    request: RawRequest,
    secrets: readonly string[],
    now: Date,
  ): Promise<
    { readonly ok: true; readonly caller: CardCaller } | { readonly ok: false; readonly reason: string }
  >;
  /** Where a person opens this record in the CRM. */
  recordUrl(facts: Pick<AccountFacts, 'recordBaseUrl'>, ref: RecordRef): string;
}
export class BadNotice extends Error {
  override readonly name = 'BadNotice';
}

// ── OAuth ────────────────────────────────────────────────────────────────────────────────────────────────────

export interface TokenSet {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresAt: Instant;
  readonly accountExternalId: string;
  readonly userExternalId: string | null;
  readonly scopes: readonly string[];
}
export interface OAuthApp {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly redirectUrl: string;
}
/** fetch only. Failures: ReconnectNeeded (grant revoked), Misconfigured (our app), RetryLater (passing). */
export interface OAuthProvider {
  readonly scopes: { readonly required: readonly string[]; readonly optional: readonly string[] };
  authorizeUrl(app: OAuthApp, state: string, codeChallenge: string): string;
  exchange(app: OAuthApp, code: string, codeVerifier: string, now: Date): Promise<TokenSet>;
  refresh(app: OAuthApp, refreshToken: string, now: Date): Promise<TokenSet>;
  revoke(app: OAuthApp, refreshToken: string): Promise<void>;
}
