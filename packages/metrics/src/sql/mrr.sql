-- What subscriptions are worth a month at the end of the day, and how many customers have any.
-- Grain: day (business), source, currency; what is counted in customers has no currency. Reads the spans that overlap the
-- days of metric_days once, adds them up where they begin and takes them away where they end.
-- Currency XXX: something is left out for want of a price (see facts/define.ts).
with days as materialized (
  select day from pg_temp.metric_days where facts = 'mrr'
), asked as materialized (
  select min(day) as first_day, max(day) as last_day from days
), spans as (
  select s.currency, greatest(s.from_day, a.first_day) as from_day, s.to_day, s.mrr,
    case when s.at_risk then s.mrr else 0 end as mrr_at_risk, case when s.ends then s.mrr else 0 end as mrr_scheduled_churn, 0 as subscribers
  from ops.mrr_spans s cross join asked a
  where s.mrr > 0 and s.to_day > a.first_day and s.from_day <= a.last_day
  union all
  select null, greatest(s.from_day, a.first_day), s.to_day, 0, 0, 0, 1
  from ops.subscriber_spans s cross join asked a
  where s.to_day > a.first_day and s.from_day <= a.last_day
), edges as (
  select day, currency, sum(mrr) as mrr, sum(mrr_at_risk) as mrr_at_risk, sum(mrr_scheduled_churn) as mrr_scheduled_churn,
    sum(subscribers) as subscribers
  from (
    select from_day as day, currency, mrr, mrr_at_risk, mrr_scheduled_churn, subscribers from spans
    union all
    select s.to_day, s.currency, -s.mrr, -s.mrr_at_risk, -s.mrr_scheduled_churn, -s.subscribers
    from spans s cross join asked a where s.to_day <= a.last_day
  ) e
  group by day, currency
), running as (
  select g::date as day, c.currency, sum(e.mrr) over w as mrr, sum(e.mrr_at_risk) over w as mrr_at_risk,
    sum(e.mrr_scheduled_churn) over w as mrr_scheduled_churn, sum(e.subscribers) over w as subscribers
  from asked a
  cross join generate_series(a.first_day::timestamp, a.last_day::timestamp, interval '1 day') g
  cross join (select distinct currency from edges) c
  left join edges e on e.day = g::date and e.currency is not distinct from c.currency
  window w as (partition by c.currency order by g)
)
-- A running sum keeps the digits of everything it has seen, so that the same value had more zeros, and its quotients more
-- digits, the earlier the days asked for begin.
select r.day, r.day as rate_day, 'stripe' as source, r.currency, trim_scale(r.mrr) as mrr, trim_scale(r.mrr_at_risk) as mrr_at_risk,
  trim_scale(r.mrr_scheduled_churn) as mrr_scheduled_churn, r.subscribers as active_subscribers
from running r
join days d on d.day = r.day
where r.mrr > 0 or r.subscribers > 0
union all
select d.day, d.day, 'stripe', 'XXX', 0, 0, 0, 0
from days d
where exists (select 1 from ops.mrr_spans s where s.unknown > 0 and s.from_day <= d.day and s.to_day > d.day)
