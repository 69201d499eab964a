/** Experiments as a growth lead reads them: what was tested, on how many users, what can be said, and when it ends. */
import type { ExperimentReport, VariantResult } from '@floyo/metrics';
import { ALPHA } from '@floyo/metrics/experiments/verdict';
import { addDays } from '@floyo/shared/window';

import { countOf, formatCount, formatTable, paint, type Terminal } from './style.ts';

/** One experiment: its head, a table of its variants, a sentence. */
export function formatExperiment(experiment: ExperimentReport, stdout: Terminal): string {
  const { results } = experiment;
  const [any] = results;
  const head = `${paint('bold', experiment.key, stdout)}  ${any?.status ?? 'running'}, since ${experiment.started_at.slice(0, 10)}, ${experiment.owner} decides`;
  const table = formatTable(
    [
      'variant',
      'users',
      experiment.conversion_event,
      'rate',
      '95 % interval',
      'against control',
      '95 % interval',
      'p',
      'best',
    ],
    results.map((row) => [
      row.variant,
      formatCount(row.users),
      formatCount(row.conversions),
      row.rate === null ? '–' : percent(row.rate),
      row.rate_low === null || row.rate_high === null
        ? ''
        : `${percent(row.rate_low)} to ${percent(row.rate_high)}`,
      row.difference === null ? '' : points(row.difference),
      row.difference_low === null || row.difference_high === null
        ? ''
        : `${points(row.difference_low)} to ${points(row.difference_high)}`,
      row.p_adjusted === null ? '' : row.p_adjusted < 0.0001 ? '<0.0001' : row.p_adjusted.toFixed(4),
      row.probability_best === null ? '' : percent(row.probability_best, 0),
    ]),
    [1, 2, 3, 7, 8],
  );
  const excluded = any?.excluded_users ?? 0;
  return [
    head,
    experiment.hypothesis,
    ...(results.length === 0 ? [] : [table]),
    `→ ${describeExperiment(experiment)}`,
    ...(excluded === 0
      ? []
      : [paint('dim', `${countOf(excluded, 'user')} saw more than one variant and count in none.`, stdout)]),
  ].join('\n');
}

/** What can be said of it by now, in plain words. */
export function describeExperiment(experiment: ExperimentReport): string {
  const { results } = experiment;
  const [control] = results;
  if (control === undefined || results.every(({ users }) => users === 0))
    return `Nobody has been counted yet. ${whenItEnds(experiment)}`;
  const users = results.reduce((sum, row) => sum + row.users, 0);
  const best = bestOf(results);
  if (control.status === 'invalid_srm')
    return `Not valid: ${results.map((row) => formatCount(row.users)).join(' to ')} users came where ${experiment.variants.map(({ weight }) => weight).join(' to ')} was planned, which chance does once in ${formatCount(Math.round(1 / Math.max(control.srm_p_value ?? 1, 1e-9)))} times. Find what loses users of one variant before you believe any difference.`;
  if (control.status === 'stopped')
    return `Stopped before its plan was met, after ${formatCount(users)} users: nothing can be concluded from it.`;
  if (control.status === 'running') {
    const goal = experiment.planned_n === null ? '' : ` of ${formatCount(experiment.planned_n)} planned`;
    return `${formatCount(users)}${goal} users so far${best === undefined ? '' : `; ${compare(best)}`}. Too early to name a winner: a look before the end takes chance for an effect. ${whenItEnds(experiment)}`;
  }
  const winner = results.find(({ variant }) => variant === control.winner);
  if (winner === undefined) return `Over, after ${formatCount(users)} users, ${describeNoWinner(experiment)}`;
  if (winner.is_control && best !== undefined)
    return `${winner.variant} stays: after ${formatCount(users)} users ${compare(best)}. Chance alone shows as much in ${chance(best.p_adjusted)} of such tests.`;
  const uplift =
    control.rate === null || control.rate === 0 || winner.difference === null
      ? ''
      : `, ${signed((winner.difference / control.rate) * 100, 0)} % in relation`;
  return `${winner.variant} won after ${formatCount(users)} users: ${compare(winner)}${uplift}. Chance alone shows as much in ${chance(winner.p_adjusted)} of such tests.`;
}

/** Why nothing won, by the best of the variants that could be compared. */
function describeNoWinner({ results, conversion_event: event }: ExperimentReport): string {
  const compared = results.filter(({ p_adjusted }) => p_adjusted !== null);
  const best = bestOf(compared);
  if (best === undefined) return `with too few who did ${event} to compare: no winner.`;
  const { difference_low: low, difference_high: high, p_adjusted: p } = best;
  const said = `without a winner: ${compare(best)}.`;
  if ((low ?? 0) <= 0 && (high ?? 0) >= 0)
    return `${said} What difference there is lies most likely in that interval, and zero does too.`;
  // The interval is of this variant alone, the p-value of all that were compared.
  if (p === null || p >= ALPHA)
    return `${said} Zero is not in that interval, but chance alone shows as much in ${chance(p)} of such tests${compared.length > 1 ? ' once several variants are compared' : ''}: too often for a winner.`;
  return `${said} It is worse than the control; that can't be said of every other variant.`;
}

/** The treated variant with the highest rate. */
function bestOf(results: readonly VariantResult[]): VariantResult | undefined {
  return results
    .filter((row) => !row.is_control && row.difference !== null)
    .sort((left, right) => (right.rate ?? 0) - (left.rate ?? 0))[0];
}

function compare({ variant, difference, difference_low, difference_high }: VariantResult): string {
  return `${variant} is at ${points(difference ?? 0)} points against the control (95 % interval ${points(difference_low ?? 0)} to ${points(difference_high ?? 0)})`;
}

function whenItEnds({ ends_on, planned_end, planned_n, window_days }: ExperimentReport): string {
  if (ends_on !== null) return `No more users are taken in; it is decided when ${ends_on} is over.`;
  const day = planned_end === null ? undefined : addDays(planned_end, window_days);
  if (planned_n === null) return `It is decided when ${day ?? ''} is over.`;
  const full = `${formatCount(planned_n)} users are in${window_days === 0 ? '' : ` and ${countOf(window_days, 'day')} for the last conversions have passed`}`;
  return `It is decided when ${full}${day === undefined ? '' : `, or when ${day} is over`}.`;
}

function percent(share: number, digits = 2): string {
  return `${(share * 100).toFixed(digits)} %`;
}

/** A difference of shares in percentage points, with its sign. */
function points(difference: number): string {
  return signed(difference * 100, 2);
}

function signed(number: number, digits: number): string {
  const text = Math.abs(number).toFixed(digits);
  return Number(text) === 0 ? text : `${number < 0 ? '−' : '+'}${text}`;
}

/** A p-value as a percentage; a very small one as a bound. */
function chance(p: number | null): string {
  if (p === null) return '';
  return p < 0.0001 ? 'under 0.01 %' : percent(p);
}
