/**
 * Seals a secret for the database: AES-256-GCM under a key that only the environment knows. What it is about is part of
 * the seal, so that one shop's can't be put in the place of another's.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const ALGORITHM = 'aes-256-gcm';
const VERSION = 'v1';
const IV_BYTES = 12;

/** @param key 32 bytes as hexadecimal digits; @param about e.g. the shop */
export function seal(secret: string, key: string, about: string): string {
  // A nonce must never come twice under a key: no seeded randomness here.
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(ALGORITHM, Buffer.from(key, 'hex'), iv).setAAD(Buffer.from(about));
  const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
  return [VERSION, ...[iv, cipher.getAuthTag(), sealed].map((part) => part.toString('base64url'))].join('.');
}

/** The secret, or undefined when it was sealed under another key, about something else, or was changed. */
export function unseal(text: string, key: string, about: string): string | undefined {
  const [version, iv, tag, sealed] = text.split('.');
  if (version !== VERSION || iv === undefined || tag === undefined || sealed === undefined) return undefined;
  try {
    const decipher = createDecipheriv(ALGORITHM, Buffer.from(key, 'hex'), Buffer.from(iv, 'base64url'))
      .setAAD(Buffer.from(about))
      .setAuthTag(Buffer.from(tag, 'base64url'));
    return Buffer.concat([decipher.update(Buffer.from(sealed, 'base64url')), decipher.final()]).toString(
      'utf8',
    );
  } catch {
    return undefined;
  }
}
