/** What people may decide about metrics: which events count as what, and what a projection assumes. */
import { z } from 'zod';

import { defineConfig, splitList } from '@floyo/shared/config';

import { PRODUCT_DEFAULTS, type ProductSettings } from './product/settings.ts';
import { DEFAULT_GROSS_MARGIN } from './registry/subscriptions.ts';

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
        .default(PRODUCT_DEFAULTS.qualifyingEvents.join(','))
        .transform(splitList)
        .refine((names) => names.some((name) => !name.startsWith('-')), {
          error: 'must name at least one event that is not left out',
        }),
    },
    METRICS_SIGNUP_EVENT: {
      description: 'the event that makes a user signed up',
      example: PRODUCT_DEFAULTS.signupEvent,
      schema: eventName.default(PRODUCT_DEFAULTS.signupEvent),
    },
    METRICS_ACTIVATION_EVENT: {
      description: 'the event that makes a user activated',
      example: PRODUCT_DEFAULTS.activationEvent,
      schema: eventName.default(PRODUCT_DEFAULTS.activationEvent),
    },
    METRICS_GROSS_MARGIN: {
      description:
        'the share of subscription revenue left after what serving it costs, assumed by ltv_to_cac',
      example: DEFAULT_GROSS_MARGIN,
      schema: z
        .string()
        .regex(/^(0?\.\d{1,4}|1(\.0+)?)$/, { error: 'must be a share such as 0.8, over 0 and at most 1' })
        .refine((share) => Number(share) > 0, { error: 'must be over 0' })
        .default(DEFAULT_GROSS_MARGIN),
    },
  },
  build: (values): { readonly product: ProductSettings; readonly grossMargin: string } => ({
    grossMargin: String(Number(values.METRICS_GROSS_MARGIN)),
    product: {
      qualifyingEvents: values.METRICS_QUALIFYING_EVENTS,
      signupEvent: values.METRICS_SIGNUP_EVENT,
      activationEvent: values.METRICS_ACTIVATION_EVENT,
    },
  }),
});
