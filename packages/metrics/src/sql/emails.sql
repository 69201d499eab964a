-- Messages, each on the day it was first sent.
-- Grain: day (business). Reads what was sent on metric_days, and by key whether it was sent before.
select m.day, m.day as rate_day, 'posthog' as source, null::text as currency, count(*) as emails_sent
from ops.email_days m
join pg_temp.metric_days d on d.day = m.day and d.facts = 'emails'
where m.sent
  and not exists (select from ops.email_days e where e.email_id = m.email_id and e.sent and e.day < m.day)
group by m.day
