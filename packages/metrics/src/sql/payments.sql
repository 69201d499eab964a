-- Cash of the day from Stripe: what was paid less what was given back or lost in disputes, and what Stripe kept of it.
-- Grain: day (business), source, currency. Reads payments once, for the days of metric_days. The platform's own live account.
select
  p.date as day,
  p.date as rate_day,
  'stripe' as source,
  upper(p.currency) as currency,
  sum(case p.kind when 'charge' then p.amount when 'refund' then -p.amount when 'dispute' then -p.amount else 0 end) as subscription_revenue,
  coalesce(sum(p.amount) filter (where p.kind = 'fee'), 0) as payment_fees
from public.payments p
join pg_temp.metric_days d on d.day = p.date and d.facts = 'payments'
where p.account = 'default' and p.livemode and p.counted
group by p.date, upper(p.currency)
