/** Writes the registry where dashboards find it: metric_definitions and daily_metrics_wide. Documents are in documents.ts. */
import { sql } from 'kysely';

import type { Database, Transaction } from '@floyo/shared/db';

import { deriveMetric } from './formula.ts';
import { METRICS } from './registry.ts';
import type { Metric } from './registry/define.ts';

/** One row of metric_definitions. */
export interface Definition {
  readonly name: string;
  readonly label: string;
  readonly description: string;
  readonly kind: string;
  readonly unit: string;
  readonly direction: string;
  readonly clock: string;
  readonly dimensions: readonly string[];
  readonly sources: readonly string[];
  readonly additivity: string;
  readonly maturity_days: number;
  readonly version: number;
}

/** The registry as rows, in its order. */
export function listDefinitions(metrics: Readonly<Record<string, Metric>> = METRICS): Definition[] {
  return Object.entries(metrics).map(([name, metric]) => {
    const { sources, clock } = deriveMetric(metric);
    return {
      name,
      label: metric.label,
      description: metric.description,
      kind: metric.kind,
      unit: metric.unit,
      direction: metric.direction,
      clock,
      dimensions: metric.dimensions,
      sources,
      additivity: metric.additivity,
      maturity_days: metric.maturityDays,
      version: metric.version,
    };
  });
}

/**
 * Makes metric_definitions what the registry says and daily_metrics_wide follow it; writes nothing when they agree.
 * @returns the names of metrics whose version changed, so that their stored values are of another meaning.
 */
export async function syncDefinitions(
  trx: Transaction<Database>,
  metrics: Readonly<Record<string, Metric>> = METRICS,
): Promise<string[]> {
  const wanted = sql`jsonb_populate_recordset(null::public.metric_definitions, ${JSON.stringify(listDefinitions(metrics))}::jsonb)`;
  const { rows } = await sql<{ name: string }>`
    select d.name from public.metric_definitions d join ${wanted} w on w.name = d.name
    where w.version <> d.version order by d.name`.execute(trx);
  await sql`
    delete from public.metric_definitions d
    where not exists (select 1 from ${wanted} w where w = d)`.execute(trx);
  await addDefinitions(trx, metrics);
  return rows.map((row) => row.name);
}

/**
 * Adds the definitions that metric_definitions lacks, and their columns to daily_metrics_wide. One that is of another
 * version stays until the values are computed again: syncDefinitions has to find it.
 */
export async function addDefinitions(
  trx: Transaction<Database>,
  metrics: Readonly<Record<string, Metric>> = METRICS,
): Promise<void> {
  await sql`
    insert into public.metric_definitions
    select w.* from jsonb_populate_recordset(null::public.metric_definitions, ${JSON.stringify(listDefinitions(metrics))}::jsonb) w
    where not exists (select 1 from public.metric_definitions d where d.name = w.name)`.execute(trx);
  await sql`select ops.refresh_daily_metrics_wide()`.execute(trx);
}
