-- Cohorts: the customers first seen on a day, and what they bought and gave back afterwards, on the day of their first
-- order. Value is gross sales less discounts, less returns of those orders; each within so many days of that day.
-- Grain: day (business, of the first order), rate_day (of the order or of the refund), source, currency; what is counted
-- in people has no currency. Reads the orders of the customers of metric_days once, and their refunds by key.
-- An order without a customer is its own customer. Test and voided orders left out.
with bought as materialized (
  select c.first_day as day, o.date, o.source, o.external_id, o.currency, o.gross_sales - o.discounts as value,
    o.shop, o.customer_id, o.external_id = c.first_order as is_first
  from pg_temp.metric_customers c
  join pg_temp.metric_days d on d.day = c.first_day and d.facts = 'cohorts'
  join public.orders o on o.shop = c.shop and o.customer_id = c.customer_id
  where ops.is_counted_order(o.test, o.financial_status) and o.date between c.first_day and c.first_day + 365
  union all
  select o.date, o.date, o.source, o.external_id, o.currency, o.gross_sales - o.discounts, o.shop, null, true
  from public.orders o
  join pg_temp.metric_days d on d.day = o.date and d.facts = 'cohorts'
  where o.customer_id is null and ops.is_counted_order(o.test, o.financial_status)
)
select
  day,
  date as rate_day,
  source,
  currency,
  0 as cohort_customers,
  0 as cohort_repeaters_90d,
  sum(value) filter (where date <= day + 30) as cohort_value_30d,
  sum(value) filter (where date <= day + 90) as cohort_value_90d,
  sum(value) as cohort_value_365d
from bought
group by day, date, source, currency
union all
select
  b.day,
  r.date,
  b.source,
  r.currency,
  0,
  0,
  -sum(r.returns) filter (where greatest(r.date, b.date) <= b.day + 30),
  -sum(r.returns) filter (where greatest(r.date, b.date) <= b.day + 90),
  -sum(r.returns)
from bought b
join public.refunds r on r.order_external_id = b.external_id
where r.date between b.day and b.day + 365
group by b.day, r.date, b.source, r.currency
union all
select
  day,
  day,
  source,
  null,
  count(*) filter (where is_first),
  count(distinct (shop, customer_id)) filter (where not is_first and date <= day + 90),
  0,
  0,
  0
from bought
group by day, source
