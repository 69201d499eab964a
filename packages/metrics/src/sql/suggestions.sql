-- Suggestions, each on the day it was first shown.
-- Grain: day (business). Reads what was shown on metric_days, and by key whether it was shown before.
select s.day, s.day as rate_day, 'posthog' as source, null::text as currency, count(*) as suggestions_shown
from ops.suggestion_days s
join pg_temp.metric_days d on d.day = s.day and d.facts = 'suggestions'
where s.shown
  and not exists (
    select from ops.suggestion_days e where e.suggestion_id = s.suggestion_id and e.shown and e.day < s.day)
group by s.day
