/** The documents that are made of the registry: the README's table and docs/metrics.md, as `pnpm generate` writes them. */
import { listDefinitions } from './definitions.ts';
import { listFacts } from './facts.ts';
import { describeFormula } from './formula.ts';
import { METRICS } from './registry.ts';
import type { Metric } from './registry/define.ts';
import { WHAT_COUNTS_AS_MRR } from './subscriptions/document.ts';

type Registry = Readonly<Record<string, Metric>>;

export const TABLE_BEGINS = '<!-- metrics -->';
export const TABLE_ENDS = '<!-- /metrics -->';

const CLOCKS: Readonly<Record<string, string>> = {
  ad_account: 'the ad account’s day',
  business: 'the business day',
  mixed: 'ads by the ad account’s day, sales by the business day',
};
const ADDING: Readonly<Record<string, string>> = {
  sum: 'days add up',
  ratio: 'made again from the sums of its parts',
  distinct: 'days do not add up',
  snapshot: 'the last day counts',
};

/** The README's table of metrics. */
export function definitionsTable(metrics: Registry = METRICS): string {
  return toTable(
    ['metric', 'meaning', 'unit', 'by', 'sources', 'days of', 'adds up', 'good', 'matures'],
    listDefinitions(metrics).map((definition) => [
      `\`${definition.name}\``,
      definition.description,
      definition.unit,
      definition.dimensions.join(', ') || '–',
      definition.sources.join(', '),
      definition.clock,
      definition.additivity,
      definition.direction,
      definition.maturity_days === 0 ? 'at once' : `${definition.maturity_days} days`,
    ]),
  );
}

/** A README with the table between its markers made anew. @throws when the markers are missing. */
export function withTable(readme: string, metrics: Registry = METRICS): string {
  const begin = readme.indexOf(TABLE_BEGINS);
  const end = readme.indexOf(TABLE_ENDS);
  if (begin < 0 || end < begin) throw new Error(`The README lacks ${TABLE_BEGINS} and ${TABLE_ENDS}`);
  return `${readme.slice(0, begin + TABLE_BEGINS.length)}\n\n${definitionsTable(metrics)}\n\n${readme.slice(end)}`;
}

/** The page docs/metrics.md. */
export function metricsPage(metrics: Registry = METRICS): string {
  const definitions = listDefinitions(metrics);
  const sections = definitions.map((definition) => {
    const metric = metrics[definition.name];
    const facts = [
      metric ? `\`${describeFormula(metric.formula)}\`` : '',
      `unit: ${definition.unit === 'currency' ? 'the reporting currency' : definition.unit}`,
      `sources: ${definition.sources.join(', ')}; ${CLOCKS[definition.clock] ?? definition.clock}`,
      `over several days: ${ADDING[definition.additivity] ?? definition.additivity}`,
      definition.dimensions.length > 0 ? `also by ${definition.dimensions.join(', ')}` : '',
      definition.direction === 'none' ? '' : `good: ${definition.direction}`,
      definition.maturity_days > 0
        ? `null until ${definition.maturity_days} days after its day are over`
        : '',
    ].filter((fact) => fact !== '');
    return [
      `### \`${definition.name}\``,
      `**${definition.label}.** ${definition.description}`,
      facts.map((fact) => `- ${fact}`).join('\n'),
    ].join('\n\n');
  });
  const columns = listFacts().map(({ column, group, money, withinDays, backDays }) => [
    `\`${column}\``,
    `\`${group}.sql\``,
    money ? 'money' : 'count',
    withinDays > 0 ? `${withinDays} days ahead` : backDays > 0 ? `${backDays} days back` : '–',
  ]);
  return `${[
    '# Metrics',
    'Generated from `packages/metrics/src/registry/` by `pnpm generate`. The same is in the table `metric_definitions`.',
    '## What a row says',
    [
      '- Money is in the reporting currency, converted at the last rate published on or up to 7 days before the day of the amount. Values are stored unrounded.',
      '- A ratio keeps its numerator and denominator. A week’s ratio is the quotient of the week’s sums, never a mean. A zero denominator gives null.',
      '- `incomplete`: an account that is needed has not been read for the whole day (or one of the days that the metric looks ahead or back to; so the first 29 days of a metric over 30 days), or a rate or a price is missing. The value is the partial sum, or null when nothing was read.',
      '- `provisional`: everything was read, and may still change.',
      '- `final`: everything was read after the day and its restatement window were over, and the days that the metric looks ahead to are over. A final value that moves all the same is in `metric_revisions`.',
      '- A week or month has the worst status of its days, and is `incomplete` when one of them was not read (before the first day, say); where the last day counts, that day alone decides.',
      '- “Within n days” of a day are that day and the n days after it.',
    ].join('\n'),
    '## What counts as MRR',
    WHAT_COUNTS_AS_MRR,
    '## Looking closer',
    [
      '- `pnpm floyo metrics show` prints values by day, week or month, with how complete provisional ones are.',
      '- `pnpm floyo why <metric> <day>` shows what a value is made of: rows, rates, coverage, runs, revisions.',
      '- `pnpm floyo metrics maturity` shows what share of the final sums is known after 1, 3, 7, 14 and 28 days.',
    ].join('\n'),
    '## Metrics',
    ...sections,
    '## Facts',
    'The columns that formulas are made of, each from one file in `packages/metrics/src/sql/`.',
    toTable(['column', 'file', 'kind', 'looks'], columns),
  ].join('\n\n')}\n`;
}

/** A Markdown table whose cells are padded as the formatter pads them. */
function toTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((text, index) =>
    Math.max(3, text.length, ...rows.map((row) => row[index]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
