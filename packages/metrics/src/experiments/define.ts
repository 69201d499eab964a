/** Planning an experiment and stopping it: what may be planned, told with all problems at once. */
import { sql } from 'kysely';
import type { Temporal } from 'temporal-polyfill';

import type { Session } from '@floyo/shared/db';
import { ConfigError, type ConfigProblem } from '@floyo/shared/errors';
import { type Day, dayOf, isDay, startOfDay } from '@floyo/shared/window';

/** As people give it, each member under the name of its option. */
export interface ExperimentInput {
  readonly key: string;
  readonly hypothesis: string | undefined;
  /** `control=50,new=50` or `control,new`; the first one is the control. */
  readonly variants: string | undefined;
  readonly conversion: string | undefined;
  readonly owner: string | undefined;
  readonly exposure: string;
  /** Days after that of the exposure in which a conversion counts. */
  readonly window: string;
  readonly plannedN: string | undefined;
  readonly end: string | undefined;
  readonly start: string | undefined;
}

/** The exposure events whose properties are known; any other one has those of `experiment_exposed`. */
const FLAG_EVENT = '$feature_flag_called';
const MOST_VARIANTS = 10;

export interface Experiment {
  readonly key: string;
  readonly hypothesis: string;
  readonly variants: readonly { readonly name: string; readonly weight: number }[];
  readonly exposure_event: string;
  readonly experiment_property: string;
  readonly variant_property: string;
  readonly conversion_event: string;
  readonly window_days: number;
  readonly planned_n: number | null;
  readonly planned_end: Day | null;
  readonly owner: string;
  readonly started_at: string;
}

/** What is planned, or what is wrong with it: everything at once. */
export function planExperiment(
  input: ExperimentInput,
  options: { readonly now: Temporal.Instant; readonly timezone: string },
): { readonly plan: Experiment } | { readonly problems: readonly ConfigProblem[] } {
  const problems: ConfigProblem[] = [];
  const wrong = (variable: string, message: string) => void problems.push({ variable, message });
  const text = (variable: string, value: string | undefined, what: string) => {
    if (value === undefined || value.trim() === '') wrong(variable, `is not given: ${what}`);
    return value?.trim() ?? '';
  };
  const whole = (variable: string, value: string, least: number, most: number) => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < least || number > most)
      wrong(variable, `must be a whole number from ${least} to ${most}, not ${value}`);
    return number;
  };
  const event = (variable: string, name: string) => {
    if (name !== '' && !/^[^\s,]+$/.test(name)) wrong(variable, `${name} is not the name of one event`);
    return name;
  };

  if (!/^[a-z0-9][a-z0-9_-]{0,99}$/.test(input.key))
    wrong('key', `${input.key} must be small letters, digits, - and _, such as checkout-button`);
  const hypothesis = text('--hypothesis', input.hypothesis, 'what you expect to happen, and why');
  const owner = text('--owner', input.owner, 'who decides on the result');
  const conversion = event(
    '--conversion',
    text('--conversion', input.conversion, 'the event that counts as success'),
  );
  const exposure = event('--exposure', input.exposure);
  if (conversion !== '' && conversion === exposure)
    wrong('--conversion', 'is the exposure event: everybody would convert');
  const variants = readVariants(text('--variants', input.variants, 'such as control=50,new=50'), wrong);
  const window_days = whole('--window', input.window, 0, 365);
  const planned_n =
    input.plannedN === undefined ? null : whole('--planned-n', input.plannedN, 2, 2_000_000_000);
  const today = dayOf(options.now, options.timezone);
  const start = input.start ?? today;
  if (!isDay(start)) wrong('--start', `${start} is no day that exists, YYYY-MM-DD`);
  const planned_end = input.end ?? null;
  if (planned_end !== null && !isDay(planned_end))
    wrong('--end', `${planned_end} is no day that exists, YYYY-MM-DD`);
  else if (planned_end !== null && isDay(start) && planned_end < start)
    wrong('--end', `${planned_end} is before the start, ${start}`);
  if (planned_n === null && planned_end === null)
    wrong(
      '--planned-n',
      'or --end must be given: without a plan made before, looking at the result until it pleases finds a winner where there is none',
    );
  if (problems.length > 0) return { problems };
  const isFlag = exposure === FLAG_EVENT;
  return {
    plan: {
      key: input.key,
      hypothesis,
      variants,
      exposure_event: exposure,
      experiment_property: isFlag ? '$feature_flag' : 'experiment',
      variant_property: isFlag ? '$feature_flag_response' : 'variant',
      conversion_event: conversion,
      window_days,
      planned_n,
      planned_end,
      owner,
      started_at: (input.start === undefined ? options.now : startOfDay(start, options.timezone)).toString(),
    },
  };
}

function readVariants(
  list: string,
  wrong: (variable: string, message: string) => void,
): { name: string; weight: number }[] {
  const variants = list
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => {
      const [name = '', weight = '1', ...more] = part.split('=').map((piece) => piece.trim());
      if (!/^[\w.-]+$/.test(name))
        wrong('--variants', `${name === '' ? part : name} is no name of a variant`);
      if (more.length > 0 || !/^\d+(\.\d+)?$/.test(weight) || Number(weight) <= 0)
        wrong('--variants', `${part}: the weight must be a number above 0`);
      return { name, weight: Number(weight) };
    });
  const names = variants.map(({ name }) => name);
  for (const name of new Set(names.filter((one, index) => names.indexOf(one) !== index)))
    wrong('--variants', `${name} is there twice`);
  if (list !== '' && (variants.length < 2 || variants.length > MOST_VARIANTS))
    wrong('--variants', `must be 2 to ${MOST_VARIANTS}, the first of them the control`);
  return variants;
}

/**
 * Plans an experiment.
 * @throws ConfigError with every problem at once.
 */
export async function createExperiment(
  db: Session['db'],
  input: ExperimentInput,
  options: { readonly now: Temporal.Instant; readonly timezone: string },
): Promise<Experiment> {
  const planned = planExperiment(input, options);
  const { rows } = await sql`select 1 from public.experiments where key = ${input.key}`.execute(db);
  const taken =
    rows.length > 0
      ? [{ variable: 'key', message: `${input.key} is taken: what was planned is not changed afterwards` }]
      : [];
  if ('problems' in planned) throw new ConfigError([...taken, ...planned.problems], 'usage');
  if (taken.length > 0) throw new ConfigError(taken, 'usage');
  await db
    .insertInto('experiments')
    .values({ ...planned.plan, variants: JSON.stringify(planned.plan.variants) })
    .execute();
  return planned.plan;
}

/**
 * Takes no more users in. Stopped before its plan is met, an experiment has no winner.
 * @throws ConfigError when there is no such experiment, or it was stopped before.
 */
export async function stopExperiment(db: Session['db'], key: string, now: Temporal.Instant): Promise<void> {
  const known = await db.selectFrom('experiments').select(['key', 'stopped_at', 'started_at']).execute();
  const experiment = known.find((one) => one.key === key);
  const problem =
    experiment === undefined
      ? `${key} is no experiment; there are ${known.map((one) => one.key).join(', ') || 'none'}`
      : experiment.stopped_at !== null
        ? `${key} was stopped on ${experiment.stopped_at.slice(0, 10)}`
        : undefined;
  if (problem !== undefined) throw new ConfigError([{ variable: 'key', message: problem }], 'usage');
  await sql`
    update public.experiments set stopped_at = greatest(started_at, ${now.toString()}::timestamptz) where key = ${key}`.execute(
    db,
  );
}
