-- The trials of the subscriptions in metric_marked_subscriptions: ops.trials as it should be. A trial ends when the last
-- version that knows it says so: an extension moves the end, an early conversion too. It was paid for when an invoice
-- over more than 0 was paid on the day of its end or within 14 days of it.
with zone as (
  select reporting_timezone as name from ops.settings
), known as (
  select distinct on (s.external_id, started.day) s.external_id, started.day as started_on,
    (s.trial_end at time zone zone.name)::date as ends_on, s.account, s.livemode
  from public.subscriptions s
  join pg_temp.metric_marked_subscriptions m on m.external_id = s.external_id
  cross join zone
  cross join lateral (select (s.trial_start at time zone zone.name)::date as day) started
  where s.account = 'default' and s.livemode and s.trial_start is not null and s.trial_end is not null
  order by s.external_id, started.day, s.date desc
)
select k.external_id, k.started_on, greatest(k.ends_on, k.started_on) as ends_on, exists (
    select 1 from public.invoices i cross join zone
    where i.subscription_id = substr(k.external_id, length('stripe:') + 1) and i.account = k.account and i.livemode = k.livemode
      and i.amount_paid > 0 and (i.paid_at at time zone zone.name)::date between k.ends_on and k.ends_on + 14
  ) as paid
from known k
