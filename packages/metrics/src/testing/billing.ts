/** Subscriptions put in as rows, as the webhook leaves them: for the tests of subscription metrics. */
import { sql } from 'kysely';
import { Temporal } from 'temporal-polyfill';

import { dayOf } from '@floyo/shared/window';

import type { NeededAccount } from '../expected.ts';
import type { World } from './world.ts';

export const STRIPE: NeededAccount = { source: 'stripe', accountId: 'default', stream: 'events' };

/** A price in minor units of its currency, a month unless told; `product` is what coupons name. */
export function price(unitAmount: string, rest: object = {}): object {
  return {
    id: `price_${unitAmount}`,
    product: 'prod_1',
    currency: 'usd',
    type: 'recurring',
    billing_scheme: 'per_unit',
    tiers_mode: null,
    tiers: null,
    unit_amount: unitAmount,
    transform: null,
    usage_type: 'licensed',
    interval: 'month',
    interval_count: 1,
    tax_behavior: 'unspecified',
    ...rest,
  };
}

/** A subscription item. */
export function item(of: object, rest: object = {}): object {
  return {
    id: 'si_1',
    quantity: 1,
    current_period_start: null,
    current_period_end: null,
    price: of,
    discounts: [],
    inclusive_tax_percent: null,
    ...rest,
  };
}

/** A discount by a coupon of 50 % for ever, unless told. */
export function discount(coupon: object = {}, dates: object = {}): object {
  return {
    id: 'di_1',
    coupon: {
      id: 'coupon_1',
      percent_off: '50',
      amount_off: null,
      currency: null,
      duration: 'forever',
      duration_in_months: null,
      applies_to: null,
      ...coupon,
    },
    start: '2026-01-01T00:00:00Z',
    end: null,
    ...dates,
  };
}

/** One version of a subscription. What is left out is active, of one item of 10.00 USD a month. */
export interface Version {
  readonly id: string;
  /** When it was so; the row's day is that of the zone. */
  readonly at: string;
  readonly customer?: string;
  readonly status?: string;
  readonly currency?: string;
  readonly items?: readonly object[];
  readonly discounts?: readonly object[];
  readonly account?: string;
  readonly livemode?: boolean;
  readonly started_at?: string;
  readonly trial_start?: string | null;
  readonly trial_end?: string | null;
  readonly pause_behavior?: string | null;
  readonly cancel_at?: string | null;
  readonly cancel_at_period_end?: boolean;
  readonly current_period_end?: string | null;
  readonly ended_at?: string | null;
  readonly cancellation_reason?: string | null;
  readonly reconstructed?: boolean;
}

/** Inserts versions, each on its business day in the zone; the last of a day is the one that stays. */
export async function insertVersions(
  world: World,
  versions: readonly Version[],
  timezone = 'UTC',
): Promise<void> {
  const rows = versions.map((version) => ({
    external_id: `stripe:${version.id}`,
    date: dayOf(Temporal.Instant.from(version.at), timezone),
    at: version.at,
    account: version.account ?? 'default',
    livemode: version.livemode ?? true,
    customer_id: version.customer ?? `cus_${version.id}`,
    status: version.status ?? 'active',
    currency: version.currency ?? 'USD',
    items: version.items ?? [item(price('1000'))],
    discounts: version.discounts ?? [],
    created_at: version.started_at ?? version.at,
    started_at: version.started_at ?? version.at,
    trial_start: version.trial_start ?? null,
    trial_end: version.trial_end ?? null,
    pause_behavior: version.pause_behavior ?? null,
    cancel_at: version.cancel_at ?? null,
    cancel_at_period_end: version.cancel_at_period_end ?? false,
    current_period_end: version.current_period_end ?? null,
    ended_at: version.ended_at ?? null,
    cancellation_reason: version.cancellation_reason ?? null,
    reconstructed: version.reconstructed ?? false,
  }));
  await sql`
    insert into public.subscriptions as s (external_id, date, account, livemode, customer_id, status, currency, items, discounts, created_at,
      started_at, stripe_event_created, source, trial_start, trial_end, pause_behavior, cancel_at, cancel_at_period_end, current_period_end, ended_at,
      cancellation_reason, reconstructed)
    select distinct on (v.external_id, v.date) v.external_id, v.date, v.account, v.livemode, v.customer_id, v.status, v.currency, v.items, v.discounts, v.created_at, v.started_at, v.at, 'events', v.trial_start, v.trial_end,
      v.pause_behavior, v.cancel_at, v.cancel_at_period_end, v.current_period_end, v.ended_at, v.cancellation_reason, v.reconstructed
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as v (external_id text, date date, at timestamptz, account text, livemode boolean,
      customer_id text, status text, currency text, items jsonb, discounts jsonb, created_at timestamptz, started_at timestamptz,
      trial_start timestamptz, trial_end timestamptz, pause_behavior text, cancel_at timestamptz, cancel_at_period_end boolean,
      current_period_end timestamptz, ended_at timestamptz, cancellation_reason text, reconstructed boolean)
    order by v.external_id, v.date, v.at desc
    on conflict (external_id, date) do update set stripe_event_created = excluded.stripe_event_created, status = excluded.status, currency = excluded.currency, customer_id = excluded.customer_id,
      items = excluded.items, discounts = excluded.discounts, trial_start = excluded.trial_start, trial_end = excluded.trial_end,
      pause_behavior = excluded.pause_behavior, cancel_at = excluded.cancel_at, cancel_at_period_end = excluded.cancel_at_period_end,
      current_period_end = excluded.current_period_end, ended_at = excluded.ended_at, cancellation_reason = excluded.cancellation_reason`.execute(
    world.db,
  );
}

/** Days where the change of MRR is not exactly what the movements say, in the reporting currency and in each currency. */
export async function findBrokenDays(world: World): Promise<unknown[]> {
  const { rows } = await world.query(`
    with wide as (
      select date, lag(date) over (order by date) as day_before, mrr - lag(mrr) over (order by date) as change,
        new_mrr + reactivation_mrr + expansion_mrr - contraction_mrr - churned_mrr + fx_mrr as moved
      from daily_metrics_wide
    )
    select date::text, 'all' as currency, change, moved from wide
    where day_before = date - 1 and change is distinct from moved
    union all
    select d.day::date::text, d.currency, d.mrr - d.mrr_before, d.moved
    from (
      select g as day, c.currency,
        (select coalesce(sum(s.mrr), 0) from ops.mrr_spans s where s.currency = c.currency and g::date >= s.from_day and g::date < s.to_day) as mrr,
        (select coalesce(sum(s.mrr), 0) from ops.mrr_spans s where s.currency = c.currency and g::date > s.from_day and g::date <= s.to_day) as mrr_before,
        (select coalesce(sum(m.mrr - m.before), 0) from ops.customer_mrr m where m.currency = c.currency and m.from_day = g::date) as moved
      from generate_series((select min(from_day) from ops.mrr_spans)::timestamp, (select max(date) from daily_metrics)::timestamp, '1 day') g
      cross join (select distinct currency from ops.mrr_spans) c
    ) d
    where d.mrr - d.mrr_before <> d.moved`);
  return rows;
}
