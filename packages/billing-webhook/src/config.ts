/** Stripe's variables. Optional: all unset, Stripe is not configured; half set, every problem is told. */
import { z } from 'zod';

import { defineConfig, splitList } from '@floyo/shared/config';
import { httpUrl } from '@floyo/shared/schemas';

export const stripeConfig = defineConfig({
  optional: true,
  variables: {
    STRIPE_SECRET_KEY: {
      description: 'secret or restricted key of the Stripe account',
      secret: true,
      schema: z.string().regex(/^(sk|rk)_(live|test)_\w+$/, {
        error: 'must look like sk_live_…, rk_live_…, sk_test_… or rk_test_…',
      }),
    },
    STRIPE_WEBHOOK_SECRET: {
      description: "the webhook endpoint's signing secret; a comma list while rotating",
      secret: true,
      schema: z
        .string()
        .transform(splitList)
        .refine((secrets) => secrets.every((secret) => secret.startsWith('whsec_')), {
          error: 'must look like whsec_…',
        })
        .optional(),
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
