/** `floyo metrics show`: values by day, week or month, with how they went and how complete provisional ones are. */
import { sql } from 'kysely';
import { Temporal } from 'temporal-polyfill';

import { estimateCompleteness, METRICS, parseMetricId } from '@floyo/metrics';
import type { Session } from '@floyo/shared/db';
import { ConfigError } from '@floyo/shared/errors';
import { addDays, type Day, dayOf } from '@floyo/shared/window';

import { type App, openAppDatabase, print } from '../app.ts';
import { daysOption } from '../option-values.ts';
import { formatMarked, LEGEND, sparkline } from '../print/metric-values.ts';
import { formatTable, paint } from '../print/style.ts';
import { clockOf } from '../run.ts';

export interface ShowOptions {
  readonly from?: string;
  readonly to?: string;
  readonly grain: 'day' | 'week' | 'month';
  readonly by?: 'source';
  readonly csv?: boolean;
}

interface Period {
  readonly metric: string;
  readonly source: string | null;
  readonly period: Day;
  readonly first_day: Day;
  readonly last_day: Day;
  readonly value: string | null;
  readonly numerator: string | null;
  readonly denominator: string | null;
  readonly unit: string;
  readonly status: 'provisional' | 'final' | 'incomplete';
  readonly days: number;
  /** For a provisional day: the share of its final value that is there by now, judged by earlier days. */
  readonly complete: number | null;
}

/** How many days, weeks or months are shown unless told. */
const DEFAULT_PERIODS = { day: 14, week: 8, month: 6 } as const;
/** Up to so many metrics are shown period by period, more as one line each. */
const WIDE = 6;

export async function metricsShowCommand(
  app: App,
  names: readonly string[],
  options: ShowOptions,
): Promise<number> {
  const metrics = pickMetrics(names, options.by);
  const now = clockOf(app.settings.config.now)();
  const today = dayOf(now, app.settings.config.reporting.timezone);
  const to = options.to ?? today;
  const from = options.from ?? firstDayUntil(to, options.grain);
  daysOption(from, to);
  await using database = await openAppDatabase(app);
  const periods: Period[] = [];
  for (const metric of metrics)
    periods.push(
      ...(await readPeriods(database.session, {
        metric,
        from,
        to,
        now: now.toString(),
        grain: options.grain,
        by: options.by,
      })),
    );
  if (options.csv === true) app.streams.stdout.write(toCsv(periods));
  else
    print(
      app,
      { from, to, grain: options.grain, rows: periods },
      format(app, periods, { grain: options.grain, today }),
    );
  return 0;
}

/** The first day of as many periods as are shown unless told, the one of `to` included: a cut one would look like a fall. */
function firstDayUntil(to: Day, grain: ShowOptions['grain']): Day {
  const back = DEFAULT_PERIODS[grain] - 1;
  const last = Temporal.PlainDate.from(to);
  if (grain === 'day') return addDays(to, -back);
  const first =
    grain === 'week'
      ? last.subtract({ days: last.dayOfWeek - 1, weeks: back })
      : last.with({ day: 1 }).subtract({ months: back });
  return first.toString();
}

function pickMetrics(names: readonly string[], by: ShowOptions['by']): string[] {
  const wrong = names.flatMap((name) => {
    const found = parseMetricId(name);
    if (found === undefined || found.source !== '')
      return [{ variable: name, message: `is no metric; there are ${Object.keys(METRICS).join(', ')}` }];
    return by !== undefined && found.metric.dimensions.length === 0
      ? [{ variable: name, message: `can't be had by ${by}: only what is made of ads alone can` }]
      : [];
  });
  if (wrong.length > 0) throw new ConfigError(wrong, 'usage');
  if (names.length > 0) return [...names];
  return Object.entries(METRICS)
    .filter(([, metric]) => by === undefined || metric.dimensions.length > 0)
    .map(([name]) => name);
}

async function readPeriods(
  session: Session,
  options: {
    readonly metric: string;
    readonly from: Day;
    readonly to: Day;
    readonly now: string;
    readonly grain: ShowOptions['grain'];
    readonly by: ShowOptions['by'];
  },
): Promise<Period[]> {
  const { metric, from, to, now, grain, by } = options;
  const { rows } = await sql<Omit<Period, 'metric' | 'complete'>>`
    select dimensions ->> 'source' as source, period, first_day, last_day, value, numerator, denominator, unit, status, days
    from public.metric_range(${metric}, ${from}::date, ${to}::date, ${grain})
    where (dimensions = '{}') = ${by === undefined}
    order by source, period`.execute(session.db);
  const complete = new Map<string, number>();
  if (grain === 'day')
    for (const source of new Set(rows.map((row) => row.source ?? ''))) {
      const days = rows
        .filter((row) => (row.source ?? '') === source && row.status === 'provisional')
        .map(({ period }) => period);
      const shares = await estimateCompleteness(session.db, { metric, source, days, now });
      for (const [day, share] of shares) complete.set(`${source} ${day}`, share);
    }
  return rows.map((row) => ({
    metric,
    ...row,
    complete: complete.get(`${row.source ?? ''} ${row.period}`) ?? null,
  }));
}

