/** `floyo why <metric> <day>`: what a value is made of, what loaded it, and how it moved. */
import { explainMetric, type Explanation, METRICS, parseMetricId } from '@floyo/metrics';
import { ConfigError } from '@floyo/shared/errors';

import { type App, openAppDatabase, print } from '../app.ts';
import { neededAccounts } from '../needed-accounts.ts';
import { dayProblem } from '../option-values.ts';
import { formatMetric, shortDecimal } from '../print/metric-values.ts';
import { formatCount, formatTable, paint } from '../print/style.ts';
import { clockOf } from '../run.ts';

export async function whyCommand(app: App, name: string, day: string): Promise<number> {
  const metric = parseMetricId(name);
  const wrongDay = dayProblem(day);
  const problems = [
    ...(metric === undefined
      ? [
          {
            variable: 'metric',
            message: `${name} is no metric; there are ${Object.keys(METRICS).join(', ')}`,
          },
        ]
      : []),
    ...(wrongDay === undefined ? [] : [{ variable: 'day', message: `${day}: ${wrongDay}` }]),
  ];
  if (metric === undefined || problems.length > 0) throw new ConfigError(problems, 'usage');
  await using database = await openAppDatabase(app);
  const explanation = await explainMetric({
    session: database.session,
    metric,
    day,
    accounts: await neededAccounts(database.session.db, app.settings),
    reporting: app.settings.config.reporting,
    now: clockOf(app.settings.config.now)(),
  });
  print(app, explanation, format(app, explanation));
  return 0;
}

function format({ streams: { stdout } }: App, why: Explanation): string {
  const bold = (text: string) => paint('bold', text, stdout);
  const unit = why.stored?.unit ?? why.definition.unit;
  const shown = why.stored ?? why.computed;
  const parts =
    shown?.numerator == null
      ? ''
      : `  = ${shortDecimal(shown.numerator)} / ${shown.denominator === null ? 'unknown' : shortDecimal(shown.denominator)}`;
  const sections = [
    `${bold(`${why.external_id} of ${why.date}`)}: ${formatMetric(shown?.value ?? null, unit)} ${unit}, ${shown?.status ?? 'no row'}${parts}`,
    `${why.definition.description}\n${why.formula}`,
    why.stored === null
      ? paint(
          'yellow',
          '! There is no stored row: the day is outside of what was read, or metrics have not run.',
          stdout,
        )
      : '',
    why.stored !== null && why.stale
      ? paint(
          'yellow',
          `! The sources now give ${formatMetric(why.computed?.value ?? null, unit)}: \`pnpm floyo metrics\` has not run since they changed.`,
          stdout,
        )
      : '',
    section(
      bold('Made of'),
      ['column', 'facts', 'amount'],
      why.components.map((c) => [c.column, c.facts, c.amount === null ? '–' : shortDecimal(c.amount)]),
      [2],
    ),
    section(
      bold('Rows behind it'),
      ['facts', 'table', 'account', 'currency', 'rows', 'amount', 'last read'],
      why.rows.map((r) => [
        r.facts,
        r.table,
        r.account ?? '–',
        r.currency,
        formatCount(r.rows),
        r.amount,
        minutes(r.last_synced_at),
      ]),
      [4, 5],
    ),
    section(
      bold('The largest'),
      ['table', 'row', 'day', 'what', 'currency', 'amount'],
      why.top.map((r) => [r.table, r.external_id, r.date, r.label ?? '', r.currency, r.amount]),
      [5],
    ),
    section(
      bold('Coverage'),
      ['source', 'account', 'from', 'to', 'days', 'missing', 'settled', 'read', 'final from'],
      why.coverage.map((c) => [
        c.source,
        c.account_id,
        c.from,
        c.to,
        `${c.days}`,
        `${c.missing}`,
        `${c.settled}`,
        minutes(c.read_at),
        minutes(c.final_at),
      ]),
      [4, 5, 6],
    ),
    section(
      bold('Loaded by'),
      ['run', 'kind', 'status', 'started', 'rows'],
      why.runs.map((r) => [
        r.run_id ?? '(no run)',
        r.kind ?? '',
        r.status ?? '',
        minutes(r.started_at),
        formatCount(r.rows),
      ]),
      [4],
    ),
    section(
      bold('Rates'),
      ['currency', 'day', 'rate', 'published'],
      why.rates.map((r) => [
        r.currency,
        r.day,
        r.rate === null ? 'missing' : shortDecimal(r.rate),
        r.published ?? '',
      ]),
      [2],
    ),
    section(
      bold('How the day moved'),
      ['account', 'currency', 'read', 'days after', 'spend', 'conversions', 'revenue'],
      why.restatements.map((r) => [
        `${r.source} ${r.account_id}`,
        r.currency,
        minutes(r.read_at),
        `${r.age_days}`,
        r.spend,
        r.conversions,
        r.revenue,
      ]),
      [3, 4, 5, 6],
    ),
    section(
      bold('Moved after it was final'),
      ['when', 'from', 'to', 'cause', 'run'],
      why.revisions.map((r) => [
        minutes(r.revised_at),
        r.old_value ?? 'null',
        r.new_value ?? 'null',
        r.cause,
        r.run_id ?? '',
      ]),
    ),
  ];
  return sections.filter((text) => text !== '').join('\n\n');
}

/** A titled table, or nothing when it has no rows. */
function section(
  title: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly number[] = [],
): string {
  return rows.length === 0 ? '' : `${title}\n${formatTable(head, rows, right)}`;
}

function minutes(instant: string | null): string {
  return instant?.slice(0, 16).replace('T', ' ') ?? '';
}
