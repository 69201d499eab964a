-- What each identified user did on a day. Grain: user, day. Reads event_user_days for the days of product_open.
-- The settings are asked once a kind of event, not once a row.
with kinds as materialized (
  select e.event,
    e.event like any (s.qualifying) and not e.event like any (s.not_qualifying) as qualifies,
    e.event = s.signup_event as is_signup,
    e.event = s.activation_event as is_activation
  from (
    select distinct u.event from public.event_user_days u
    join pg_temp.product_open o on o.day = u.date and o.table_name = 'event_user_days'
  ) e
  cross join ops.product_settings s
)
select e.user_id, e.date as day, bool_or(k.qualifies) as active, bool_or(k.is_signup) as signed_up,
  bool_or(k.is_activation) as activated
from public.event_user_days e
join pg_temp.product_open o on o.day = e.date and o.table_name = 'event_user_days'
join kinds k on k.event = e.event and (k.qualifies or k.is_signup or k.is_activation)
where e.user_id is not null
group by e.user_id, e.date
