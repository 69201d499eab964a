-- Refunds: what was given back, on the day the refund was processed; those of test and voided orders left out.
-- Grain: day (business), source, currency. Reads the refunds of metric_days once, with their orders by key.
-- A refund whose order is not stored counts: nothing says that the order was a test, and the money was given back.
select
  r.date as day,
  r.date as rate_day,
  split_part(r.external_id, ':', 1) as source,
  r.currency,
  sum(r.returns) as returns,
  sum(r.shipping) as shipping_returned,
  sum(r.taxes) as taxes_returned
from public.refunds r
join pg_temp.metric_days d on d.day = r.date and d.facts = 'refunds'
left join public.orders o on o.external_id = r.order_external_id
where coalesce(ops.is_counted_order(o.test, o.financial_status), true)
group by r.date, split_part(r.external_id, ':', 1), r.currency
