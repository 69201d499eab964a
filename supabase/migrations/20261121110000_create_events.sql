-- Product events, in two weights: events holds single events that need their row (properties, order in time), and
-- event_user_days counts by person, event and business day. Both are partitioned by month, since they outgrow every other
-- table and leave by the month.
-- There is no default partition: rows of a month that nobody made are a failed load, where a default would take them and
-- then stand in the way of that month's own partition. So partitions are made ahead: here, and before every load.

create table public.events (
  external_id text not null,
  date date not null,
  source text not null,
  event text not null,
  distinct_id text not null,
  user_id text,
  occurred_at timestamptz not null,
  properties jsonb not null,
  synced_at timestamptz not null default now(),
  run_id uuid,
  constraint events_external_id_date_key unique (external_id, date)
) partition by range (date);
comment on table public.events is 'One event on the business day it occurred. user_id is the identified id, null when the visitor was anonymous; properties are those of an allow-list.';
create index events_date_event_idx on public.events (date, event);
create index events_user_id_event_date_idx on public.events (user_id, event, date) where user_id is not null;

create table public.event_user_days (
  external_id text not null,
  date date not null,
  source text not null,
  distinct_id text not null,
  user_id text,
  event text not null,
  count bigint not null check (count > 0),
  first_at timestamptz not null,
  last_at timestamptz not null,
  synced_at timestamptz not null default now(),
  run_id uuid,
  constraint event_user_days_external_id_date_key unique (external_id, date)
) partition by range (date);
comment on table public.event_user_days is 'How often one distinct_id did one event on one business day, every event of the project, counted by the vendor. user_id is null when the visitor was anonymous.';
create index event_user_days_date_event_user_id_idx on public.event_user_days (date, event, user_id);
create index event_user_days_user_id_event_date_idx on public.event_user_days (user_id, event, date) where user_id is not null;

do $$
declare
  t text;
begin
  foreach t in array array['events', 'event_user_days'] loop
    execute format('alter table public.%I enable row level security', t);
    execute format('revoke all on public.%I from public, anon, authenticated', t);
    execute format('grant select, insert, update, delete on public.%I to service_role', t);
  end loop;
end
$$;

-- What the vendor said of a day when its rows were read: as long as it says the same, the day is not read again.
create table ops.source_days (
  source text not null,
  account_id text not null,
  stream text not null,
  day date not null,
  figures jsonb not null,
  rows bigint not null,
  compared_at timestamptz not null,
  run_id uuid,
  primary key (source, account_id, stream, day)
);
comment on table ops.source_days is 'Of a day of a stream: the vendor''s own figures (counts, latest arrival) that its rows were read with, and how many rows that left here. The day is read again when either is another.';

-- Months that retention has taken out of their table. Their metrics stay as they were computed.
create table ops.retired_partitions (
  table_name text not null,
  partition text not null primary key,
  from_day date not null,
  to_day date not null,
  detached_at timestamptz not null default now(),
  dropped_at timestamptz
);
comment on table ops.retired_partitions is 'A month (from_day included, to_day not) that is no longer part of its table: a table of its own until dropped_at.';

do $$
declare
  t text;
begin
  foreach t in array array['source_days', 'retired_partitions'] loop
    execute format('alter table ops.%I enable row level security', t);
    execute format('revoke all on ops.%I from public, anon, authenticated', t);
    execute format('grant select, insert, update, delete on ops.%I to service_role', t);
  end loop;
end
$$;
