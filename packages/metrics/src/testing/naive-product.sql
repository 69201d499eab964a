-- The product metrics once more, written for clarity and not for speed, from the definitions and the events alone: what the
-- tests hold the stored values against. Every event but email_* qualifies; today is the setting naive.today; the account is
-- posthog 9.
with recursive today (day) as (
  select current_setting('naive.today')::date
), days (day) as (
  select (select min(day) from ops.coverage where source <> 'fx')
  union all
  select day + 1 from days where day < (select day from today)
), active as materialized (
  select distinct user_id, date from event_user_days where user_id is not null and event not like 'email%'
), signed_up as materialized (
  select user_id, min(date) as day from event_user_days where user_id is not null and event = 'signup' group by user_id
), told as materialized (
  select event, date, coalesce(properties ->> 'suggestion_id', properties ->> 'email_id') as id,
    (properties ->> 'is_bot')::boolean as is_bot, properties
  from events
), shown as materialized (
  select properties ->> 'suggestion_id' as id, min(date) as day from told
  where event = 'suggestion_shown' and properties ->> 'suggestion_id' <> '' group by 1
), sent as materialized (
  select properties ->> 'email_id' as id, min(date) as day from told
  where event = 'email_sent' and properties ->> 'email_id' <> '' group by 1
), values_of as (
  select d.day,
    (select coalesce(sum(e.count), 0) from event_user_days e where e.date = d.day) as events,
    (select count(distinct user_id) from active a where a.date = d.day) as dau,
    (select count(distinct user_id) from active a where a.date between d.day - 6 and d.day) as wau,
    (select count(distinct user_id) from active a where a.date between d.day - 29 and d.day) as mau,
    (select count(*) from signed_up s where s.day = d.day) as signups,
    (select count(*) from signed_up s where s.day = d.day and s.user_id in (
      select e.user_id from event_user_days e where e.event = 'workflow_created' and e.date between d.day and d.day + 7)) as activated,
    (select count(*) from signed_up s join active a using (user_id) where s.day = d.day and a.date = d.day + 1) as d1,
    (select count(*) from signed_up s join active a using (user_id) where s.day = d.day and a.date = d.day + 7) as d7,
    (select count(*) from signed_up s join active a using (user_id) where s.day = d.day and a.date = d.day + 30) as d30,
    (select count(*) from shown s where s.day = d.day) as shown,
    (select count(*) from shown s where s.day = d.day and s.id in (
      select t.properties ->> 'suggestion_id' from told t where t.event = 'suggestion_accepted' and t.date between d.day and d.day + 3)) as accepted,
    (select count(*) from sent s where s.day = d.day) as sent,
    (select count(*) from sent s where s.day = d.day and s.id in (
      select t.properties ->> 'email_id' from told t where t.event = 'email_delivered' and t.date between d.day and d.day + 3)) as delivered_3d,
    (select count(*) from sent s where s.day = d.day and s.id in (
      select t.properties ->> 'email_id' from told t where t.event = 'email_delivered' and t.date between d.day and d.day + 7)) as delivered_7d,
    (select count(*) from sent s where s.day = d.day
      and s.id in (select t.properties ->> 'email_id' from told t where t.event = 'email_delivered' and t.date between d.day and d.day + 7)
      and s.id in (select t.properties ->> 'email_id' from told t
        where t.event = 'email_clicked' and not t.is_bot and t.date between d.day and d.day + 7)) as clicked
  from days d
), metrics as (
  select v.day, m.*
  from values_of v cross join lateral (values
    ('events_tracked', 0, 0, events::numeric),
    ('dau', 0, 0, dau),
    ('wau', 6, 0, wau),
    ('mau_30', 29, 0, mau),
    ('stickiness', 29, 0, dau::numeric / nullif(mau, 0)),
    ('signups', 0, 0, signups),
    ('activation_rate_7d', 0, 7, activated::numeric / nullif(signups, 0)),
    ('retention_d1', 0, 1, d1::numeric / nullif(signups, 0)),
    ('retention_d7', 0, 7, d7::numeric / nullif(signups, 0)),
    ('retention_d30', 0, 30, d30::numeric / nullif(signups, 0)),
    ('suggestions_shown', 0, 0, shown),
    ('suggestions_accepted', 0, 3, accepted),
    ('suggestion_adoption_rate', 0, 3, accepted::numeric / nullif(shown, 0)),
    ('email_sent', 0, 0, sent),
    ('email_delivery_rate', 0, 3, delivered_3d::numeric / nullif(sent, 0)),
    ('email_click_rate', 0, 7, clicked::numeric / nullif(delivered_7d, 0))
  ) m (external_id, back, ahead, value)
), judged as (
  select m.*, exists (select from ops.coverage c where c.day = m.day) as is_read,
    m.ahead = 0 or m.day + m.ahead < (select day from today) as is_mature,
    (select count(*) from ops.coverage c where c.day between m.day - m.back and m.day + m.ahead) as read_days,
    (select bool_and(c.read_at >= c.final_at) from ops.coverage c where c.day between m.day - m.back and m.day + m.ahead) as is_settled
  from metrics m
)
select day as date, external_id, case when is_read and is_mature then value end as value,
  case when not is_read or (is_mature and read_days <= back + ahead) then 'incomplete'
    when is_mature and is_settled and day + ahead < (select day from today) then 'final'
    else 'provisional' end as status
from judged
