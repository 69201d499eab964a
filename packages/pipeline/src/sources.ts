/** The sources, in the order in which a run takes them: the one list of connectors. */
import { stripe } from '@floyo/billing-webhook/stripe/index';
import { webhookVariables } from '@floyo/billing-webhook/webhook-config';
import { meta } from '@floyo/etl-meta';
import { posthog } from '@floyo/etl-posthog';
import type { PostHogConfig } from '@floyo/etl-posthog/config';
import { shopify } from '@floyo/etl-shopify';
import { tiktok } from '@floyo/etl-tiktok';
import { type GivenAssumptions, metricsConfig } from '@floyo/metrics/config';
import { type ConfigSection, type Env, secretValues } from '@floyo/shared/config';
import type { AnyConnector, SourceName } from '@floyo/shared/connector';
import { ConfigError, type ConfigProblem } from '@floyo/shared/errors';
import { fx } from '@floyo/shared/fx/index';
import { type TelemetryConfig, telemetryConfig } from '@floyo/shared/telemetry-config';

import { pipelineConfig } from './config.ts';

const CONNECTORS: readonly AnyConnector[] = [fx, meta, tiktok, shopify, stripe, posthog];

/** A source whose variables are set, with its configuration. */
export interface ConfiguredSource {
  readonly connector: AnyConnector;
  readonly config: unknown;
}

export type PipelineConfig = NonNullable<ReturnType<typeof pipelineConfig.read>['config']>;

export interface Settings {
  readonly config: PipelineConfig;
  readonly sources: readonly ConfiguredSource[];
  /** Of FX_FIXED_RATES: units per EUR by currency, for currencies that the ECB lacks. */
  readonly fixedRates: Readonly<Record<string, string>>;
  /** What METRICS_* say, as far as they are set. */
  readonly assumptions: GivenAssumptions;
  /** Undefined where product events are not read. */
  readonly posthog: PostHogConfig | undefined;
  /** Where runs and their errors are sent; undefined: nowhere. */
  readonly telemetry: TelemetryConfig | undefined;
}

/** Every section of the configuration, under its title. */
export const SECTIONS: readonly { readonly title: string; readonly section: ConfigSection<unknown> }[] = [
  { title: 'pipeline', section: pipelineConfig },
  ...CONNECTORS.map(({ source, config }) => ({ title: source, section: config as ConfigSection<unknown> })),
  { title: 'stripe webhook', section: webhookVariables },
  { title: 'telemetry', section: telemetryConfig },
  { title: 'metrics', section: metricsConfig },
];

/** Reads the whole environment and lists every problem; what is right can be used all the same. */
export function inspectSettings(env: Env): {
  readonly config: PipelineConfig | undefined;
  readonly sources: readonly ConfiguredSource[];
  readonly problems: readonly ConfigProblem[];
} {
  const own = pipelineConfig.read(env);
  const problems = [...own.problems];
  const sources: ConfiguredSource[] = [];
  for (const connector of CONNECTORS) {
    const read = connector.config.read(env);
    problems.push(...read.problems);
    if (read.config !== undefined) sources.push({ connector, config: read.config });
  }
  problems.push(...telemetryConfig.read(env).problems);
  problems.push(...metricsConfig.read(env).problems);
  return { config: own.config, sources, problems };
}

/**
 * Reads the whole environment.
 * @throws ConfigError with the problems of every source at once.
 */
export function readSettings(env: Env): Settings {
  const { config, sources, problems } = inspectSettings(env);
  if (config === undefined || problems.length > 0) throw new ConfigError(problems);
  return {
    config,
    sources,
    fixedRates: fx.config.read(env).config?.fixedRates ?? {},
    assumptions: metricsConfig.read(env).config ?? {},
    posthog: posthog.config.read(env).config,
    telemetry: telemetryConfig.read(env).config,
  };
}

/** The connector of a source, configured or not. */
export function connectorOf(source: SourceName): AnyConnector {
  const found = CONNECTORS.find((connector) => connector.source === source);
  if (found === undefined) throw new Error(`${source} has no connector`);
  return found;
}

/** Every secret value of the environment, for the redactor; works on a broken environment too. */
export function readSecrets(env: Env): string[] {
  return secretValues(
    SECTIONS.map(({ section }) => section),
    env,
  );
}

/** The variables that a source can't do without. */
function listRequired(name: string): string[] {
  const connector = CONNECTORS.find(({ source }) => source === name);
  return Object.entries(connector?.config.variables ?? {}).flatMap(([variable, { schema }]) =>
    schema.safeParse(undefined).success ? [] : [variable],
  );
}

/**
 * The configured sources among the named ones, in the run's order.
 * @throws ConfigError for a name that is no source, or one that is not configured.
 */
export function pickSources(
  settings: Settings,
  names: readonly string[],
  option: string,
): ConfiguredSource[] {
  const known = CONNECTORS.map(({ source }) => source);
  const problems = names.flatMap((name): ConfigProblem[] => {
    if (!known.includes(name as SourceName))
      return [{ variable: option, message: `${name} is no source; there are ${known.join(', ')}` }];
    if (settings.sources.some(({ connector }) => connector.source === name)) return [];
    return [{ variable: option, message: `${name} is not configured: set ${listRequired(name).join(', ')}` }];
  });
  if (problems.length > 0) throw new ConfigError(problems, 'usage');
  return settings.sources.filter(({ connector }) => names.includes(connector.source));
}
