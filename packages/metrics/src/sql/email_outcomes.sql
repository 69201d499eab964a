-- What became of messages, on the day each was first sent: delivered, and clicked by a person. A click counts when the
-- message is known to be delivered, so that clicks are never more than deliveries.
-- Grain: day (business). Reads what was sent on metric_days, and the 7 days after by key.
select
  m.day,
  m.day as rate_day,
  'posthog' as source,
  null::text as currency,
  count(*) filter (where a.delivered_3d) as emails_delivered_3d,
  count(*) filter (where a.delivered_7d) as emails_delivered_7d,
  count(*) filter (where a.delivered_7d and a.clicked_7d) as emails_clicked_7d
from ops.email_days m
join pg_temp.metric_days d on d.day = m.day and d.facts = 'email_outcomes'
cross join lateral (
  select bool_or(o.delivered and o.day <= m.day + 3) as delivered_3d, bool_or(o.delivered) as delivered_7d,
    bool_or(o.clicked) as clicked_7d
  from ops.email_days o
  where o.email_id = m.email_id and o.day between m.day and m.day + 7
) a
where m.sent
  and not exists (select from ops.email_days e where e.email_id = m.email_id and e.sent and e.day < m.day)
group by m.day
