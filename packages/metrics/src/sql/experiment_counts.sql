-- Users of one experiment, counted by what they saw and did and on which day. Grain: variant seen first, day of it, day on
-- which another one was seen, day of the first conversion after the first exposure. Reads pg_temp.experiment_users, and
-- their conversions in event_user_days by key.
with conversions as (
  -- On the day of the exposure the last conversion tells: one that came before it counts for nothing.
  select u.user_id, min(c.date) as day
  from pg_temp.experiment_plan p
  cross join pg_temp.experiment_users u
  join public.event_user_days c on c.user_id = u.user_id and c.event = p.conversion_event
    and c.date between u.first_day and u.first_day + p.window_days and (c.date > u.first_day or c.last_at > u.first_at)
  where c.date between p.first_day and p.last_day + p.window_days
  group by u.user_id
)
select u.variant, u.first_day, u.second_day, c.day as conversion_day, count(*)::int as users
from pg_temp.experiment_users u
left join conversions c on c.user_id = u.user_id
group by u.variant, u.first_day, u.second_day, c.day
