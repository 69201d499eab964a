-- What became of the customers of 30 days ago: each customer's monthly value in a currency then against that now, and
-- whether the customer still has any. Point to point: what came and went in between is no churn.
-- Grain: day (business), rate_day (30 days before: the base's, so that rates move no retention), source, currency; what
-- is counted in customers has no currency. Reads the customers' spans that overlap the days once, each met with those of
-- the same customer 30 days later.
-- Currency XXX: something is left out for want of a price, now or then.
with days as materialized (
  select day from pg_temp.metric_days where facts = 'mrr_retention'
), asked as materialized (
  select min(day) as first_day, max(day) as last_day from days
), ranges as (
  select b.currency, greatest(b.from_day + 30, n.from_day, a.first_day) as from_day, least(b.to_day + 30, n.to_day) as to_day,
    b.mrr as base, greatest(b.mrr - n.mrr, 0) as lost, greatest(n.mrr - b.mrr, 0) as expanded, 0 as customers, 0 as customers_lost
  from ops.customer_mrr b
  cross join asked a
  join ops.customer_mrr n on n.customer_id = b.customer_id and n.currency = b.currency
    and n.to_day > b.from_day + 30 and n.from_day < b.to_day + 30
  where b.mrr > 0 and b.to_day + 30 > a.first_day and b.from_day + 30 <= a.last_day
    and n.to_day > a.first_day and n.from_day <= a.last_day
  union all
  select null, greatest(b.from_day + 30, a.first_day), b.to_day + 30, 0, 0, 0, 1, 1
  from ops.subscriber_spans b cross join asked a
  where b.to_day + 30 > a.first_day and b.from_day + 30 <= a.last_day
  union all
  select null, greatest(b.from_day + 30, n.from_day, a.first_day), least(b.to_day + 30, n.to_day), 0, 0, 0, 0, -1
  from ops.subscriber_spans b
  cross join asked a
  join ops.subscriber_spans n on n.customer_id = b.customer_id and n.to_day > b.from_day + 30 and n.from_day < b.to_day + 30
  where b.to_day + 30 > a.first_day and b.from_day + 30 <= a.last_day and n.to_day > a.first_day and n.from_day <= a.last_day
), edges as (
  select day, currency, sum(base) as base, sum(lost) as lost, sum(expanded) as expanded, sum(customers) as customers,
    sum(customers_lost) as customers_lost
  from (
    select from_day as day, currency, base, lost, expanded, customers, customers_lost from ranges where from_day < to_day
    union all
    select r.to_day, r.currency, -r.base, -r.lost, -r.expanded, -r.customers, -r.customers_lost
    from ranges r cross join asked a where r.from_day < r.to_day and r.to_day <= a.last_day
  ) e
  group by day, currency
), running as (
  select g::date as day, c.currency, sum(e.base) over w as base, sum(e.lost) over w as lost, sum(e.expanded) over w as expanded,
    sum(e.customers) over w as customers, sum(e.customers_lost) over w as customers_lost
  from asked a
  cross join generate_series(a.first_day::timestamp, a.last_day::timestamp, interval '1 day') g
  cross join (select distinct currency from edges) c
  left join edges e on e.day = g::date and e.currency is not distinct from c.currency
  window w as (partition by c.currency order by g)
)
-- trim_scale: see mrr.sql.
select r.day, r.day - 30 as rate_day, 'stripe' as source, r.currency, trim_scale(r.base) as base_mrr_30d,
  trim_scale(r.lost) as lost_mrr_30d, trim_scale(r.expanded) as expanded_mrr_30d, r.customers as base_subscribers_30d, r.customers_lost as lost_subscribers_30d
from running r
join days d on d.day = r.day
where r.base > 0 or r.customers > 0
union all
select d.day, d.day, 'stripe', 'XXX', 0, 0, 0, 0, 0
from days d
where exists (
  select 1 from ops.mrr_spans s where s.unknown > 0
    and ((s.from_day <= d.day and s.to_day > d.day) or (s.from_day <= d.day - 30 and s.to_day > d.day - 30)))
