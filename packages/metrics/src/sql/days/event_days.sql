-- How many events a day had. Grain: day. Reads event_user_days, which holds every event, for the days of product_open:
-- a day at a time, so that a few days cost an index and not the table.
select o.day, e.events
from pg_temp.product_open o
cross join lateral (select sum(u.count) as events from public.event_user_days u where u.date = o.day) e
where o.table_name = 'event_user_days' and e.events is not null
