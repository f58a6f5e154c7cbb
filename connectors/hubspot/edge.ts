import { z } from 'zod';
import type { CardCaller, ChangeNotice, EdgeSource, RawRequest, RecordRef, Verdict } from '../connector.ts';
import { BadNotice } from '../connector.ts';
import { OBJECT_TYPE_IDS, toKind } from './kinds.ts';

const MAX_EVENTS = 100;
const MAX_SKEW_MS = 300_000;

/** HubSpot documents nearly every field as optional; what we do not name still counts for the delivery key. */
const IdSchema = z.union([z.string(), z.number()]).transform(String);
const EventSchema = z.object({
  subscriptionType: z.string().min(1),
  portalId: IdSchema,
  occurredAt: z.number().nonnegative().nullish(),
  objectId: IdSchema.nullish(),
  objectTypeId: IdSchema.nullish(),
  changeSource: z.string().nullish(),
  sourceId: IdSchema.nullish(),
  primaryObjectId: IdSchema.nullish(),
  mergedObjectIds: z.array(IdSchema).nullish(),
  newObjectId: IdSchema.nullish(),
  associationType: z.string().nullish(),
  fromObjectTypeId: IdSchema.nullish(),
  toObjectTypeId: IdSchema.nullish(),
  fromObjectId: IdSchema.nullish(),
  toObjectId: IdSchema.nullish(),
});
type HubSpotEvent = z.infer<typeof EventSchema>;

/** Lower-case hex of a text's SHA-256. */
export type Sha256Hex = (text: string) => string | Promise<string>;

/**
 * HubSpot's webhooks and card calls. Pure; WebCrypto only.
 * @param settings `appId`: our app, to recognise echoes of our own writes; without it none is recognised. `sha256Hex`: a
 * faster hash than WebCrypto's, whose hundred round trips to its threads are most of what a delivery costs on Node.
 */
export function createHubSpotEdge(
  settings: { readonly appId?: string; readonly sha256Hex?: Sha256Hex } = {},
): EdgeSource {
  return {
    provider: 'hubspot',
    verify: verifySignature,
    parse: (body) => parseEvents(body, settings.appId ?? null, settings.sha256Hex ?? digestHex),
    verifyCard: async (request, secrets, now) => {
      const verdict = await verifySignature(request, secrets, now);
      if (!verdict.ok) return verdict;
      const caller = readCaller(request.url);
      return caller === null ? { ok: false, reason: 'no_caller' } : { ok: true, caller };
    },
    recordUrl: (facts, { kind, externalId }) =>
      `${facts.recordBaseUrl}/record/${OBJECT_TYPE_IDS[kind]}/${encodeURIComponent(externalId)}`,
  };
}

/**
 * Signature v3: base64(HMAC-SHA256(client secret, method + URI + raw body + timestamp)), the timestamp in
 * milliseconds and at most five minutes off in either direction. Several secrets: rotation.
 */
async function verifySignature(request: RawRequest, secrets: readonly string[], now: Date): Promise<Verdict> {
  const signature = request.headers['x-hubspot-signature-v3'];
  const timestamp = request.headers['x-hubspot-request-timestamp'];
  if (signature === undefined || signature === '') return { ok: false, reason: 'no_signature' };
  if (timestamp === undefined || !/^\d{13}$/.test(timestamp)) return { ok: false, reason: 'bad_timestamp' };
  if (Math.abs(now.getTime() - Number(timestamp)) > MAX_SKEW_MS)
    return { ok: false, reason: 'stale_timestamp' };
  const given = decodeBase64(signature);
  if (given === null) return { ok: false, reason: 'bad_signature' };
  const signed = new TextEncoder().encode(request.method + decodeUri(request.url) + request.body + timestamp);
  for (const secret of secrets) {
    if (secret === '') continue;
    const usage = { name: 'HMAC', hash: 'SHA-256' };
    const key = await crypto.subtle.importKey('raw', new TextEncoder().encode(secret), usage, false, [
      'verify',
    ]);
    // `verify` compares in constant time.
    if (await crypto.subtle.verify('HMAC', key, given, signed)) return { ok: true };
  }
  return { ok: false, reason: 'bad_signature' };
}

/** HubSpot signs the URI with exactly these escapes decoded; not %20, %26 or %3D. */
function decodeUri(url: string): string {
  return url.replace(/%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)/gi, (escaped) => decodeURIComponent(escaped));
}

