-- What the metrics package publishes: a row a metric, dimension and day, and a row for what each metric means.
-- Readable by signed-in users whose JWT says app_metadata.floyo_role analyst or admin, besides the service role.

create table public.daily_metrics (
  external_id text not null,
  date date not null,
  metric text not null,
  dimensions jsonb not null default '{}',
  value numeric,
  numerator numeric,
  denominator numeric,
  unit text not null,
  status text not null check (status in ('provisional', 'final', 'incomplete')),
  computed_at timestamptz not null default now(),
  synced_at timestamptz not null default now(),
  run_id uuid,
  constraint daily_metrics_external_id_date_key unique (external_id, date)
);
comment on table public.daily_metrics is 'One metric on one day; external_id is the metric, then [k=v] when it has a dimension. Money is in the reporting currency, which unit names; nothing is rounded.';
create index daily_metrics_date_idx on public.daily_metrics (date);
create index daily_metrics_metric_date_idx on public.daily_metrics (metric, date);

create table public.metric_definitions (
  name text primary key,
  label text not null,
  description text not null,
  kind text not null check (kind in ('count', 'money', 'ratio')),
  unit text not null,
  direction text not null check (direction in ('up', 'down', 'none')),
  clock text not null check (clock in ('ad_account', 'business', 'mixed')),
  dimensions text[] not null,
  sources text[] not null,
  additivity text not null check (additivity in ('sum', 'ratio', 'distinct', 'snapshot')),
  maturity_days integer not null check (maturity_days >= 0),
  version integer not null
);
comment on table public.metric_definitions is 'What each metric means, written from the registry by every metrics run. direction: which way is good; clock: whose days; additivity: how it adds up over days.';

alter table public.daily_metrics enable row level security;
alter table public.metric_definitions enable row level security;
revoke all on public.daily_metrics, public.metric_definitions from public, anon, authenticated;
grant select, insert, update, delete on public.daily_metrics, public.metric_definitions to service_role;
grant select on public.daily_metrics, public.metric_definitions to authenticated;

-- The sub-select makes the claim an initplan: read once a query and not once a row. The setting is what PostgREST sets;
-- it is '' after a transaction that had it, hence the nullif.
create policy analysts_read on public.daily_metrics for select to authenticated using (
  (select nullif(current_setting('request.jwt.claims', true), '')::jsonb #>> '{app_metadata,floyo_role}') in ('analyst', 'admin')
);
create policy analysts_read on public.metric_definitions for select to authenticated using (
  (select nullif(current_setting('request.jwt.claims', true), '')::jsonb #>> '{app_metadata,floyo_role}') in ('analyst', 'admin')
);
