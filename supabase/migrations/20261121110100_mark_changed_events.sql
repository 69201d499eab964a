-- Changes of events leave marks like those of any source row (I9): their days, and for single events the users they are
-- of, because a user's first event may be another one then, and with it days that did not change themselves.

alter table ops.dirty_marks add column event text;
alter table ops.dirty_marks drop constraint dirty_marks_kind_check;
alter table ops.dirty_marks add constraint dirty_marks_kind_check
  check (kind in ('day', 'customer', 'order', 'refund', 'rate', 'user'));
comment on table ops.dirty_marks is 'What changed since metrics were computed. day: that day; customer (key shop/customer id; day and until of the changed orders, at: the earliest processed_at among them): the days of its orders when its first order may be another, and its cohort; order (key external_id): the days of its refunds; refund (key external_id of the order, day to until of the changed refunds): the order''s day and its customer''s cohort; rate (key currency, * for all; day to until): days with facts that need it; user (key user_id, event; day and until of the changed events, at: the earliest occurred_at among them): what follows from when this user did this event.';

create function ops.mark_events() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    insert into ops.dirty_marks (kind, table_name, day) select distinct 'day', 'events', date from new_rows;
    insert into ops.dirty_marks (kind, table_name, key, event, day, until, at)
    select 'user', 'events', user_id, event, min(date), max(date), min(occurred_at)
    from new_rows where user_id is not null group by user_id, event;
  elsif tg_op = 'DELETE' then
    insert into ops.dirty_marks (kind, table_name, day) select distinct 'day', 'events', date from old_rows;
    insert into ops.dirty_marks (kind, table_name, key, event, day, until, at)
    select 'user', 'events', user_id, event, min(date), max(date), min(occurred_at)
    from old_rows where user_id is not null group by user_id, event;
  elsif tg_op = 'TRUNCATE' then
    execute format('insert into ops.dirty_marks (kind, table_name, day) select distinct ''day'', ''events'', date from %I.%I', tg_table_schema, tg_table_name);
    execute format('insert into ops.dirty_marks (kind, table_name, key, event, day, until, at)
      select ''user'', ''events'', user_id, event, min(date), max(date), min(occurred_at)
      from %I.%I where user_id is not null group by user_id, event', tg_table_schema, tg_table_name);
  else
    with changed as materialized (
      (select external_id, date, event, distinct_id, user_id, occurred_at, properties from old_rows
       except
       select external_id, date, event, distinct_id, user_id, occurred_at, properties from new_rows)
      union all
      (select external_id, date, event, distinct_id, user_id, occurred_at, properties from new_rows
       except
       select external_id, date, event, distinct_id, user_id, occurred_at, properties from old_rows)
    ), days as (
      insert into ops.dirty_marks (kind, table_name, day) select distinct 'day', 'events', date from changed
    )
    insert into ops.dirty_marks (kind, table_name, key, event, day, until, at)
    select 'user', 'events', user_id, event, min(date), max(date), min(occurred_at)
    from changed where user_id is not null group by user_id, event;
  end if;
  return null;
end
$$;

create function ops.mark_event_user_days() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    insert into ops.dirty_marks (kind, table_name, day) select distinct 'day', 'event_user_days', date from new_rows;
  elsif tg_op = 'DELETE' then
    insert into ops.dirty_marks (kind, table_name, day) select distinct 'day', 'event_user_days', date from old_rows;
  elsif tg_op = 'TRUNCATE' then
    execute format('insert into ops.dirty_marks (kind, table_name, day) select distinct ''day'', ''event_user_days'', date from %I.%I', tg_table_schema, tg_table_name);
  else
    insert into ops.dirty_marks (kind, table_name, day)
    select distinct 'day', 'event_user_days', c.date from (
      (select external_id, date, event, distinct_id, user_id, count, first_at, last_at from old_rows
       except
       select external_id, date, event, distinct_id, user_id, count, first_at, last_at from new_rows)
      union all
      (select external_id, date, event, distinct_id, user_id, count, first_at, last_at from new_rows
       except
       select external_id, date, event, distinct_id, user_id, count, first_at, last_at from old_rows)
    ) c;
  end if;
  return null;
end
$$;

revoke execute on function ops.mark_events(), ops.mark_event_user_days() from public, anon, authenticated;

-- Triggers of statements fire on the table that the statement names: the parent's for all that goes through it, a
-- partition's own for who writes to that partition directly.
create function ops.add_event_triggers(target regclass, base text) returns void
language plpgsql set search_path = '' as $$
begin
  execute format('create trigger mark_insert after insert on %s referencing new table as new_rows for each statement execute function ops.%I()', target, 'mark_' || base);
  execute format('create trigger mark_update after update on %s referencing old table as old_rows new table as new_rows for each statement execute function ops.%I()', target, 'mark_' || base);
  execute format('create trigger mark_delete after delete on %s referencing old table as old_rows for each statement execute function ops.%I()', target, 'mark_' || base);
  execute format('create trigger mark_truncate before truncate on %s for each statement execute function ops.%I()', target, 'mark_' || base);
end
$$;
revoke execute on function ops.add_event_triggers(regclass, text) from public, anon, authenticated;

select ops.add_event_triggers('public.events', 'events'), ops.add_event_triggers('public.event_user_days', 'event_user_days');