/** A share as people read it. */
function describeComplete(share: number | null): string {
  return share === null ? '' : `about ${Math.round(share * 100)} % complete`;
}

interface Shown {
  readonly grain: ShowOptions['grain'];
  readonly today: Day;
}

function format({ streams }: App, periods: readonly Period[], shown: Shown): string {
  if (periods.length === 0) return 'No values: run `pnpm floyo metrics` first, or ask for other days.';
  const series = [...Map.groupBy(periods, ({ metric, source }) => nameOf(metric, source))];
  const legend = paint('dim', LEGEND, streams.stdout);
  const table = series.length <= WIDE ? byPeriod(series, shown) : byMetric(series, shown);
  return `${table}\n${legend}`;
}

function nameOf(metric: string, source: string | null): string {
  return source === null ? metric : `${metric}[source=${source}]`;
}

/** A period by its first day, and what of it was asked for where that is not all: `2026-11-01 (from 8)`. */
function labelOf({ period, first_day: first, last_day: last }: Period, { grain, today }: Shown): string {
  const start = Temporal.PlainDate.from(period);
  const end = start
    .add({ days: grain === 'month' ? start.daysInMonth : { day: 1, week: 7 }[grain] })
    .subtract({ days: 1 });
  // Within the period's month the number of the day says it.
  const tell = (day: Day) =>
    day.slice(0, 7) === period.slice(0, 7) ? String(Number(day.slice(8))) : day.slice(5);
  const from = first > period ? `from ${tell(first)}` : '';
  // What is still to come is cut by nobody.
  const until = last < end.toString() && last < today ? `to ${tell(last)}` : '';
  const cut = [from, until].filter((part) => part !== '').join(' ');
  return cut === '' ? period : `${period} (${cut})`;
}

type Series = readonly (readonly [name: string, periods: readonly Period[]])[];

function byPeriod(series: Series, shown: Shown): string {
  const starts = [...new Set(series.flatMap(([, periods]) => periods.map(({ period }) => period)))].sort();
  const rows = starts.map((start) => {
    const cells = series.map(([, periods]) => periods.find(({ period }) => period === start));
    const complete = cells.flatMap((cell, index) => {
      const text = describeComplete(cell?.complete ?? null);
      return text === '' ? [] : [series.length === 1 ? text : `${series[index]?.[0] ?? ''} ${text}`];
    });
    const known = cells.find((cell) => cell !== undefined);
    return [
      known ? labelOf(known, shown) : start,
      ...cells.map((cell) => (cell ? formatMarked(cell.value, cell.unit, cell.status) : '')),
      complete.join(', '),
    ];
  });
  const bars = ['', ...series.map(([, periods]) => sparkline(periods.map(({ value }) => value))), ''];
  return formatTable(
    [shown.grain, ...series.map(([name]) => name), ''],
    [...rows, bars],
    series.map((_, index) => index + 1),
  );
}

function byMetric(series: Series, shown: Shown): string {
  const rows = series.map(([name, periods]) => {
    const last = periods.findLast(({ value }) => value !== null) ?? periods.at(-1);
    return [
      name,
      sparkline(periods.map(({ value }) => value)),
      last ? formatMarked(last.value, last.unit, last.status) : '',
      last ? labelOf(last, shown) : '',
      describeComplete(last?.complete ?? null),
    ];
  });
  return formatTable(['metric', `by ${shown.grain}`, 'last', 'of', ''], rows, [2]);
}

const COLUMNS = [
  'metric',
  'source',
  'period',
  'first_day',
  'last_day',
  'value',
  'numerator',
  'denominator',
  'unit',
  'status',
  'days',
  'complete',
] as const satisfies readonly (keyof Period)[];

/** RFC 4180; no value needs quotes but a unit or name never has a comma. */
function toCsv(periods: readonly Period[]): string {
  const lines = periods.map((period) => COLUMNS.map((column) => period[column] ?? '').join(','));
  return [COLUMNS.join(','), ...lines, ''].join('\n');
}
