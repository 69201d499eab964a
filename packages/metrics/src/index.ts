/** The door of the package: what a pipeline needs to compute metrics and to document them. */
export { type Assumptions, DEFAULT_ASSUMPTIONS, readAssumptions } from './assumptions.ts';
export { addDefinitions, listDefinitions } from './definitions.ts';
export type { NeededAccount } from './expected.ts';
export { METRICS, type MetricName } from './registry.ts';
export type { Metric } from './registry/define.ts';
export { runMetrics, type MetricsOptions, type MetricsRequest, type MetricsResult } from './run.ts';
export type { ReadVersion } from './subscriptions/rezone.ts';
export type { MetricsWarning } from './warnings.ts';
export { CURVE_AGES, estimateCompleteness, readMaturityCurve } from './completeness.ts';
export { explainMetric, type Explanation, parseMetricId } from './explain.ts';
export {
  createExperiment,
  type Experiment,
  type ExperimentInput,
  stopExperiment,
} from './experiments/define.ts';
export { type ExperimentReport, readExperiments, type VariantResult } from './experiments/report.ts';
