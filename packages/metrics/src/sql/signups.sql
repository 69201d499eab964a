-- Signups: users whose first signup event is on the day.
-- Grain: day (business). Reads the signups of metric_days, and by key whether there was an earlier one.
select u.day, u.day as rate_day, 'posthog' as source, null::text as currency, count(*) as signups
from ops.user_days u
join pg_temp.metric_days d on d.day = u.day and d.facts = 'signups'
where u.signed_up
  and not exists (select from ops.user_days e where e.user_id = u.user_id and e.signed_up and e.day < u.day)
group by u.day
