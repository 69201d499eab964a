-- What happened to each suggestion on a day. Grain: suggestion, day. Reads events for the days of product_open.
select e.properties ->> 'suggestion_id' as suggestion_id, e.date as day,
  bool_or(e.event = 'suggestion_shown') as shown, bool_or(e.event = 'suggestion_accepted') as accepted
from public.events e
join pg_temp.product_open o on o.day = e.date and o.table_name = 'events'
where e.event in ('suggestion_shown', 'suggestion_accepted') and e.properties ->> 'suggestion_id' <> ''
group by e.properties ->> 'suggestion_id', e.date
