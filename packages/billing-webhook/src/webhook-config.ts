/** What the webhook is told by the environment, on Node and on the edge: where events go, and which are taken. */
import { z } from 'zod';

import { type ConfigSection, defineConfig } from '@floyo/shared/config';
import type { ConfigProblem } from '@floyo/shared/errors';
import { databaseUrl, httpUrl } from '@floyo/shared/schemas';

import { isLive, stripeKey, webhookSecrets } from './config.ts';
import type { SupabaseAccess } from './store-supabase.ts';

export interface WebhookConfig {
  readonly port: number;
  /** Postgres itself where it can be reached, else Supabase's API. */
  readonly target: { readonly databaseUrl: string } | { readonly supabase: SupabaseAccess };
  readonly secrets: readonly string[];
  readonly livemode: boolean;
  readonly logLevel: string;
}

const OWN = {
  PORT: {
    description: 'where the Stripe webhook listens',
    schema: z
      .string()
      .refine((text) => /^\d{1,5}$/.test(text) && Number(text) <= 65_535, {
        error: 'must be a port number',
      })
      .transform(Number)
      .default(8787),
  },
  SUPABASE_URL: {
    description: 'the project, for the webhook where DATABASE_URL is unset: https://<project>.supabase.co',
    schema: httpUrl.optional(),
  },
  SUPABASE_SERVICE_ROLE_KEY: {
    description: "the project's service role key, with SUPABASE_URL",
    secret: true,
    schema: z.string().optional(),
  },
} as const;

/** The variables that nothing else reads, for `.env.example`. */
export const webhookVariables = defineConfig({ optional: true, variables: OWN, build: (values) => values });

export const webhookConfig: ConfigSection<WebhookConfig> = defineConfig({
  optional: false,
  variables: {
    ...OWN,
    DATABASE_URL: {
      description: 'Postgres, direct or session-mode connection',
      secret: true,
      schema: databaseUrl.optional(),
    },
    STRIPE_SECRET_KEY: {
      description:
        'secret or restricted key of the Stripe account: says whether live or test events are taken',
      secret: true,
      schema: stripeKey,
    },
    STRIPE_WEBHOOK_SECRET: {
      description: "the webhook endpoint's signing secret; a comma list while rotating",
      secret: true,
      schema: webhookSecrets,
    },
    FLOYO_LOG_LEVEL: {
      description: 'how much is logged to standard error: silent, error, warn, info or debug',
      schema: z.enum(['silent', 'error', 'warn', 'info', 'debug']).default('info'),
    },
  },
  build: (values): WebhookConfig | readonly ConfigProblem[] => {
    const {
      SUPABASE_URL: url,
      SUPABASE_SERVICE_ROLE_KEY: serviceRoleKey,
      DATABASE_URL: databaseUrl,
    } = values;
    const rest = {
      port: values.PORT,
      secrets: values.STRIPE_WEBHOOK_SECRET,
      livemode: isLive(values.STRIPE_SECRET_KEY),
      logLevel: values.FLOYO_LOG_LEVEL,
    };
    if (databaseUrl !== undefined) return { ...rest, target: { databaseUrl } };
    if (url !== undefined && serviceRoleKey !== undefined)
      return { ...rest, target: { supabase: { url, serviceRoleKey } } };
    const message =
      'is not set (Postgres, where events go), nor are SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY';
    return [{ variable: 'DATABASE_URL', message }];
  },
});
