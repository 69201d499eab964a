-- What a metrics run knew of each day when it last looked at it: days of which nothing has changed since need no look.

create table ops.metric_days (
  day date primary key,
  signature text not null,
  rows integer not null
);
comment on table ops.metric_days is 'Of each day of daily_metrics: a digest of what coverage, the clock, the registry and missing rates said of it, and how many rows it had. A day where either differs is compared row by row.';

alter table ops.metric_days enable row level security;
revoke all on ops.metric_days from public, anon, authenticated;
grant select, insert, update, delete on ops.metric_days to service_role;
