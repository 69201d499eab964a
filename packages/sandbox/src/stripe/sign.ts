/** Signs a webhook's body as Stripe does. https://docs.stripe.com/webhooks#verify-manually */
import { createHmac } from 'node:crypto';

/** The `Stripe-Signature` header: one `v1` for each secret, and a `v0` that nobody may rely on. `at` is in epoch seconds. */
export function signBody(body: string, secrets: readonly string[], at: number): string {
  const sign = (secret: string) => createHmac('sha256', secret).update(`${at}.${body}`).digest('hex');
  const real = secrets.map((secret) => `v1=${sign(secret)}`);
  return [`t=${at}`, ...real, `v0=${sign('whsec_of_no_endpoint')}`].join(',');
}
