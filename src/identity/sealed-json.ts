import { z } from 'zod';
import type { SealedSecret } from '../platform/crypto.ts';

const Base64 = z
  .base64()
  .transform((text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0)));
const SealedSchema = z.object({ kekVersion: z.string(), wrappedKey: Base64, iv: Base64, ciphertext: Base64 });

/** A sealed secret as a jsonb column holds it: bytes in base64. */
export type SealedJson = z.input<typeof SealedSchema>;

export function toSealedJson(sealed: SealedSecret): SealedJson {
  return {
    kekVersion: sealed.kekVersion,
    wrappedKey: toBase64(sealed.wrappedKey),
    iv: toBase64(sealed.iv),
    ciphertext: toBase64(sealed.ciphertext),
  };
}

/** @throws ZodError when the column holds something else: our own bug. */
export function fromSealedJson(value: unknown): SealedSecret {
  return SealedSchema.parse(value);
}

const toBase64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));
