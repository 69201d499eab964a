/** The door of the package: what a pipeline needs to compute metrics and to document them. */
export { definitionsTable, listDefinitions, syncDefinitions } from './definitions.ts';
export type { NeededAccount } from './due-days.ts';
export { METRICS, type Metric, type MetricName } from './registry.ts';
export { runMetrics, type MetricsOptions, type MetricsResult, type MetricsWarning } from './run.ts';
