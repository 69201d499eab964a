-- First orders: the order that made somebody a customer, for everybody with an order on a day of orders or cohorts.
-- Grain: shop, customer. Not a fact group: orders.sql and cohorts.sql both read it. Test and voided orders left out.
-- One index lookup a customer, so that it costs in proportion to the days.
select c.shop, c.customer_id, f.first_day, f.first_order
from (
  select distinct o.shop, o.customer_id
  from public.orders o
  where o.date in (select d.day from pg_temp.metric_days d where d.facts in ('orders', 'cohorts'))
    and o.customer_id is not null and ops.is_counted_order(o.test, o.financial_status)
) c
cross join lateral (
  select o.date as first_day, o.external_id as first_order
  from public.orders o
  where o.shop = c.shop and o.customer_id = c.customer_id and ops.is_counted_order(o.test, o.financial_status)
  -- Ids are numbers in text: the shorter one is the smaller one.
  order by o.processed_at, length(o.external_id), o.external_id
  limit 1
) f
