-- What became of suggestions, on the day each was first shown: accepted within 3 days.
-- Grain: day (business). Reads what was shown on metric_days, and the 3 days after by key.
select s.day, s.day as rate_day, 'posthog' as source, null::text as currency, count(*) as suggestions_accepted_3d
from ops.suggestion_days s
join pg_temp.metric_days d on d.day = s.day and d.facts = 'suggestion_outcomes'
where s.shown
  and not exists (
    select from ops.suggestion_days e where e.suggestion_id = s.suggestion_id and e.shown and e.day < s.day)
  and exists (
    select from ops.suggestion_days a
    where a.suggestion_id = s.suggestion_id and a.accepted and a.day between s.day and s.day + 3)
group by s.day
