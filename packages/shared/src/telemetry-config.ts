/** The variables of the pipeline's own telemetry. Without a key there is none. */
import { type ConfigSection, defineConfig } from './config.ts';
import { httpUrl, tokenText } from './schemas.ts';

export interface TelemetryConfig {
  /** Where events are sent, without a slash at the end; not the host of PostHog's private API. */
  readonly host: string;
  readonly projectKey: string;
}

/** PostHog Cloud's address for events in the United States. https://posthog.com/docs/api */
const DEFAULT_HOST = 'https://us.i.posthog.com';

const section = defineConfig({
  optional: true,
  variables: {
    POSTHOG_CAPTURE_HOST: {
      description: `where the pipeline's own events are sent; unset: that of POSTHOG_HOST's region, else ${DEFAULT_HOST}`,
      example: 'https://eu.i.posthog.com',
      schema: httpUrl.optional(),
    },
    POSTHOG_PROJECT_KEY: {
      description: "the PostHog project's key, with which runs and their errors are sent; unset: nothing is",
      secret: true,
      schema: tokenText
        .refine((key) => !/^ph[xs]_/.test(key), {
          error: "is a key that reads: events are sent with the project's own key, phc_…",
        })
        .optional(),
    },
  },
  build: (values) => ({ host: values.POSTHOG_CAPTURE_HOST, projectKey: values.POSTHOG_PROJECT_KEY }),
});

/** A host without a key is no mistake: the host may be set for all, and the key where events are wanted. */
export const telemetryConfig: ConfigSection<TelemetryConfig> = {
  variables: section.variables,
  read(env) {
    const { config, problems } = section.read(env);
    if (config?.projectKey === undefined) return { config: undefined, problems };
    const host = config.host ?? captureHostOf(env['POSTHOG_HOST']) ?? DEFAULT_HOST;
    return { config: { host: host.replace(/\/+$/, ''), projectKey: config.projectKey }, problems };
  },
};

/** A project lives in one region: what is sent to the other one is taken and lost. */
function captureHostOf(apiHost: string | undefined): string | undefined {
  const [, region] = /^https:\/\/(us|eu)\.posthog\.com\/?$/.exec(apiHost?.trim() ?? '') ?? [];
  return region === undefined ? undefined : `https://${region}.i.posthog.com`;
}
