-- Users active in the 7 and 30 days that end on a day, each once.
-- Grain: day (business). Reads ops.user_days once for the days of metric_days and those before them.
-- A user counts from a visit on until the next one, where that counts, or until the stretch is over: so every user has one
-- beginning and one end, and the users of a day are the beginnings less the ends up to it.
with wanted as materialized (
  select day from pg_temp.metric_days where facts = 'rolling_users'
), visits as (
  -- Which user comes first is all the same; comparing bytes is what takes least.
  select u.day, lead(u.day) over (partition by u.user_id collate "C" order by u.day) as next_day
  from ops.user_days u
  where u.active and u.day in (select w.day - back from wanted w cross join generate_series(0, 29) as back)
), moves as (
  select day, 1 as week, 1 as month from visits
  union all
  select least(next_day, day + 7), -1, 0 from visits
  union all
  select least(next_day, day + 30), 0, -1 from visits
), totals as (
  select day, sum(sum(week)) over (order by day) as week, sum(sum(month)) over (order by day) as month
  from (select day, week, month from moves union all select day, 0, 0 from wanted) m
  group by day
)
select w.day, w.day as rate_day, 'posthog' as source, null::text as currency, t.week as active_users_7d, t.month as active_users_30d
from wanted w
join totals t on t.day = w.day
