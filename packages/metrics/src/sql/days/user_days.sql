-- What each identified user did on a day. Grain: user, day. Reads event_user_days for the days of product_open, a day at a
-- time. The settings are asked once a kind of event, not once a row.
with opened as materialized (
  select day from pg_temp.product_open where table_name = 'event_user_days'
), kinds as materialized (
  select e.event,
    e.event like any (s.qualifying) and not e.event like any (s.not_qualifying) as qualifies,
    e.event = s.signup_event as is_signup,
    e.event = s.activation_event as is_activation
  from (
    select distinct d.event
    from opened o
    cross join lateral (select distinct u.event from public.event_user_days u where u.date = o.day) d
  ) e
  cross join ops.product_settings s
)
select d.user_id, o.day, d.active, d.signed_up, d.activated
from opened o
cross join lateral (
  select u.user_id, bool_or(k.qualifies) as active, bool_or(k.is_signup) as signed_up, bool_or(k.is_activation) as activated
  from public.event_user_days u
  join kinds k on k.event = u.event and (k.qualifies or k.is_signup or k.is_activation)
  where u.date = o.day and u.user_id is not null
  group by u.user_id
) d
