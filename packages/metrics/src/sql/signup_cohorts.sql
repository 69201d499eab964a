-- Cohorts: what became of the users who signed up on a day, on the day of their first signup.
-- Grain: day (business). Reads the signups of metric_days, and the 30 days after them by key. Retained on day N is active
-- on that calendar day.
select
  s.day,
  s.day as rate_day,
  'posthog' as source,
  null::text as currency,
  count(*) filter (where a.activated_7d) as activated_7d,
  count(*) filter (where a.retained_d1) as retained_d1,
  count(*) filter (where a.retained_d7) as retained_d7,
  count(*) filter (where a.retained_d30) as retained_d30
from ops.user_days s
join pg_temp.metric_days d on d.day = s.day and d.facts = 'signup_cohorts'
cross join lateral (
  select
    bool_or(u.activated and u.day <= s.day + 7) as activated_7d,
    bool_or(u.active and u.day = s.day + 1) as retained_d1,
    bool_or(u.active and u.day = s.day + 7) as retained_d7,
    bool_or(u.active and u.day = s.day + 30) as retained_d30
  from ops.user_days u
  where u.user_id = s.user_id and u.day between s.day and s.day + 30
) a
where s.signed_up
  and not exists (select from ops.user_days e where e.user_id = s.user_id and e.signed_up and e.day < s.day)
group by s.day