/** SHA-256 in base64 is 43 characters and one `=`; anything else is no signature. */
function decodeBase64(text: string): Uint8Array<ArrayBuffer> | null {
  if (!/^[A-Za-z0-9+/]{43}=$/.test(text)) return null;
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

async function parseEvents(
  body: string,
  appId: string | null,
  sha256Hex: Sha256Hex,
): Promise<readonly ChangeNotice[]> {
  let json: unknown;
  try {
    json = JSON.parse(body);
    if (holdsLongNumber(json)) json = JSON.parse(body, keepLongNumbers);
  } catch (cause) {
    throw new BadNotice('The body is not JSON.', { cause });
  }
  if (!Array.isArray(json) || json.length === 0 || json.length > MAX_EVENTS) {
    throw new BadNotice(`The body is not a list of 1 to ${MAX_EVENTS} events.`);
  }
  const events = json.map(toEvent);
  const keys = await Promise.all(json.map((raw: unknown) => sha256Hex(toCanonicalText(raw))));
  return events.map((event, at) => toNotice(event, keys[at] ?? '', appId));
}

function holdsLongNumber(value: unknown): boolean {
  if (typeof value === 'number') return !Number.isSafeInteger(value);
  return typeof value === 'object' && value !== null && Object.values(value).some(holdsLongNumber);
}

/** An id above 2^53 would be rounded, and two different events would get one key. Slow: for bodies with such a number only. */
function keepLongNumbers(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source;
  return typeof value === 'number' && !Number.isSafeInteger(value) && source && /^-?\d+$/.test(source)
    ? source
    : value;
}

function toEvent(raw: unknown): HubSpotEvent {
  const parsed = EventSchema.safeParse(raw);
  if (parsed.success) return parsed.data;
  throw new BadNotice('An event does not have the documented shape.', { cause: parsed.error });
}

function toNotice(event: HubSpotEvent, deliveryKey: string, appId: string | null): ChangeNotice {
  const echo = isEcho(event, appId);
  return {
    deliveryKey,
    accountExternalId: event.portalId,
    refs: echo ? [] : toRefs(event),
    echo,
    erase: event.subscriptionType === 'contact.privacyDeletion',
    // Only measures how late we are; an event without a time is as good a hint as any other.
    occurredAt: new Date(event.occurredAt ?? 0).toISOString(),
  };
}

function isEcho(event: HubSpotEvent, appId: string | null): boolean {
  if (appId === null || event.changeSource !== 'INTEGRATION') return false;
  return event.sourceId === appId || event.sourceId === `appId:${appId}`;
}

/** `eventId` is not unique and `attemptNumber` counts deliveries: the key is all the rest. */
function toCanonicalText(raw: unknown): string {
  const { attemptNumber: _, ...event } = raw as Record<string, unknown>;
  return canonicalJson(event);
}

async function digestHex(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** JSON with the keys of every object sorted: the same event gives the same text in whatever order it was written. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(sortKeys(value));
}

function sortKeys(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(sortKeys);
  const record = value as Readonly<Record<string, unknown>>;
  const sorted: Record<string, unknown> = Object.create(null);
  for (const name of Object.keys(record).sort()) sorted[name] = sortKeys(record[name]);
  return sorted;
}

/** Records to look at again; none for what we do not read (tickets, products, conversations …). */
function toRefs(event: HubSpotEvent): readonly RecordRef[] {
  const dot = event.subscriptionType.indexOf('.');
  const family = event.subscriptionType.slice(0, dot);
  const happened = event.subscriptionType.slice(dot + 1);
  if (happened === 'associationChange') return toAssociationRefs(event);
  const kind = family === 'object' ? toKind(event.objectTypeId ?? '') : toKind(family);
  if (kind === null) return [];
  const ids =
    happened === 'merge'
      ? [event.primaryObjectId, ...(event.mergedObjectIds ?? []), event.newObjectId, event.objectId]
      : [event.objectId];
  return [...new Set(ids.flatMap((id) => id ?? []))].map((externalId) => ({ kind, externalId }));
}

/** Old events say `DEAL_TO_COMPANY`, those of `object.*` name both types. */
function toAssociationRefs(event: HubSpotEvent): readonly RecordRef[] {
  const [from = '', to = ''] =
    event.fromObjectTypeId && event.toObjectTypeId
      ? [event.fromObjectTypeId, event.toObjectTypeId]
      : (event.associationType ?? '').split('_TO_');
  const ends = [toRef(from, event.fromObjectId), toRef(to, event.toObjectId)].flatMap((end) => end ?? []);
  // A company holds nothing about the deals, people and activities on it: reading it again would tell nothing.
  const telling = ends.filter((end) => end.kind !== 'account');
  return telling.length > 0 ? telling : ends;
}

function toRef(objectType: string, externalId: string | null | undefined): RecordRef | null {
  const kind = toKind(objectType);
  return kind === null || !externalId ? null : { kind, externalId };
}

/**
 * HubSpot's proxy appends `portalId` and `userId` to the URL that it signs. A name given twice means that
 * somebody put their own before HubSpot's: refused.
 */
function readCaller(url: string): CardCaller | null {
  if (!URL.canParse(url)) return null;
  const query = new URL(url).searchParams;
  const single = (name: string) => {
    const values = query.getAll(name);
    return values.length === 1 && /^\d+$/.test(values[0] ?? '') ? (values[0] ?? null) : null;
  };
  const accountExternalId = single('portalId');
  const userExternalId = single('userId');
  if (accountExternalId === null || userExternalId === null) return null;
  const recordId = single('dealId') ?? single('objectId');
  const kind = query.has('dealId') ? 'deal' : toKind(query.get('objectTypeId') ?? '0-3');
  return {
    accountExternalId,
    userExternalId,
    recordRef: recordId === null || kind === null ? null : { kind, externalId: recordId },
  };
}
