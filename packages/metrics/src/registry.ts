/**
 * Every metric, declared once: what it means and how it comes from the fact columns. The table metric_definitions, the
 * view daily_metrics_wide and the README's table follow from here. To add one: an entry in registry/<area>.ts and, when
 * the facts lack it, a column in facts/<area>.ts and its sql file.
 */
import { COMMERCE } from './registry/commerce.ts';
import type { Metric } from './registry/define.ts';
import { MARKETING } from './registry/marketing.ts';
import { PRODUCT } from './registry/product.ts';
import { SUBSCRIPTIONS } from './registry/subscriptions.ts';

export const METRICS = { ...MARKETING, ...COMMERCE, ...PRODUCT, ...SUBSCRIPTIONS } as const satisfies Record<
  string,
  Metric
>;

export type MetricName = keyof typeof METRICS;
