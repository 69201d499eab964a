-- What happened to each message on a day. Grain: message, day. Reads events for the days of product_open.
-- A machine that follows the links of every message is no reader: its clicks come with is_bot.
select e.properties ->> 'email_id' as email_id, e.date as day,
  bool_or(e.event = 'email_sent') as sent, bool_or(e.event = 'email_delivered') as delivered,
  bool_or(e.event = 'email_clicked' and lower(coalesce(e.properties ->> 'is_bot', 'false')) <> 'true') as clicked
from public.events e
join pg_temp.product_open o on o.day = e.date and o.table_name = 'events'
where e.event in ('email_sent', 'email_delivered', 'email_clicked') and e.properties ->> 'email_id' <> ''
group by e.properties ->> 'email_id', e.date
