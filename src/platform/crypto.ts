/**
 * Secrets at rest, random tokens, API keys, PKCE. WebCrypto only: runs on Node and on Workers.
 */

export interface MasterKey {
  /** e.g. `v2`. */
  readonly version: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
}

/** Where a secret belongs. A ciphertext that is moved to another place does not open. */
export interface SecretPlace {
  readonly organizationId: string;
  readonly connectionId: string;
  readonly provider: string;
  /** e.g. `refresh_token`. */
  readonly field: string;
}

/** AES-256-GCM envelope: a data key of its own for every secret, wrapped by a master key. */
export interface SealedSecret {
  /** Version of the master key that wraps `wrappedKey`. */
  readonly kekVersion: string;
  /** 12 bytes iv, then the wrapped data key with its tag. */
  readonly wrappedKey: Uint8Array;
  readonly iv: Uint8Array;
  /** With its 16-byte tag at the end. */
  readonly ciphertext: Uint8Array;
}

/** Encrypts under the first master key. */
export async function sealSecret(
  keys: readonly MasterKey[],
  place: SecretPlace,
  plaintext: string,
): Promise<SealedSecret> {
  const master = firstKey(keys);
  const dataKey = randomBytes(32);
  const iv = randomBytes(IV_BYTES);
  return {
    kekVersion: master.version,
    wrappedKey: await wrapKey(master, place, dataKey),
    iv,
    ciphertext: await encrypt(dataKey, iv, bindTo(place), new TextEncoder().encode(plaintext)),
  };
}

/** @throws SecretUnreadable when the master key is not there, or place or bytes are not the sealed ones. */
export async function openSecret(
  keys: readonly MasterKey[],
  place: SecretPlace,
  sealed: SealedSecret,
): Promise<string> {
  const dataKey = await unwrapKey(keys, place, sealed);
  return new TextDecoder().decode(await decrypt(dataKey, sealed.iv, bindTo(place), sealed.ciphertext));
}

/**
 * The same secret under the first master key: only the data key is wrapped anew. Returns `sealed` itself when it is
 * under that key already.
 * @throws SecretUnreadable as `openSecret`.
 */
export async function rewrapSecret(
  keys: readonly MasterKey[],
  place: SecretPlace,
  sealed: SealedSecret,
): Promise<SealedSecret> {
  const master = firstKey(keys);
  if (sealed.kekVersion === master.version) return sealed;
  const dataKey = await unwrapKey(keys, place, sealed);
  return { ...sealed, kekVersion: master.version, wrappedKey: await wrapKey(master, place, dataKey) };
}

export class SecretUnreadable extends Error {
  override readonly name = 'SecretUnreadable';
}

/** Parses `v2:base64,v1:base64`. Returns what is wrong as a phrase ("must …") instead of throwing; it names no key. */
export function parseMasterKeys(text: string): readonly MasterKey[] | string {
  const keys: MasterKey[] = [];
  for (const entry of text.split(',')) {
    const [, version, base64] = /^(v\d+):([A-Za-z0-9+/]+=*)$/.exec(entry.trim()) ?? [];
    if (!version || !base64) return 'must be a list like v2:base64,v1:base64';
    const key = decodeBase64(base64);
    if (key?.length !== 32) return `must hold 32 bytes in base64 for ${version}`;
    if (keys.some((other) => other.version === version)) return `must not name ${version} twice`;
    keys.push({ version, key });
  }
  return keys;
}

/** A fresh entry for MASTER_KEYS: `vN:base64` of 32 random bytes. */
export function newMasterKey(version: string): string {
  return `${version}:${btoa(String.fromCharCode(...randomBytes(32)))}`;
}

export interface NewApiKey {
  /** Shown once, stored nowhere. */
  readonly text: string;
  /** Stored in the clear: finds the row, and lets a person tell keys apart. */
  readonly prefix: string;
  /** SHA-256 of `text`, hexadecimal: what is stored. */
  readonly hash: string;
}

/** `trb_<prefix>_<secret><checksum>`: 190 random bits; the checksum lets scanners and us refuse a mistyped key. */
export async function newApiKey(): Promise<NewApiKey> {
  const prefix = randomBase62(8);
  const body = `trb_${prefix}_${randomBase62(32)}`;
  const text = body + checksum(body);
  return { text, prefix, hash: await sha256Hex(text) };
}

/** Null when the text cannot be one of our keys: nothing needs to be looked up then. */
export async function parseApiKey(
  text: string,
): Promise<{ readonly prefix: string; readonly hash: string } | null> {
  const [, body, prefix, sum] = /^(trb_([0-9A-Za-z]{8})_[0-9A-Za-z]{32})([0-9A-Za-z]{6})$/.exec(text) ?? [];
  if (!body || !prefix || checksum(body) !== sum) return null;
  return { prefix, hash: await sha256Hex(text) };
}

