-- Active users of a day, each once.
-- Grain: day (business). Reads ops.user_days for the days of metric_days.
select u.day, u.day as rate_day, 'posthog' as source, null::text as currency, count(*) as active_users
from ops.user_days u
join pg_temp.metric_days d on d.day = u.day and d.facts = 'active_users'
where u.active
group by u.day
