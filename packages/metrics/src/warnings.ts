/** What a metrics run tells people: missing rates, final values that moved, a check that failed. Texts only. */
import { type ErrorType, PipelineError, type Severity } from '@floyo/shared/errors';
import { addDays, joinDays } from '@floyo/shared/window';

import type { CheckResult } from './check.ts';
import type { MissingRate } from './compute.ts';
import { UNPRICED } from './facts/define.ts';
import type { Revision } from './revisions.ts';

/** Fit for ops.errors: the parts of a PipelineError. */
export interface MetricsWarning {
  readonly type: ErrorType;
  readonly severity: Severity;
  readonly message: string;
  readonly advice: string;
  readonly context: Readonly<Record<string, unknown>>;
}

/** How many are named in a message. */
const NAMED = 3;

/** One warning a currency. */
export function describeMissing(
  missing: readonly MissingRate[],
  reportingCurrency: string,
): MetricsWarning[] {
  return [...Map.groupBy(missing, (rate) => rate.currency)].map(([currency, rates]) => {
    const days = rates.map((rate) => rate.day);
    const spans = joinDays(days).map(({ from, to }) => {
      const last = addDays(to, -1);
      return from === last ? from : `${from} to ${last}`;
    });
    if (currency === UNPRICED)
      return {
        type: 'upstream',
        severity: 'P2',
        message: `The price or discount of subscription items is not known for ${spans.join(', ')}: their subscriptions are left out of MRR on these days`,
        advice:
          'Run floyo etl stripe: it reads what events leave out (tiers, coupons) from the API. ops.mrr_spans with unknown > 0 names the subscriptions. The days are computed again by themselves.',
        context: { days },
      };
    return {
      type: 'upstream',
      severity: 'P2',
      message: `No rate from ${currency} to ${reportingCurrency} for ${spans.join(', ')}: amounts in ${currency} are left out of these days`,
      advice: `Run floyo etl fx if the ECB publishes ${currency}; else add it to FX_FIXED_RATES (units per 1 EUR). The days are computed again by themselves.`,
      context: { currency, reporting_currency: reportingCurrency, days },
    };
  });
}

/** One warning for all of them. */
export function describeRevisions(moved: readonly Revision[]): MetricsWarning[] {
  if (moved.length === 0) return [];
  const named = moved
    .slice(0, NAMED)
    .map(
      ({ external_id, date, old_value, new_value, cause }) =>
        `${external_id} of ${date} from ${old_value ?? 'null'} to ${new_value ?? 'null'} (${cause})`,
    );
  const more = moved.length > NAMED ? ` and ${moved.length - NAMED} more` : '';
  const [first] = moved;
  return [
    {
      type: 'drift',
      severity: 'P3',
      message: `${moved.length === 1 ? 'A final value moved' : `${moved.length} final values moved`}: ${named.join('; ')}${more}`,
      advice: `floyo why ${first?.external_id ?? ''} ${first?.date ?? ''} shows what is behind one; the table metric_revisions has all.`,
      context: { count: moved.length, examples: moved.slice(0, NAMED) },
    },
  ];
}

/** Refunds that a rezone could not move. */
export function describeRefunds(count: number): MetricsWarning[] {
  if (count === 0) return [];
  return [
    {
      type: 'upstream',
      severity: 'P2',
      message: `${count} refunds keep the day of the former time zone: when they were processed is not stored`,
      advice: 'Read them again with floyo backfill --source shopify over their orders’ days.',
      context: { count },
    },
  ];
}

/** Events of subscriptions that a rezone could not read. */
export function describeVersions(count: number): MetricsWarning[] {
  if (count === 0) return [];
  return [
    {
      type: 'contract',
      severity: 'P2',
      message: `${count} of Stripe's events can no longer be read: where another zone makes one of them the last of its day, that day's subscription is as it was the day before`,
      advice:
        "billing_events has their payloads: a fix of the webhook's mapping, then --rezone to another zone and back.",
      context: { count },
    },
  ];
}

/** Days of events that a rezone could not move. */
export function describeEvents(
  days: { readonly from: string; readonly to: string } | null,
): MetricsWarning[] {
  if (days === null) return [];
  return [
    {
      type: 'upstream',
      severity: 'P2',
      message: `Product metrics of ${days.from} to ${days.to} are unknown until their events are read again: they were counted by the days of the former time zone`,
      advice: `The next runs read the last weeks; for the rest run floyo backfill --source posthog --from ${days.from} --to ${days.to}.`,
      context: days,
    },
  ];
}

/** The P1 that a failed check is. */
export function failOfCheck({ mismatches, days, examples }: CheckResult): PipelineError {
  const named = examples
    .slice(0, NAMED)
    .map(
      ({ external_id, date, stored, computed, stored_as, computed_as }) =>
        `${external_id} of ${date} is ${describeValue(stored, stored_as)}, computed anew ${describeValue(computed, computed_as)}`,
    );
  const more = mismatches > NAMED ? ` and ${mismatches - NAMED} more` : '';
  return new PipelineError({
    type: 'internal',
    severity: 'P1',
    message: `Stored metrics are not those of a full recompute of the last ${days} days: ${named.join('; ')}${more}`,
    advice:
      'The next run computes these days again. Somebody wrote to daily_metrics, or changed source rows with triggers off; if neither, it is a bug in what marks days.',
    context: { mismatches, examples },
  });
}

/** The status may be all that differs. */
function describeValue(value: string | null, differing: string | null = null): string {
  return `${value ?? 'null'}${differing === null ? '' : ` (${differing})`}`;
}
