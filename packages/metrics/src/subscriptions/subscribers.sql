-- The customers in metric_marked_customers in all currencies together: ops.subscriber_spans as it should be.
with points as (
  select p.customer_id, p.day, sum(p.delta) as delta, min(p.reason) as reason
  from (
    select m.customer_id, m.from_day as day, 1 as delta, null as reason
    from ops.customer_mrr m join pg_temp.metric_marked_customers c on c.customer_id = m.customer_id
    where m.movement in ('new', 'reactivation')
    union all
    select m.customer_id, m.from_day, -1, m.reason
    from ops.customer_mrr m join pg_temp.metric_marked_customers c on c.customer_id = m.customer_id
    where m.movement = 'churn'
  ) p
  group by p.customer_id, p.day
  having sum(p.delta) <> 0
), running as (
  select customer_id, day, reason, sum(delta) over w as currencies, sum(delta) over w - delta as before,
    row_number() over w = 1 as is_first
  from points
  window w as (partition by customer_id order by day)
), edges as (
  select customer_id, day, before, is_first, lead(day, 1, 'infinity') over w as next_day, lead(reason) over w as next_reason
  from running
  where (before = 0) <> (currencies = 0)
  window w as (partition by customer_id order by day)
)
select customer_id, day as from_day, next_day as to_day, is_first, next_reason as reason
from edges
where before = 0
