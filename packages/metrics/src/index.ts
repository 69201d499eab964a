/** The door of the package: what a pipeline needs to compute metrics and to document them. */
export { listDefinitions, syncDefinitions } from './definitions.ts';
export type { NeededAccount } from './expected.ts';
export { METRICS, type Metric, type MetricName } from './registry.ts';
export { runMetrics, type MetricsOptions, type MetricsRequest, type MetricsResult } from './run.ts';
export type { MetricsWarning } from './warnings.ts';
export { CURVE_AGES, estimateCompleteness, readMaturityCurve } from './completeness.ts';
export { explainMetric, type Explanation, parseMetricId } from './explain.ts';
