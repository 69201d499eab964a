-- How the monthly value of each customer and currency moved from the end of the day before to the end of the day.
-- Grain: day (business), source, currency; what is counted in customers has no currency. Reads the movements and the
-- subscribers' beginnings and ends of metric_days by key.
-- Currency XXX: something is left out for want of a price, on the day or the day before.
with days as materialized (
  select day from pg_temp.metric_days where facts = 'mrr_movements'
)
select
  m.from_day as day,
  m.from_day as rate_day,
  'stripe' as source,
  m.currency,
  sum(m.mrr) filter (where m.movement = 'new') as new_mrr,
  sum(m.mrr) filter (where m.movement = 'reactivation') as reactivation_mrr,
  sum(m.mrr - m.before) filter (where m.movement = 'expansion') as expansion_mrr,
  sum(m.before - m.mrr) filter (where m.movement = 'contraction') as contraction_mrr,
  sum(m.before) filter (where m.movement = 'churn') as churned_mrr,
  sum(m.before) filter (where m.movement = 'churn' and m.reason = 'voluntary') as voluntary_churned_mrr,
  sum(m.before) filter (where m.movement = 'churn' and m.reason = 'involuntary') as involuntary_churned_mrr,
  0 as new_subscribers,
  0 as churned_subscribers,
  0 as voluntary_churned_subscribers,
  0 as involuntary_churned_subscribers
from ops.customer_mrr m
join days d on d.day = m.from_day
group by m.from_day, m.currency
union all
select s.from_day, s.from_day, 'stripe', null, 0, 0, 0, 0, 0, 0, 0, count(*), 0, 0, 0
from ops.subscriber_spans s
join days d on d.day = s.from_day
where s.is_first
group by s.from_day
union all
select s.to_day, s.to_day, 'stripe', null, 0, 0, 0, 0, 0, 0, 0, 0, count(*), count(*) filter (where s.reason = 'voluntary'),
  count(*) filter (where s.reason = 'involuntary')
from ops.subscriber_spans s
join days d on d.day = s.to_day
group by s.to_day
union all
select d.day, d.day, 'stripe', 'XXX', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
from days d
where exists (select 1 from ops.mrr_spans s where s.unknown > 0 and s.from_day <= d.day and s.to_day >= d.day)
