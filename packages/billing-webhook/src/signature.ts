/**
 * Stripe's signature of a delivery. https://docs.stripe.com/webhooks#verify-manually
 * WebCrypto computes it wherever the handler runs; Node's own is quicker there (`signature-node.ts`).
 */

/** What a delivery may differ from now, in either direction; each retry is signed anew. */
export const TOLERANCE_SECONDS = 300;
/** While a secret is rolled there are two; the header is no place to make the server compute. */
const MAX_SIGNATURES = 8;

/** Verifies `Stripe-Signature: t=<seconds>,v1=<hex>[,v1=<hex>…]` over the raw body. */
export type Verify = (
  header: string,
  body: Uint8Array<ArrayBuffer>,
  nowMs: number,
) => boolean | Promise<boolean>;

/** A verifier for the secrets of one endpoint: any of them counts. Keys are made once. */
export function createVerifier(secrets: readonly string[]): Verify {
  const encoder = new TextEncoder();
  const keys = Promise.all(
    secrets.map((secret) =>
      crypto.subtle.importKey('raw', encoder.encode(secret), { name: 'HMAC', hash: 'SHA-256' }, false, [
        'verify',
      ]),
    ),
  );
  keys.catch(() => undefined);
  return async (header, body, nowMs) => {
    const parsed = parseSignature(header, nowMs);
    if (parsed === undefined) return false;
    const prefix = encoder.encode(parsed.prefix);
    const signed = new Uint8Array(prefix.length + body.length);
    signed.set(prefix);
    signed.set(body, prefix.length);
    for (const key of await keys)
      for (const signature of parsed.signatures)
        // Compares in constant time.
        if (await crypto.subtle.verify('HMAC', key, signature, signed)) return true;
    return false;
  };
}

export interface ParsedSignature {
  /** What is signed before the body. */
  readonly prefix: string;
  readonly signatures: readonly Uint8Array<ArrayBuffer>[];
}

/** Undefined for a header that no delivery of now has: two times (a header sent twice), none, too many signatures. */
export function parseSignature(header: string, nowMs: number): ParsedSignature | undefined {
  const parts = header.split(',').map((part) => part.trim().split('='));
  const times = parts.filter(([name]) => name === 't');
  // Other schemes (v0) are of no worth: whoever could choose the scheme would choose the weakest.
  const values = parts.filter(([name]) => name === 'v1').map(([, value = '']) => value);
  const time = times[0]?.[1] ?? '';
  if (times.length !== 1 || !/^\d{1,12}$/.test(time) || values.length > MAX_SIGNATURES) return undefined;
  if (Math.abs(nowMs / 1000 - Number(time)) > TOLERANCE_SECONDS) return undefined;
  const signatures = values.flatMap((value) => fromHex(value) ?? []);
  return signatures.length === 0 ? undefined : { prefix: `${time}.`, signatures };
}

function fromHex(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[0-9a-f]{64}$/i.test(text)) return undefined;
  return Uint8Array.from({ length: 32 }, (_, index) =>
    Number.parseInt(text.slice(index * 2, index * 2 + 2), 16),
  );
}
