-- A final value that moved: what it was, what it became, when, by which run and because of what.

create table public.metric_revisions (
  id bigint generated always as identity primary key,
  external_id text not null,
  date date not null,
  old_value numeric,
  new_value numeric,
  old_status text not null,
  -- Null when the row is gone.
  new_status text,
  cause text not null,
  revised_at timestamptz not null,
  run_id uuid
);
comment on table public.metric_revisions is 'A row each time that a final value moved. cause: the tables whose change made the day due, or coverage, definition, range, full, rezone.';
create index metric_revisions_external_id_date_idx on public.metric_revisions (external_id, date);
create index metric_revisions_run_id_idx on public.metric_revisions (run_id);

alter table public.metric_revisions enable row level security;
revoke all on public.metric_revisions from public, anon, authenticated;
grant select, insert, update, delete on public.metric_revisions to service_role;
grant select on public.metric_revisions to authenticated;
create policy analysts_read on public.metric_revisions for select to authenticated using (
  (select nullif(current_setting('request.jwt.claims', true), '')::jsonb #>> '{app_metadata,floyo_role}') in ('analyst', 'admin')
);
