-- Users of one experiment: what each saw first and when, and the day on which it saw something else.
-- Grain: user. Reads the exposures in events once. Parameters: pg_temp.experiment_plan, one row.
with exposures as (
  select e.user_id, e.properties ->> p.variant_property as variant, e.occurred_at, e.date
  from pg_temp.experiment_plan p
  join public.events e on e.event = p.exposure_event and e.date between p.first_day and p.last_day
  where e.user_id is not null and e.occurred_at >= p.started_at and e.occurred_at <= coalesce(p.stopped_at, 'infinity')
    and e.properties ->> p.experiment_property = p.key and e.properties ->> p.variant_property = any (p.variants)
), ordered as (
  select user_id, variant, date, first_value(variant) over w as first_variant, first_value(occurred_at) over w as first_at,
    first_value(date) over w as first_day
  from exposures
  window w as (partition by user_id order by occurred_at, variant)
)
select user_id, first_variant as variant, first_at, first_day, min(date) filter (where variant <> first_variant) as second_day
from ordered
group by user_id, first_variant, first_at, first_day
