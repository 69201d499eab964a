-- Orders and who placed them; test and voided orders left out.
-- Grain: day (business), source, currency; what is counted in people and not in money has no currency.
-- Reads the orders of metric_days once, and metric_customers for who is new.
with counted as materialized (
  select o.date as day, o.source, o.currency, o.shop, o.customer_id, o.gross_sales, o.discounts, o.shipping, o.taxes
  from public.orders o
  join pg_temp.metric_days d on d.day = o.date and d.facts = 'orders'
  where ops.is_counted_order(o.test, o.financial_status)
), customer_days as (
  select distinct day, source, shop, customer_id from counted where customer_id is not null
)
select
  day,
  day as rate_day,
  source,
  currency,
  count(*) as orders,
  sum(gross_sales) as gross_sales,
  sum(discounts) as discounts,
  sum(shipping) as shipping,
  sum(taxes) as taxes,
  -- An order without a customer is its own customer.
  count(*) filter (where customer_id is null) as new_customers,
  0 as returning_customers
from counted
group by day, source, currency
union all
select
  p.day,
  p.day,
  p.source,
  null,
  0,
  0,
  0,
  0,
  0,
  count(*) filter (where c.first_day = p.day),
  count(*) filter (where c.first_day < p.day)
from customer_days p
join pg_temp.metric_customers c on c.shop = p.shop and c.customer_id = p.customer_id
group by p.day, p.source
