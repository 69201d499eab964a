-- Orders and what came back of them within 30 days, on the day of the order; test and voided orders left out.
-- Grain: day (business, of the order), rate_day (of the order or of the refund), source, currency.
-- Reads the orders of metric_days once, and their refunds by key.
with counted as materialized (
  select o.date as day, o.source, o.external_id, o.currency, o.gross_sales
  from public.orders o
  join pg_temp.metric_days d on d.day = o.date and d.facts = 'order_returns'
  where ops.is_counted_order(o.test, o.financial_status)
)
select day, day as rate_day, source, currency, sum(gross_sales) as sold, 0 as returned_30d
from counted
group by day, source, currency
union all
select o.day, r.date, o.source, r.currency, 0, sum(r.returns)
from counted o
join public.refunds r on r.order_external_id = o.external_id
where r.date between o.day and o.day + 30
group by o.day, r.date, o.source, r.currency
