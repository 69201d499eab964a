-- Partitions of events and event_user_days: made ahead, taken out by retention, dropped on command alone.

-- Makes the months of all days from `from_day` to `until_day` (both included) that are missing, and attaches again those
-- that retention took out. Returns how many. A table made first and attached then does not hold up who reads the parent.
create function ops.ensure_event_partitions(from_day date, until_day date) returns integer
language plpgsql security definer set search_path = '' as $$
declare
  base text;
  month date;
  name text;
  made integer := 0;
begin
  if from_day > until_day then
    raise exception 'from_day % is after until_day %', from_day, until_day using errcode = 'invalid_parameter_value';
  end if;
  foreach base in array array['events', 'event_user_days'] loop
    for month in select generate_series(date_trunc('month', from_day::timestamp), until_day::timestamp, '1 month')::date loop
      name := format('%s_%s', base, to_char(month, 'YYYY_MM'));
      continue when exists (
        select 1 from pg_catalog.pg_class c join pg_catalog.pg_inherits i on i.inhrelid = c.oid
        where i.inhparent = format('public.%I', base)::regclass and c.relname = name);
      -- Two that make the same month: the second finds it made.
      perform pg_advisory_xact_lock(hashtextextended('floyo event partitions', 0));
      continue when exists (
        select 1 from pg_catalog.pg_class c join pg_catalog.pg_inherits i on i.inhrelid = c.oid
        where i.inhparent = format('public.%I', base)::regclass and c.relname = name);
      if to_regclass(format('public.%I', name)) is null then
        execute format('create table public.%I (like public.%I including defaults including constraints including indexes)', name, base);
        execute format('alter table public.%I enable row level security', name);
        execute format('revoke all on public.%I from public, anon, authenticated', name);
        execute format('grant select, insert, update, delete on public.%I to service_role', name);
        perform ops.add_event_triggers(format('public.%I', name)::regclass, base);
      end if;
      execute format('alter table public.%I attach partition public.%I for values from (%L) to (%L)', base, name, month, (month + interval '1 month')::date);
      delete from ops.retired_partitions r where r.partition = name;
      made := made + 1;
    end loop;
  end loop;
  return made;
end
$$;

-- The months that end on or before `before_day` and are part of their table, oldest first.
create function ops.list_event_partitions(before_day date) returns table (table_name text, partition text, from_day date, to_day date)
language sql stable security definer set search_path = ''
begin atomic
  select p.base, p.name, p.month, (p.month + interval '1 month')::date
  from (
    select b.base, c.relname::text as name, to_date(right(c.relname, 7), 'YYYY_MM') as month
    from (values ('events'), ('event_user_days')) as b (base)
    join pg_catalog.pg_inherits i on i.inhparent = format('public.%I', b.base)::regclass
    join pg_catalog.pg_class c on c.oid = i.inhrelid
  ) p
  where (p.month + interval '1 month')::date <= before_day
  order by p.month, p.base;
end;

-- Takes them out of their tables. Nothing is deleted: each goes on as a table of its own, and a load of such a month
-- attaches it again.
create function ops.detach_event_partitions(before_day date) returns setof text
language plpgsql security definer set search_path = '' as $$
declare
  p record;
begin
  for p in select * from ops.list_event_partitions(before_day) loop
    execute format('alter table public.%I detach partition public.%I', p.table_name, p.partition);
    insert into ops.retired_partitions (table_name, partition, from_day, to_day)
    values (p.table_name, p.partition, p.from_day, p.to_day)
    on conflict (partition) do update set detached_at = now(), dropped_at = null;
    return next p.partition;
  end loop;
end
$$;

-- Drops one month that was taken out before.
create function ops.drop_retired_partition(name text) returns void
language plpgsql security definer set search_path = '' as $$
begin
  update ops.retired_partitions r set dropped_at = now() where r.partition = name and r.dropped_at is null;
  if not found then
    raise exception '% is not a retired partition', name using errcode = 'undefined_table';
  end if;
  execute format('drop table public.%I', name);
end
$$;

revoke execute on function ops.ensure_event_partitions(date, date), ops.list_event_partitions(date),
  ops.detach_event_partitions(date), ops.drop_retired_partition(text) from public, anon, authenticated;
grant execute on function ops.ensure_event_partitions(date, date), ops.list_event_partitions(date),
  ops.detach_event_partitions(date), ops.drop_retired_partition(text) to service_role;

select ops.ensure_event_partitions((current_date - interval '2 months')::date, (current_date + interval '1 month')::date);
