/** What people decided about metrics in this environment, as far as they did. */
import { z } from 'zod';

import { defineConfig, splitList } from '@floyo/shared/config';

import type { Assumptions } from './assumptions.ts';
import { PRODUCT_DEFAULTS } from './product/settings.ts';
import { DEFAULT_GROSS_MARGIN } from './registry/subscriptions.ts';

/** Those whose variables are set. */
export type GivenAssumptions = Partial<Assumptions>;

const eventName = z
  .string()
  .regex(/^[^\s,*]+$/, { error: 'must be the name of one event, such as workflow_created' });

export const metricsConfig = defineConfig({
  optional: false,
  variables: {
    METRICS_QUALIFYING_EVENTS: {
      description:
        'events that make a user active, a comma list: `*` stands for any text, a leading `-` leaves out',
      example: PRODUCT_DEFAULTS.qualifyingEvents.join(','),
      schema: z
        .string()
        .transform(splitList)
        .refine((names) => names.some((name) => !name.startsWith('-')), {
          error: 'must name at least one event that is not left out',
        })
        .optional(),
    },
    METRICS_SIGNUP_EVENT: {
      description: 'the event that makes a user signed up',
      example: PRODUCT_DEFAULTS.signupEvent,
      schema: eventName.optional(),
    },
    METRICS_ACTIVATION_EVENT: {
      description: 'the event that makes a user activated',
      example: PRODUCT_DEFAULTS.activationEvent,
      schema: eventName.optional(),
    },
    METRICS_GROSS_MARGIN: {
      description:
        'the share of subscription revenue left after what serving it costs, assumed by ltv_to_cac',
      example: DEFAULT_GROSS_MARGIN,
      schema: z
        .string()
        .regex(/^(0?\.\d{1,4}|1(\.0+)?)$/, {
          error: 'must be a share such as 0.8, over 0 and at most 1',
          abort: true,
        })
        .refine((share) => Number(share) > 0, { error: 'must be over 0' })
        .optional(),
    },
  },
  build: (values): GivenAssumptions => ({
    ...(values.METRICS_QUALIFYING_EVENTS && { qualifyingEvents: values.METRICS_QUALIFYING_EVENTS }),
    ...(values.METRICS_SIGNUP_EVENT && { signupEvent: values.METRICS_SIGNUP_EVENT }),
    ...(values.METRICS_ACTIVATION_EVENT && { activationEvent: values.METRICS_ACTIVATION_EVENT }),
    ...(values.METRICS_GROSS_MARGIN && { grossMargin: String(Number(values.METRICS_GROSS_MARGIN)) }),
  }),
});
