/**
 * `pnpm demo`: the whole pipeline from nothing, on an embedded Postgres of its own and local servers that speak the
 * vendors' protocols. Two days pass, a quarter of ads and two years of billing are backfilled, and the metrics are shown.
 */
import { join } from 'node:path';

import { sql } from 'kysely';
import { Temporal } from 'temporal-polyfill';

import { readExperiments } from '@floyo/metrics';
import { removeEmbedded } from '@floyo/shared/embedded';
import { PipelineError } from '@floyo/shared/errors';
import { addDays, dayOf } from '@floyo/shared/window';

import { type App, createApp, openAppDatabase, print, runWatched } from '../app.ts';
import type { Database } from '../database.ts';
import { planDemoExperiments } from '../demo-experiments.ts';
import { formatSubscriptionMonths, readSubscriptionMonths } from '../demo-subscriptions.ts';
import { type DemoVendors, formatExports, startDemoVendors } from '../demo-vendors.ts';
import { formatExperiment } from '../print/experiments.ts';
import { formatRun } from '../print/run-printer.ts';
import { formatTable, paint } from '../print/style.ts';
import type { RunDocument } from '../run.ts';

const DAYS_SHOWN = 10;
const BACKFILL_DAYS = 90;
const BILLING_DAYS = 730;

export async function demoCommand(base: App, options: { readonly keep?: boolean }): Promise<number> {
  const home = join(base.settings.config.home, 'demo');
  if (!(await removeEmbedded(home)))
    throw new PipelineError({
      type: 'lock',
      message: `Another demo is using ${home}`,
      advice:
        'Stop it first (it may have been started with --keep), or give this one a folder of its own with FLOYO_HOME.',
    });
  const now = Temporal.Instant.from(
    base.settings.config.now ?? Temporal.Now.instant().toString({ smallestUnit: 'second' }),
  );
  const yesterday = now.subtract({ hours: 24 });
  await using vendors = await startDemoVendors(yesterday, { FLOYO_HOME: home, ...passedOn(base.env) });
  const at = (instant: Temporal.Instant) => {
    vendors.moveTo(instant);
    return createApp({ ...base, env: vendors.env() }, base.json);
  };
  const say = (text: string) => base.streams.stderr.write(`\n${paint('bold', text, base.streams.stderr)}\n`);

  const first = at(yesterday);
  await using database = await openAppDatabase(first);
  await planDemoExperiments(database.session, yesterday, first.settings.config.reporting.timezone);
  const documents: RunDocument[] = [];
  const run = async (app: App, work: Parameters<typeof runWatched>[2]['work'], only?: string) => {
    const sources = app.settings.sources.filter(
      ({ connector }) => only === undefined || connector.source === only,
    );
    documents.push(
      await runWatched(app, database, { kind: 'demo', sources, work, waitMs: 60_000, skipWhenBusy: false }),
    );
  };
  say(`1. A first run, as of ${yesterday.toString()}: ads from 28 days back, orders from 60`);
  await run(first, { kind: 'scheduled' });
  say('2. A day later: new days arrive, the vendors restate old ones, orders are refunded');
  const second = at(now);
  await run(second, { kind: 'scheduled' });
  say(`3. A backfill of ${BACKFILL_DAYS} days of Meta ads, newest first`);
  const today = dayOf(now, 'UTC');
  await run(
    second,
    { kind: 'backfill', window: { from: addDays(today, -BACKFILL_DAYS), to: today } },
    'meta',
  );
  say("4. A backfill of two years of billing; what was before Stripe's events is rebuilt from its invoices");
  await run(
    second,
    { kind: 'backfill', window: { from: addDays(today, -BILLING_DAYS), to: today } },
    'stripe',
  );

  const metrics = await readMetrics(database, addDays(today, -DAYS_SHOWN), SHOWN);
  const product = await readMetrics(database, addDays(today, -DAYS_SHOWN), SHOWN_OF_PRODUCT);
  const experiments = await readExperiments(database.session.db);
  const months = await readSubscriptionMonths(database.session);
  const { currency } = second.settings.config.reporting;
  print(
    base,
    { runs: documents, months, metrics, product, experiments },
    [
      ...documents.map((document) => formatRun(document, base.streams)),
      '',
      `Subscriptions month by month, amounts in ${currency}:`,
      formatSubscriptionMonths(months),
      '',
      `Daily metrics, amounts in ${currency}:`,
      formatMetrics(metrics, SHOWN),
      '',
      'What users do (a share is there once its days are over):',
      formatMetrics(product, SHOWN_OF_PRODUCT),
      '',
      ...experiments.flatMap((experiment) => [formatExperiment(experiment, base.streams.stdout), '']),
      `Look around: FLOYO_HOME=${home} pnpm floyo status`,
      'Or keep it running, database and vendors, with: pnpm demo --keep',
    ].join('\n'),
  );
  if (options.keep === true) await stayUp(base, database, vendors);
  return documents.every(({ status }) => status === 'succeeded') ? 0 : 1;
}

/** A demo shows what the project does, not what the environment of its user is set to. */
function passedOn(env: App['env']): Record<string, string> {
  const names = ['FLOYO_LOG_LEVEL', 'GITHUB_ACTIONS', 'GITHUB_STEP_SUMMARY'];
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}

const SHOWN = [
  'ad_spend',
  'orders',
  'net_sales',
  'aov',
  'new_customers',
  'cac',
  'blended_roas',
  'mrr',
] as const;
const SHOWN_OF_PRODUCT = [
  'signups',
  'activation_rate_7d',
  'retention_d1',
  'retention_d7',
  'dau',
  'wau',
  'mau_30',
  'suggestion_adoption_rate',
] as const;

interface MetricsDay {
  readonly date: string;
  readonly status: string;
  readonly values: Readonly<Record<string, string | null>>;
}

async function readMetrics(
  { session }: Database,
  since: string,
  names: readonly string[],
): Promise<MetricsDay[]> {
  const { rows } = await sql<{ date: string; status: string; values: Record<string, string | null> }>`
    select date,
      case when bool_or(status = 'incomplete') then 'incomplete' when bool_or(status = 'provisional') then 'provisional' else 'final' end as status,
      jsonb_object_agg(metric, case unit when 'count' then round(value)::text when 'fraction' then round(100 * value, 1) || ' %' else round(value, 2)::text end) as values
    from daily_metrics where dimensions = '{}' and metric = any (${sql.val([...names])}) and date > ${since}::date
    group by date order by date`.execute(session.db);
  return rows;
}

function formatMetrics(days: readonly MetricsDay[], names: readonly string[]): string {
  const rows = days.map(({ date, status, values }) => [
    date,
    ...names.map((name) => values[name] ?? '–'),
    status,
  ]);
  return formatTable(
    ['day', ...names, 'status'],
    rows,
    names.map((_, index) => index + 1),
  );
}

async function stayUp(app: App, database: Database, vendors: DemoVendors): Promise<void> {
  app.streams.stderr.write(
    `\nDatabase: ${database.url}\nVendors, to be used from another terminal:\n${formatExports(vendors.env())}\nStop with Ctrl-C.\n`,
  );
  await new Promise<void>((resolve) => {
    app.signal.addEventListener('abort', () => resolve(), { once: true });
    if (app.signal.aborted) resolve();
  });
}
