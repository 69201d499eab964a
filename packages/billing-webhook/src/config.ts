/** Stripe's variables. Optional: all unset, Stripe is not configured; half set, every problem is told. */
import { z } from 'zod';

import { defineConfig, splitList } from '@floyo/shared/config';
import { httpUrl } from '@floyo/shared/schemas';

export const stripeKey = z.string().regex(/^(sk|rk)_(live|test)_\w+$/, {
  error: 'must look like sk_live_…, rk_live_…, sk_test_… or rk_test_…',
});

/** A comma list of at least one secret. */
export const webhookSecrets = z
  .string()
  .transform(splitList)
  .refine((secrets) => secrets.length > 0 && secrets.every((secret) => secret.startsWith('whsec_')), {
    error: 'must look like whsec_…',
  });

export const stripeConfig = defineConfig({
  optional: true,
  variables: {
    STRIPE_SECRET_KEY: {
      description: 'secret or restricted key of the Stripe account',
      secret: true,
      schema: stripeKey,
    },
    STRIPE_WEBHOOK_SECRET: {
      description: "the webhook endpoint's signing secret; a comma list while rotating",
      secret: true,
      schema: webhookSecrets.optional(),
    },
    STRIPE_BASE_URL: {
      description: "where Stripe's API is; unset: https://api.stripe.com",
      schema: httpUrl.default('https://api.stripe.com'),
    },
  },
  build: (values) => ({
    secretKey: values.STRIPE_SECRET_KEY,
    webhookSecrets: values.STRIPE_WEBHOOK_SECRET ?? [],
    baseUrl: values.STRIPE_BASE_URL,
  }),
});

/** The mode that a key works in; the objects and events of the other mode are refused. */
export function isLive(secretKey: string): boolean {
  return /^[sr]k_live_/.test(secretKey);
}
