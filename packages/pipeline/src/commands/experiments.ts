/** `floyo experiments`: what is tested and what came of it; planning an experiment and stopping one. */
import { findNotKept } from '@floyo/etl-posthog/config';
import { createExperiment, type ExperimentInput, readExperiments, stopExperiment } from '@floyo/metrics';
import { ConfigError } from '@floyo/shared/errors';

import { type App, openAppDatabase, print } from '../app.ts';
import { formatExperiment } from '../print/experiments.ts';
import { clockOf } from '../run.ts';

export async function experimentsCommand(app: App, key: string | undefined): Promise<number> {
  await using database = await openAppDatabase(app);
  const { db } = database.session;
  const experiments = await readExperiments(db, key);
  if (key !== undefined && experiments.length === 0) {
    const all = await readExperiments(db);
    const known = all.map((experiment) => experiment.key).join(', ') || 'none';
    throw new ConfigError(
      [{ variable: 'key', message: `${key} is no experiment; there are ${known}` }],
      'usage',
    );
  }
  const text =
    experiments.length === 0
      ? 'There are no experiments. `pnpm floyo experiments create --help` shows how to plan one.'
      : experiments.map((experiment) => formatExperiment(experiment, app.streams.stdout)).join('\n\n');
  print(app, { experiments }, text);
  return 0;
}

export type CreateOptions = Omit<ExperimentInput, 'key'>;

export async function experimentsCreateCommand(
  app: App,
  key: string,
  options: CreateOptions,
): Promise<number> {
  await using database = await openAppDatabase(app);
  const { now, reporting } = app.settings.config;
  const experiment = await createExperiment(
    database.session.db,
    {
      key,
      hypothesis: options.hypothesis,
      variants: options.variants,
      conversion: options.conversion,
      owner: options.owner,
      exposure: options.exposure,
      window: options.window,
      plannedN: options.plannedN,
      end: options.end,
      start: options.start,
    },
    { now: clockOf(now)(), timezone: reporting.timezone },
  );
  const warnings = warnOfLoss(app.settings.posthog, experiment);
  const planned = `Planned ${key}. It counts users from ${experiment.started_at.slice(0, 16).replace('T', ' ')} UTC on, when the product sends ${experiment.exposure_event} with ${experiment.experiment_property}: ${key} and ${experiment.variant_property}: ${experiment.variants.map(({ name }) => name).join(' or ')}.`;
  print(app, { experiment, warnings }, [planned, ...warnings.map((warning) => `! ${warning}`)].join('\n'));
  return 0;
}

/** An exposure that is not kept one by one is never counted: better said now than after weeks without users. */
function warnOfLoss(
  posthog: App['settings']['posthog'],
  experiment: { exposure_event: string; experiment_property: string; variant_property: string },
): string[] {
  if (posthog === undefined)
    return ['PostHog is not configured here: set POSTHOG_PROJECT_ID and POSTHOG_PERSONAL_API_KEY.'];
  const { exposure_event: event, experiment_property, variant_property } = experiment;
  return findNotKept(posthog, { event, properties: [experiment_property, variant_property] }).map(
    ({ variable, names }) =>
      `${names.join(' and ')} would not be kept, and nobody counted: add it to ${variable} before the experiment starts.`,
  );
}

export async function experimentsStopCommand(app: App, key: string): Promise<number> {
  await using database = await openAppDatabase(app);
  const now = clockOf(app.settings.config.now)();
  await stopExperiment(database.session.db, key, now);
  print(
    app,
    { stopped: key, stopped_at: now.toString() },
    `Stopped ${key}: no more users are taken in. Stopped before its plan is met it has no winner; the next run says so.`,
  );
  return 0;
}
