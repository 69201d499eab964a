-- How many events a day had. Grain: day. Reads event_user_days, which holds every event, for the days of product_open.
select e.date as day, sum(e.count) as events
from public.event_user_days e
join pg_temp.product_open o on o.day = e.date and o.table_name = 'event_user_days'
group by e.date
