-- Events: how many there were, of every kind and of everybody.
-- Grain: day (business). Reads ops.event_days for the days of metric_days.
select e.day, e.day as rate_day, 'posthog' as source, null::text as currency, e.events as events_tracked
from ops.event_days e
join pg_temp.metric_days d on d.day = e.day and d.facts = 'product_events'
