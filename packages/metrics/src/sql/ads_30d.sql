-- Ad spend of the 30 days that end on the day, each at the rate of its own day.
-- Grain: day (the ad account's own), rate_day (of the spend), source, currency. Reads spend once, over the stretches of the
-- days of metric_days.
with days as materialized (
  select day from pg_temp.metric_days where facts = 'ads_30d'
), spent as materialized (
  select s.date, s.source, s.currency, sum(s.spend) as spend
  from public.spend s
  where s.date > (select min(day) - 30 from days) and s.date <= (select max(day) from days)
  group by s.date, s.source, s.currency
)
select d.day, s.date as rate_day, s.source, s.currency, s.spend as ad_spend_30d
from days d
join spent s on s.date between d.day - 29 and d.day
