-- The customers in metric_marked_customers by currency: ops.customer_mrr as it should be. A row a change of the sum of
-- a customer's subscriptions, with the movement that it is: reactivation is asked before expansion.
with points as (
  select p.customer_id, p.currency, p.day, sum(p.delta) as delta
  from (
    select s.customer_id, s.currency, s.from_day as day, s.mrr as delta
    from ops.mrr_spans s join pg_temp.metric_marked_customers c on c.customer_id = s.customer_id where s.mrr > 0
    union all
    select s.customer_id, s.currency, s.to_day, -s.mrr
    from ops.mrr_spans s join pg_temp.metric_marked_customers c on c.customer_id = s.customer_id
    where s.mrr > 0 and s.to_day < 'infinity'
  ) p
  group by p.customer_id, p.currency, p.day
  having sum(p.delta) <> 0
), running as (
  select customer_id, currency, day, lead(day, 1, 'infinity') over w as next_day, sum(delta) over w as mrr,
    sum(delta) over w - delta as before, row_number() over w = 1 as is_first
  from points
  window w as (partition by customer_id, currency order by day)
)
select r.customer_id, r.currency, r.day as from_day, r.next_day as to_day, trim_scale(r.mrr) as mrr, trim_scale(r.before) as before,
  case when r.mrr = 0 then 'churn' when r.is_first then 'new' when r.before = 0 then 'reactivation'
    when r.mrr > r.before then 'expansion' else 'contraction' end as movement,
  case when r.mrr = 0 then coalesce((
    -- Of several that ended on the day, the largest says why.
    select s.reason
    from ops.mrr_spans s
    join ops.mrr_spans b on b.external_id = s.external_id and b.to_day = s.from_day and b.currency = r.currency
    where s.customer_id = r.customer_id and s.from_day = r.day and s.mrr = 0
    order by b.mrr desc, s.external_id limit 1
  ), 'other') end as reason
from running r
