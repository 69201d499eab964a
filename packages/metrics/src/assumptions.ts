/** What people decide about metrics (METRICS_*): which events count as what, and what a projection assumes. */
import { sql } from 'kysely';

import type { Session } from '@floyo/shared/db';

import { PRODUCT_DEFAULTS, type ProductSettings, readProductSettings } from './product/settings.ts';
import { DEFAULT_GROSS_MARGIN, grossMarginOf } from './registry/subscriptions.ts';

export interface Assumptions extends ProductSettings {
  /** The share of subscription revenue left after what serving it costs, a decimal text. */
  readonly grossMargin: string;
}

export const DEFAULT_ASSUMPTIONS: Assumptions = { ...PRODUCT_DEFAULTS, grossMargin: DEFAULT_GROSS_MARGIN };

/** Those that the stored values were made with; the defaults where nothing was computed yet. */
export async function readAssumptions(db: Session['db']): Promise<Assumptions> {
  const { rows } = await sql<{ version: number }>`
    select version from public.metric_definitions where name = 'ltv_to_cac'`.execute(db);
  const [definition] = rows;
  return {
    ...DEFAULT_ASSUMPTIONS,
    ...(await readProductSettings(db)),
    ...(definition && { grossMargin: grossMarginOf(definition.version) }),
  };
}
