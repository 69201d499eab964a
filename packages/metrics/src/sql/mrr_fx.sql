-- What the change of rates alone made of the monthly value: yesterday's at the day's rate, less the same at yesterday's.
-- Grain: day (business), rate_day (the day and the day before), source, currency. Reads the customers' spans that overlap
-- the days before those of metric_days once. The reporting currency has no rate that could change.
-- Currency XXX: something in another currency was left out for want of a price the day before.
with days as materialized (
  select day from pg_temp.metric_days where facts = 'mrr_fx'
), asked as materialized (
  select min(day) - 1 as first_day, max(day) - 1 as last_day from days
), spans as (
  select m.currency, greatest(m.from_day, a.first_day) as from_day, m.to_day, m.mrr
  from ops.customer_mrr m cross join asked a
  where m.mrr > 0 and m.to_day > a.first_day and m.from_day <= a.last_day
    and m.currency <> (select reporting_currency from ops.settings)
), edges as (
  select day, currency, sum(mrr) as mrr
  from (
    select from_day as day, currency, mrr from spans
    union all
    select s.to_day, s.currency, -s.mrr from spans s cross join asked a where s.to_day <= a.last_day
  ) e
  group by day, currency
), running as (
  select g::date as day, c.currency, sum(e.mrr) over (partition by c.currency order by g) as mrr
  from asked a
  cross join generate_series(a.first_day::timestamp, a.last_day::timestamp, interval '1 day') g
  cross join (select distinct currency from edges) c
  left join edges e on e.day = g::date and e.currency = c.currency
)
select d.day, r.day + n.after as rate_day, 'stripe' as source, r.currency, n.sign * r.mrr as fx_mrr
from running r
join days d on d.day = r.day + 1
cross join (values (0, -1), (1, 1)) n (after, sign)
where r.mrr > 0
union all
select d.day, d.day, 'stripe', 'XXX', 0
from days d
where exists (
  select 1 from ops.mrr_spans s where s.unknown > 0 and s.from_day < d.day and s.to_day >= d.day
    and s.currency <> (select reporting_currency from ops.settings))
