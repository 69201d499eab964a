/** The verifier over Node's crypto: at once, where WebCrypto hands every delivery to a thread and waits for it. */
import { createHmac, timingSafeEqual } from 'node:crypto';

import { parseSignature, type Verify } from './signature.ts';

export function createNodeVerifier(secrets: readonly string[]): Verify {
  return (header, body, nowMs) => {
    const parsed = parseSignature(header, nowMs);
    if (parsed === undefined) return false;
    return secrets.some((secret) => {
      const expected = createHmac('sha256', secret).update(parsed.prefix).update(body).digest();
      return parsed.signatures.some((signature) => timingSafeEqual(signature, expected));
    });
  };
}
