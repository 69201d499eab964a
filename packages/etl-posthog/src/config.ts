/** The environment variables of the PostHog source: their shapes and what people read when one is wrong. */
import { z } from 'zod';

import { defineConfig, splitList } from '@floyo/shared/config';
import { httpUrl, tokenText } from '@floyo/shared/schemas';

import { eventMatcher } from './hogql.ts';

export interface PostHogConfig {
  /** The app's address, without a slash at the end. */
  readonly host: string;
  readonly projectId: string;
  readonly personalApiKey: string;
  /** Events that are kept one by one: names, `*` standing for any text. */
  readonly rawEvents: readonly string[];
  /** Properties of single events that are kept. */
  readonly properties: readonly string[];
}

const RAW_EVENTS = [
  'signup',
  'workflow_created',
  'upgrade',
  'suggestion_*',
  'experiment_exposed',
  '$feature_flag_called',
  'email_*',
];
const PROPERTIES = [
  ...['suggestion_id', 'workflow_id', 'plan', 'email_id', 'campaign', 'is_bot'],
  ...['experiment', 'variant', '$feature_flag', '$feature_flag_response'],
];

const names = (fallback: readonly string[], shape: RegExp, what: string) =>
  z
    .string()
    .default(fallback.join(','))
    .transform(splitList)
    .refine((list) => list.length > 0 && list.every((name) => shape.test(name)), {
      error: `must be a comma list of ${what}`,
    });

export const posthogConfig = defineConfig({
  optional: true,
  variables: {
    POSTHOG_HOST: {
      schema: httpUrl
        .refine((url) => !URL.canParse(url) || !new URL(url).host.endsWith('.i.posthog.com'), {
          error:
            'is the host that events are sent to; reading takes https://us.posthog.com or https://eu.posthog.com',
        })
        .default('https://us.posthog.com'),
      description: 'address of the PostHog app: https://us.posthog.com, https://eu.posthog.com or your own',
      example: 'https://eu.posthog.com',
    },
    POSTHOG_PROJECT_ID: {
      schema: z.string().regex(/^\d+$/, 'must be the number of the project (Settings, Project ID)'),
      description: 'the project to read, a number',
      example: '12345',
    },
    POSTHOG_PERSONAL_API_KEY: {
      schema: tokenText.refine((key) => !key.startsWith('phc_'), {
        error: 'is a project key (phc_), which can only send events; reading takes a personal API key (phx_)',
      }),
      description: 'personal API key with the scope Query Read',
      secret: true,
    },
    POSTHOG_RAW_EVENTS: {
      schema: names(RAW_EVENTS, /^[^,\s][^,]*$/, 'event names, * standing for any text'),
      description:
        'events that are kept one by one, a comma list, `*` standing for any text; of all events the daily counts are kept',
      example: RAW_EVENTS.join(','),
    },
    POSTHOG_PROPERTIES: {
      schema: names(PROPERTIES, /^[^,\s]+$/, 'property names'),
      description: 'properties of single events that are kept, a comma list; the others never leave PostHog',
      example: PROPERTIES.join(','),
    },
  },
  build: (values): PostHogConfig => ({
    host: values.POSTHOG_HOST.replace(/\/+$/, ''),
    projectId: values.POSTHOG_PROJECT_ID,
    personalApiKey: values.POSTHOG_PERSONAL_API_KEY,
    rawEvents: [...new Set(values.POSTHOG_RAW_EVENTS)],
    properties: [...new Set(values.POSTHOG_PROPERTIES)],
  }),
});

/** Which variable keeps events of this name, or one of their properties, from being stored one by one. */
export function findNotKept(
  { rawEvents, properties }: PostHogConfig,
  wanted: { readonly event: string; readonly properties: readonly string[] },
): { readonly variable: string; readonly names: readonly string[] }[] {
  return [
    {
      variable: 'POSTHOG_RAW_EVENTS',
      names: [wanted.event].filter((name) => !eventMatcher(rawEvents)(name)),
    },
    {
      variable: 'POSTHOG_PROPERTIES',
      names: wanted.properties.filter((name) => !properties.includes(name)),
    },
  ].filter(({ names }) => names.length > 0);
}
