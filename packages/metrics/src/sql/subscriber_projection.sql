-- What a projection of a customer's lifetime needs: of the customers at the beginning of each of the last three stretches
-- of 30 days, how many were lost at its end; and how many customers began in the last 30 days.
-- Grain: day (business), source. Reads the subscribers' spans that overlap the days once.
-- No loss is told where fewer than 30 customers were there at the beginning: then it says nothing, and nothing is made of it.
-- Currency XXX: something is left out for want of a price, on one of the days looked at.
with days as materialized (
  select day from pg_temp.metric_days where facts = 'subscriber_projection'
), asked as materialized (
  select min(day) as first_day, max(day) as last_day from days
), ranges as (
  -- At the beginning of a stretch that ends `after` - 30 days before the day.
  select b.from_day + n.after as from_day, b.to_day + n.after as to_day, 1 as base, 1 as lost, case n.after when 90 then 1 else 0 end as earliest, 0 as began
  from ops.subscriber_spans b cross join (values (30), (60), (90)) n (after)
  union all
  -- At its end too.
  select greatest(b.from_day + n.after, e.from_day + n.after - 30), least(b.to_day + n.after, e.to_day + n.after - 30), 0, -1, 0, 0
  from ops.subscriber_spans b
  join ops.subscriber_spans e on e.customer_id = b.customer_id and e.to_day > b.from_day + 30 and e.from_day < b.to_day + 30
  cross join (values (30), (60), (90)) n (after)
  union all
  select from_day, from_day + 30, 0, 0, 0, 1 from ops.subscriber_spans where is_first
), edges as (
  select day, sum(base) as base, sum(lost) as lost, sum(earliest) as earliest, sum(began) as began
  from (
    select greatest(r.from_day, a.first_day) as day, r.base, r.lost, r.earliest, r.began
    from ranges r cross join asked a where r.from_day <= a.last_day and r.to_day > a.first_day
    union all
    select r.to_day, -r.base, -r.lost, -r.earliest, -r.began
    from ranges r cross join asked a where r.to_day <= a.last_day and r.to_day > a.first_day
  ) e
  group by day
), running as (
  select g::date as day, sum(e.base) over w as base, sum(e.lost) over w as lost, sum(e.earliest) over w as earliest, sum(e.began) over w as began
  from asked a
  cross join generate_series(a.first_day::timestamp, a.last_day::timestamp, interval '1 day') g
  left join edges e on e.day = g::date
  window w as (order by g)
)
select r.day, r.day as rate_day, 'stripe' as source, null::text as currency, r.base as base_subscribers_90d,
  case when r.earliest >= 30 then r.lost else 0 end as lost_subscribers_90d, r.began as new_subscribers_30d
from running r
join days d on d.day = r.day
union all
select d.day, d.day, 'stripe', 'XXX', 0, 0, 0
from days d
where exists (
  select 1 from ops.mrr_spans s cross join (values (0), (30), (60), (90)) n (before)
  where s.unknown > 0 and s.from_day <= d.day - n.before and s.to_day > d.day - n.before)
