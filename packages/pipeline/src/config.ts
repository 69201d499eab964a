/** The pipeline's own variables: database, reporting, alerts, and the knobs of tests and operations. */
import { Temporal } from 'temporal-polyfill';
import { z } from 'zod';

import { defineConfig } from '@floyo/shared/config';
import { floyoHome } from '@floyo/shared/paths';
import { databaseUrl, httpUrl } from '@floyo/shared/schemas';
import { isTimezone } from '@floyo/shared/window';

const CURRENCIES = new Set(Intl.supportedValuesOf('currency'));

export const pipelineConfig = defineConfig({
  optional: false,
  variables: {
    DATABASE_URL: {
      description: 'Postgres, direct or session-mode connection; unset: the embedded Postgres in .floyo/',
      secret: true,
      example: 'postgresql://postgres.<project>:<password>@<region>.pooler.supabase.com:5432/postgres',
      schema: databaseUrl.optional(),
    },
    REPORTING_TIMEZONE: {
      description: 'the time zone of business days, an IANA name',
      example: 'Europe/Berlin',
      schema: z
        .string()
        .refine(isTimezone, { error: 'is no time zone name such as Europe/Berlin or UTC' })
        .default('UTC'),
    },
    REPORTING_CURRENCY: {
      description: 'the currency of metrics, an ISO 4217 code',
      example: 'EUR',
      schema: z
        .string()
        .refine((code) => CURRENCIES.has(code), { error: 'is no ISO 4217 currency code such as USD or EUR' })
        .default('USD'),
    },
    ALERT_WEBHOOK_URL: {
      description: 'Slack-compatible webhook that a failed or partial run posts to',
      secret: true,
      schema: httpUrl.optional(),
    },
    FLOYO_NOW: {
      description: 'an instant to take for now: tests, replays',
      schema: z
        .string()
        .refine(isInstant, { error: 'must be an instant such as 2026-11-21T09:00:00Z' })
        .optional(),
    },
    FLOYO_HOME: {
      description: 'where the embedded Postgres keeps its data; unset: .floyo in the repository',
      schema: z.string().default(floyoHome),
    },
    FLOYO_LOG_LEVEL: {
      description: 'how much is logged to standard error: silent, error, warn, info or debug',
      schema: z
        .enum(['silent', 'error', 'warn', 'info', 'debug'], {
          error: 'must be silent, error, warn, info or debug',
        })
        .optional(),
    },
    FLOYO_RETRY_BASE_MS: {
      description: 'the pause before the first retry, in milliseconds; it doubles each time',
      schema: milliseconds(1_000),
    },
    FLOYO_WAIT_BUDGET_MS: {
      description:
        'how long an account may wait for its vendor in one run before it is paused, in milliseconds',
      schema: milliseconds(300_000),
    },
    FLOYO_RETENTION_DAYS: {
      description:
        'how many days the ledger keeps runs with their results and errors, and resolved rejects; data stay for ever',
      schema: z
        .string()
        .regex(/^[1-9]\d{1,4}$/, { error: 'must be a whole number of days, at least 10' })
        .transform(Number)
        .default(400),
    },
    FLOYO_EVENTS_RETENTION_MONTHS: {
      description:
        'how many whole months events and event_user_days keep besides the current one, at least 3; unset: all. Older ones leave the tables and stay on disk until `floyo retention drop`; metrics stay',
      example: '24',
      schema: z
        .string()
        .regex(/^([3-9]|[1-9]\d{1,2})$/, { error: 'must be a whole number of months, at least 3' })
        .transform(Number)
        .optional(),
    },
  },
  build: (values) => ({
    databaseUrl: values.DATABASE_URL,
    reporting: { timezone: values.REPORTING_TIMEZONE, currency: values.REPORTING_CURRENCY },
    alertWebhookUrl: values.ALERT_WEBHOOK_URL,
    now: values.FLOYO_NOW,
    home: values.FLOYO_HOME,
    logLevel: values.FLOYO_LOG_LEVEL,
    retentionDays: values.FLOYO_RETENTION_DAYS,
    eventsRetentionMonths: values.FLOYO_EVENTS_RETENTION_MONTHS,
    http: { retryBaseMs: values.FLOYO_RETRY_BASE_MS, waitBudgetMs: values.FLOYO_WAIT_BUDGET_MS },
  }),
});

function milliseconds(fallback: number) {
  return z
    .string()
    .regex(/^\d{1,7}$/, { error: 'must be a whole number of milliseconds' })
    .transform(Number)
    .default(fallback);
}

function isInstant(text: string): boolean {
  try {
    Temporal.Instant.from(text);
    return true;
  } catch {
    return false;
  }
}
