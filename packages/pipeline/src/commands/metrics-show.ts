/** `floyo metrics show`: values by day, week or month, with how they went and how complete provisional ones are. */
import { sql } from 'kysely';

import { estimateCompleteness, METRICS, parseMetricId } from '@floyo/metrics';
import type { Session } from '@floyo/shared/db';
import { ConfigError } from '@floyo/shared/errors';
import { addDays, type Day, dayOf } from '@floyo/shared/window';

import { type App, openAppDatabase, print } from '../app.ts';
import { daysOption } from '../option-values.ts';
import { formatMetric, sparkline } from '../print/metric-values.ts';
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

/** Days shown unless told. */
const DEFAULT_DAYS = 14;
/** Up to so many metrics are shown period by period, more as one line each. */
const WIDE = 6;

export async function metricsShowCommand(
  app: App,
  names: readonly string[],
  options: ShowOptions,
): Promise<number> {
  const metrics = pickMetrics(names, options.by);
  const today = dayOf(clockOf(app.settings.config.now)(), app.settings.config.reporting.timezone);
  const to = options.to ?? today;
  const from = options.from ?? addDays(to, 1 - DEFAULT_DAYS);
  daysOption(from, to);
  await using database = await openAppDatabase(app);
  const periods: Period[] = [];
  for (const metric of metrics)
    periods.push(
      ...(await readPeriods(database.session, {
        metric,
        from,
        to,
        today,
        grain: options.grain,
        by: options.by,
      })),
    );
  if (options.csv === true) app.streams.stdout.write(toCsv(periods));
  else print(app, { from, to, grain: options.grain, rows: periods }, format(app, periods, options.grain));
  return 0;
}

function pickMetrics(names: readonly string[], by: ShowOptions['by']): string[] {
  const wrong = names.flatMap((name) => {
    const found = parseMetricId(name);
    if (found === undefined || found.source !== '')
      return [{ variable: name, message: `is no metric; there are ${Object.keys(METRICS).join(', ')}` }];
    return by !== undefined && found.metric.dimensions.length === 0
      ? [{ variable: name, message: `can't be had by ${by}: it is made of shops and ads` }]
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
    readonly today: Day;
    readonly grain: ShowOptions['grain'];
    readonly by: ShowOptions['by'];
  },
): Promise<Period[]> {
  const { metric, from, to, today, grain, by } = options;
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
      const shares = await estimateCompleteness(session.db, { metric, source, days, today });
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

const MARKS = { final: '', provisional: '~', incomplete: '…' } as const;

function format({ streams }: App, periods: readonly Period[], grain: string): string {
  if (periods.length === 0) return 'No values: run `pnpm floyo metrics` first, or ask for other days.';
  const series = [...Map.groupBy(periods, ({ metric, source }) => nameOf(metric, source))];
  const legend = paint('dim', '~ provisional, … incomplete, – no value', streams.stdout);
  const table = series.length <= WIDE ? byPeriod(series, grain) : byMetric(series, grain);
  return `${table}\n${legend}`;
}

function nameOf(metric: string, source: string | null): string {
  return source === null ? metric : `${metric}[source=${source}]`;
}

type Series = readonly (readonly [name: string, periods: readonly Period[]])[];

function byPeriod(series: Series, grain: string): string {
  const starts = [...new Set(series.flatMap(([, periods]) => periods.map(({ period }) => period)))].sort();
  const rows = starts.map((start) => {
    const cells = series.map(([, periods]) => periods.find(({ period }) => period === start));
    const complete = cells.flatMap((cell, index) => {
      const text = describeComplete(cell?.complete ?? null);
      return text === '' ? [] : [series.length === 1 ? text : `${series[index]?.[0] ?? ''} ${text}`];
    });
    return [
      start,
      ...cells.map((cell) =>
        cell ? `${formatMetric(cell.value, cell.unit)} ${MARKS[cell.status]}`.trim() : '',
      ),
      complete.join(', '),
    ];
  });
  const bars = ['', ...series.map(([, periods]) => sparkline(periods.map(({ value }) => value))), ''];
  return formatTable(
    [grain, ...series.map(([name]) => name), ''],
    [...rows, bars],
    series.map((_, index) => index + 1),
  );
}

function byMetric(series: Series, grain: string): string {
  const rows = series.map(([name, periods]) => {
    const last = periods.findLast(({ value }) => value !== null) ?? periods.at(-1);
    return [
      name,
      sparkline(periods.map(({ value }) => value)),
      last ? `${formatMetric(last.value, last.unit)} ${MARKS[last.status]}`.trim() : '',
      last?.period ?? '',
      describeComplete(last?.complete ?? null),
    ];
  });
  return formatTable(['metric', `by ${grain}`, 'last', 'of', ''], rows, [2]);
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
