-- Trials by the day they began, and those that were paid for within 14 days of their end.
-- Grain: day (business), source. Reads the trials of metric_days once.
select t.started_on as day, t.started_on as rate_day, 'stripe' as source, null::text as currency,
  count(*) as trials_started, count(*) filter (where t.paid) as trials_paid_14d
from ops.trials t
join pg_temp.metric_days d on d.day = t.started_on and d.facts = 'trials'
group by t.started_on
