-- Experiments: what is tested, planned before it begins, and what came of it, a row a day and variant. Written by the
-- service role alone; readable as the metrics are.

create table public.experiments (
  key text primary key check (key ~ '^[a-z0-9][a-z0-9_-]*$'),
  hypothesis text not null,
  -- [{"name": "control", "weight": 50}, …]; the first one is the control.
  variants jsonb not null check (
    jsonb_typeof(variants) = 'array' and jsonb_array_length(variants) >= 2
    and not jsonb_path_exists(variants, '$[*] ? (!(@.name.type() == "string" && @.name != "" && @.weight.type() == "number" && @.weight > 0))')
  ),
  exposure_event text not null,
  -- Properties of the exposure event.
  experiment_property text not null,
  variant_property text not null,
  conversion_event text not null,
  window_days integer not null check (window_days between 0 and 365),
  -- Users of all variants together.
  planned_n integer check (planned_n > 0),
  -- The last day on which users are taken in.
  planned_end date,
  owner text not null,
  started_at timestamptz not null,
  stopped_at timestamptz check (stopped_at >= started_at),
  created_at timestamptz not null default now(),
  constraint experiments_have_a_plan check (planned_n is not null or planned_end is not null)
);
comment on table public.experiments is 'What is tested. Users are taken in from started_at until planned_n of them are there, planned_end is over or it is stopped; each converts with the first conversion event after the first exposure, within window_days of the day of that.';

create table public.experiment_results (
  external_id text not null,
  date date not null,
  experiment text not null,
  variant text not null,
  is_control boolean not null,
  status text not null check (status in ('running', 'finished', 'stopped', 'invalid_srm')),
  -- No more users are taken in from the next day on.
  is_closed boolean not null,
  users integer not null,
  conversions integer not null,
  rate double precision,
  rate_low double precision,
  rate_high double precision,
  difference double precision,
  difference_low double precision,
  difference_high double precision,
  z double precision,
  p_value double precision,
  -- After Holm, where there are more than two variants.
  p_adjusted double precision,
  probability_best double precision,
  -- Of the whole experiment, the same in all its rows.
  excluded_users integer not null,
  srm_p_value double precision,
  winner text,
  computed_at timestamptz not null,
  synced_at timestamptz not null default now(),
  run_id uuid,
  constraint experiment_results_external_id_date_key unique (external_id, date)
);
comment on table public.experiment_results is 'A variant of an experiment with all that happened up to the end of a day; external_id is key[variant=name]. Intervals are of 95 %; difference, z and p-values are against the control. winner is null before the plan is met, and where nothing won.';
create index experiment_results_experiment_date_idx on public.experiment_results (experiment, date);

alter table public.experiments enable row level security;
alter table public.experiment_results enable row level security;
revoke all on public.experiments, public.experiment_results from public, anon, authenticated;
grant select, insert, update, delete on public.experiments, public.experiment_results to service_role;
grant select on public.experiments, public.experiment_results to authenticated;
create policy analysts_read on public.experiments for select to authenticated using (
  (select nullif(current_setting('request.jwt.claims', true), '')::jsonb #>> '{app_metadata,floyo_role}') in ('analyst', 'admin')
);
create policy analysts_read on public.experiment_results for select to authenticated using (
  (select nullif(current_setting('request.jwt.claims', true), '')::jsonb #>> '{app_metadata,floyo_role}') in ('analyst', 'admin')
);

-- An experiment of which nothing has changed since needs no look.
create table ops.experiment_states (
  experiment text primary key,
  digest text not null,
  -- The day on which the last user's window is over, once that is known.
  ends_on date,
  computed_at timestamptz not null
);
comment on table ops.experiment_states is 'What the results of an experiment were computed with: a digest of its plan, of the day it was, and of coverage.';
alter table ops.experiment_states enable row level security;
revoke all on ops.experiment_states from public, anon, authenticated;
grant select, insert, update, delete on ops.experiment_states to service_role;
