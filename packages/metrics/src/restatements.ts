/**
 * The restatement ledger: the sums of an account's day, each time that a reading changed them. Written by the metrics run
 * that follows the reading, for the days that were marked: one row an account, day and currency, none when nothing moved.
 */
import { sql } from 'kysely';

import type { Database, Transaction } from '@floyo/shared/db';

import { AREAS } from './facts/define.ts';

/** Records what moved on the marked days; the facts of ads are there (facts_ads), by account. `now` is an ISO instant: when it was read. @returns how many rows. */
export async function recordRestatements(
  trx: Transaction<Database>,
  options: { readonly now: string; readonly timezone: string; readonly runId: string },
): Promise<number> {
  const { now, timezone } = options;
  await sql`
    create temp table metric_sums on commit drop as
    with ad_days as (
      select distinct m.day from metric_marks m join metric_days d on d.day = m.day and d.facts = 'ads'
      where m.kind = 'day' and m.table_name = 'spend'
    ), shop_days as (
      select distinct day from metric_marks where kind = 'day' and table_name in ('orders', 'refunds')
    ), sums as (
      select f.source, f.account_id, f.day, f.currency, ${now}::timestamptz at time zone f.account_timezone as read_on, f.ad_spend as spend,
        coalesce(f.conversions, 0) as conversions, coalesce(f.conversion_value, 0) as revenue
      from facts_ads f join ad_days d on d.day = f.day
      union all
      select s.source, s.shop, s.date, s.currency, ${now}::timestamptz at time zone ${timezone}, 0, sum(s.orders), sum(s.revenue)
      from (
        select o.source, o.shop, o.date, o.currency, 1 as orders, o.gross_sales - o.discounts as revenue
        from public.orders o join shop_days d on d.day = o.date
        where ops.is_counted_order(o.test, o.financial_status)
        union all
        select o.source, o.shop, r.date, r.currency, 0, -r.returns
        from public.refunds r join shop_days d on d.day = r.date join public.orders o on o.external_id = r.order_external_id
        where ops.is_counted_order(o.test, o.financial_status)
      ) s
      group by s.source, s.shop, s.date, s.currency
    ), last as (
      select distinct on (r.source, r.account_id, r.day, r.currency) r.*
      from ops.restatements r
      where (r.source = any (${AREAS.ads.sources}::text[]) and r.day in (select day from ad_days))
        or (r.source = any (${AREAS.shop.sources}::text[]) and r.day in (select day from shop_days))
      order by r.source, r.account_id, r.day, r.currency, r.read_at desc
    )
    select coalesce(s.source, l.source) as source, coalesce(s.account_id, l.account_id) as account_id, coalesce(s.day, l.day) as day,
      coalesce(s.currency, l.currency) as currency,
      greatest(coalesce(s.read_on, ${now}::timestamptz at time zone ${timezone})::date - coalesce(s.day, l.day), 0) as age_days,
      coalesce(s.spend, 0) as spend, coalesce(s.conversions, 0) as conversions, coalesce(s.revenue, 0) as revenue
    from sums s
    full join last l on l.source = s.source and l.account_id = s.account_id and l.day = s.day and l.currency = s.currency
    where (l.spend, l.conversions, l.revenue) is distinct from
        (coalesce(s.spend, 0), coalesce(s.conversions, 0), coalesce(s.revenue, 0))`.execute(trx);
  const { rows } = await sql`
    insert into ops.restatements as r (source, account_id, day, currency, read_at, age_days, spend, conversions, revenue, run_id)
    select source, account_id, day, currency, ${now}::timestamptz, age_days, spend, conversions, revenue, ${options.runId}::uuid
    from metric_sums
    -- The clock may stand still (FLOYO_NOW): the last state of an instant counts.
    on conflict (source, account_id, day, currency, read_at) do update
    set spend = excluded.spend, conversions = excluded.conversions, revenue = excluded.revenue, run_id = excluded.run_id
    returning 1`.execute(trx);
  return rows.length;
}