/** PKCE (RFC 7636): 256 random bits and their S256 challenge. */
export async function newPkce(): Promise<{ readonly verifier: string; readonly challenge: string }> {
  const verifier = randomToken();
  return { verifier, challenge: await pkceChallenge(verifier) };
}

export async function pkceChallenge(verifier: string): Promise<string> {
  return toBase64Url(await sha256(verifier));
}

/** Base64url of so many random bytes; 32 bytes are 43 characters. */
export function randomToken(bytes = 32): string {
  return toBase64Url(randomBytes(bytes));
}

export async function sha256Hex(input: string | Uint8Array): Promise<string> {
  return Array.from(await sha256(input), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export async function sha256Base64Url(input: string | Uint8Array): Promise<string> {
  return toBase64Url(await sha256(input));
}

/** Takes as long for a wrong guess as for a right one of the same length. */
export function equalInConstantTime(left: string | Uint8Array, right: string | Uint8Array): boolean {
  const [a, b] = [toBytes(left), toBytes(right)];
  let difference = a.length ^ b.length;
  for (let at = 0; at < a.length; at++) difference |= (a[at] ?? 0) ^ (b[at % b.length] ?? 0);
  return difference === 0;
}

/** NIST SP 800-38D: 96-bit random iv. */
const IV_BYTES = 12;
const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

type Bytes = Uint8Array<ArrayBuffer>;

/** Additional data: what a ciphertext is bound to. The key version binds the wrapping, so that rewrap leaves the text. */
function bindTo(place: SecretPlace, kekVersion: string | null = null): Bytes {
  const { organizationId, connectionId, provider, field } = place;
  return new TextEncoder().encode(
    JSON.stringify([organizationId, connectionId, provider, field, kekVersion]),
  );
}

async function wrapKey(master: MasterKey, place: SecretPlace, dataKey: Bytes): Promise<Bytes> {
  const iv = randomBytes(IV_BYTES);
  const wrapped = await encrypt(master.key, iv, bindTo(place, master.version), dataKey);
  return new Uint8Array([...iv, ...wrapped]);
}

async function unwrapKey(
  keys: readonly MasterKey[],
  place: SecretPlace,
  sealed: SealedSecret,
): Promise<Bytes> {
  const master = keys.find(({ version }) => version === sealed.kekVersion);
  if (!master) {
    const held = keys.map(({ version }) => version).join(', ');
    throw new SecretUnreadable(
      `The secret is sealed under ${sealed.kekVersion}; MASTER_KEYS holds ${held || 'none'}.`,
    );
  }
  const iv = sealed.wrappedKey.subarray(0, IV_BYTES);
  return decrypt(master.key, iv, bindTo(place, master.version), sealed.wrappedKey.subarray(IV_BYTES));
}

async function encrypt(key: Uint8Array, iv: Bytes, additionalData: Bytes, plain: Bytes): Promise<Bytes> {
  const aes = await crypto.subtle.importKey('raw', new Uint8Array(key), 'AES-GCM', false, ['encrypt']);
  return new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData }, aes, plain));
}

async function decrypt(
  key: Uint8Array,
  iv: Uint8Array,
  additionalData: Bytes,
  sealed: Uint8Array,
): Promise<Bytes> {
  try {
    const aes = await crypto.subtle.importKey('raw', new Uint8Array(key), 'AES-GCM', false, ['decrypt']);
    const algorithm = { name: 'AES-GCM', iv: new Uint8Array(iv), additionalData };
    return new Uint8Array(await crypto.subtle.decrypt(algorithm, aes, new Uint8Array(sealed)));
  } catch (cause) {
    throw new SecretUnreadable(
      'The secret does not open: its bytes were changed, or it belongs to another row.',
      { cause },
    );
  }
}

function firstKey(keys: readonly MasterKey[]): MasterKey {
  const [first] = keys;
  if (!first) throw new SecretUnreadable('MASTER_KEYS holds no key.');
  return first;
}

function randomBytes(count: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(count));
}

/** Every character equally likely: bytes from 248 on would favour the first ones. */
function randomBase62(length: number): string {
  let text = '';
  while (text.length < length)
    for (const byte of randomBytes(length)) if (byte < 248 && text.length < length) text += BASE62[byte % 62];
  return text;
}

/** CRC-32 (IEEE 802.3) in six base62 digits. */
function checksum(text: string): string {
  let crc = 0xffffffff;
  for (const byte of new TextEncoder().encode(text)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  let rest = ~crc >>> 0;
  let digits = '';
  for (let place = 0; place < 6; place++) {
    digits = BASE62[rest % 62] + digits;
    rest = Math.floor(rest / 62);
  }
  return digits;
}

async function sha256(input: string | Uint8Array): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', toBytes(input)));
}

function toBytes(input: string | Uint8Array): Bytes {
  return typeof input === 'string' ? new TextEncoder().encode(input) : new Uint8Array(input);
}

function toBase64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '');
}

function decodeBase64(text: string): Bytes | null {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}
