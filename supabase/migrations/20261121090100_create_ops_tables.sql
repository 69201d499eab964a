-- The operations schema: what ran, what failed, what was read, what agents remember. Not exposed over the API.

create schema ops;

create table ops.settings (
  singleton boolean primary key default true check (singleton),
  reporting_timezone text not null,
  reporting_currency text not null,
  fixed_rates jsonb not null default '{}',
  updated_at timestamptz not null default now()
);
comment on table ops.settings is 'One row: the time zone and currency that the stored dates and values were made with, and the fixed rates per EUR.';

-- The fence: every write transaction of a run locks this row for share with the token it was given;
-- the next holder of the lock bumps it, so a run that lost its lock finds another token and can't write.
create table ops.fence (
  singleton boolean primary key default true check (singleton),
  token bigint not null,
  run_id uuid,
  pid integer,
  acquired_at timestamptz
);
insert into ops.fence (token) values (0);

create table ops.runs (
  id uuid primary key default gen_random_uuid(),
  kind text not null check (kind in ('scheduled', 'manual', 'source', 'backfill', 'metrics', 'demo')),
  status text not null check (status in ('running', 'succeeded', 'partial', 'failed', 'skipped', 'interrupted')),
  started_at timestamptz not null default now(),
  finished_at timestamptz,
  fence bigint,
  totals jsonb not null default '{}',
  recommendations jsonb not null default '[]'
);
create index runs_started_at_idx on ops.runs (started_at desc);
create index runs_running_idx on ops.runs (id) where status = 'running';

create table ops.agent_results (
  id bigint generated always as identity primary key,
  run_id uuid not null references ops.runs (id) on delete cascade,
  agent text not null,
  account_id text,
  stream text,
  status text not null check (status in ('succeeded', 'failed', 'paused', 'skipped')),
  started_at timestamptz not null,
  finished_at timestamptz,
  duration_ms integer,
  window_from text,
  window_to text,
  rows_read bigint not null default 0,
  rows_inserted bigint not null default 0,
  rows_updated bigint not null default 0,
  rows_unchanged bigint not null default 0,
  rows_deleted bigint not null default 0,
  rows_rejected bigint not null default 0,
  api_calls integer not null default 0,
  retries integer not null default 0,
  throttled_ms integer not null default 0,
  metadata jsonb not null default '{}'
);
create index agent_results_run_id_idx on ops.agent_results (run_id);
create index agent_results_agent_account_id_idx on ops.agent_results (agent, account_id, finished_at desc);

create table ops.coverage (
  source text not null,
  account_id text not null,
  stream text not null,
  day date not null,
  read_at timestamptz not null,
  final_at timestamptz not null,
  run_id uuid,
  primary key (source, account_id, stream, day)
);
comment on table ops.coverage is 'That day of that account and stream was read whole at read_at; a read at or after final_at (the day''s end plus the restatement window) is final.';
create index coverage_source_day_idx on ops.coverage (source, day);

create table ops.errors (
  id bigint generated always as identity primary key,
  run_id uuid references ops.runs (id) on delete cascade,
  agent text not null,
  account_id text,
  error_type text not null check (error_type in ('config', 'auth', 'permission', 'rate_limit', 'upstream', 'contract', 'truncated', 'load', 'lock', 'drift', 'rejects', 'internal')),
  severity text not null check (severity in ('P0', 'P1', 'P2', 'P3')),
  message text not null,
  advice text,
  retryable boolean not null,
  context jsonb not null default '{}',
  stack text,
  fingerprint text not null,
  occurred_at timestamptz not null default now()
);
create index errors_run_id_idx on ops.errors (run_id);
create index errors_fingerprint_idx on ops.errors (fingerprint, occurred_at desc);

create table ops.rejected_records (
  id bigint generated always as identity primary key,
  agent text not null,
  account_id text not null,
  stream text not null,
  external_id text not null,
  date date,
  reasons jsonb not null,
  payload jsonb not null,
  run_id uuid,
  first_seen_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  resolved_at timestamptz,
  constraint rejected_records_key unique nulls not distinct (agent, account_id, stream, external_id, date)
);
create index rejected_records_open_idx on ops.rejected_records (agent, account_id, stream) where resolved_at is null;

create table ops.agent_state (
  agent text not null,
  scope text not null,
  key text not null,
  value jsonb not null,
  version integer not null default 1,
  updated_at timestamptz not null default now(),
  primary key (agent, scope, key)
);
comment on table ops.agent_state is 'What an agent remembers between runs (cursors among it); written by compare-and-set on version, at most 10 KB an agent.';
