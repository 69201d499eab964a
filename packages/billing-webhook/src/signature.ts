/**
 * Stripe's signature of a delivery, checked with WebCrypto alone, so that Node and the edge run the same code.
 * https://docs.stripe.com/webhooks#verify-manually
 */

/** What a delivery may differ from now, in either direction; each retry is signed anew. */
export const TOLERANCE_SECONDS = 300;
/** While a secret is rolled there are two; the header is no place to make the server compute. */
const MAX_SIGNATURES = 8;

/** Verifies `Stripe-Signature: t=<seconds>,v1=<hex>[,v1=<hex>…]` over the raw body. */
export type Verify = (header: string, body: Uint8Array<ArrayBuffer>, nowMs: number) => Promise<boolean>;

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
    const parsed = parseHeader(header);
    if (parsed === undefined || Math.abs(nowMs / 1000 - Number(parsed.time)) > TOLERANCE_SECONDS)
      return false;
    const prefix = encoder.encode(`${parsed.time}.`);
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

/** Undefined for a header that no delivery has: two times (a header sent twice), none, or too many signatures. */
function parseHeader(header: string): { time: string; signatures: Uint8Array<ArrayBuffer>[] } | undefined {
  const parts = header.split(',').map((part) => part.trim().split('='));
  const times = parts.filter(([name]) => name === 't');
  // Other schemes (v0) are of no worth: whoever could choose the scheme would choose the weakest.
  const signatures = parts.filter(([name]) => name === 'v1').map(([, value = '']) => fromHex(value));
  const time = times[0]?.[1] ?? '';
  if (times.length !== 1 || !/^\d{1,12}$/.test(time) || signatures.length > MAX_SIGNATURES) return undefined;
  const known = signatures.filter((signature) => signature !== undefined);
  return known.length === 0 ? undefined : { time, signatures: known };
}

function fromHex(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[0-9a-f]{64}$/i.test(text)) return undefined;
  return Uint8Array.from({ length: 32 }, (_, index) =>
    Number.parseInt(text.slice(index * 2, index * 2 + 2), 16),
  );
}
