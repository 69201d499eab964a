-- Every change of a row that metrics read leaves a mark in the same transaction, whoever makes it (I9).
-- Append-only without any unique key: a writer never waits for a metrics run, which deletes the ids that it has read.
-- What a mark of a customer, an order or a rate touches is looked up when metrics run, not here: only then are the
-- rows of all writers visible, also of two that ran side by side.
-- order_items has no trigger: no metric reads it (an order carries its sums).

create table ops.dirty_marks (
  id bigint generated always as identity primary key,
  kind text not null check (kind in ('day', 'customer', 'order', 'rate')),
  table_name text not null,
  day date,
  until date,
  key text,
  created_at timestamptz not null default now()
);
comment on table ops.dirty_marks is 'What changed since metrics were computed. day: that day; customer (key shop/customer id): the days of its orders; order (key external_id): the days of its refunds; rate (key currency, * for all; day to until): days with facts that need it.';
alter table ops.dirty_marks enable row level security;
revoke all on ops.dirty_marks from public, anon, authenticated;
grant select, insert, update, delete on ops.dirty_marks to service_role;

-- Test and voided orders are stored and left out of every metric.
create function ops.is_counted_order(test boolean, financial_status text) returns boolean
language sql immutable
return not test and upper(financial_status) is distinct from 'VOIDED';

-- One trigger a kind of statement, with transition tables. An update is compared by `except` both ways over the columns
-- that metrics read: synced_at and run_id alone are no change, and both sides are hashed (a join of the two transition
-- tables is a nested loop, for want of statistics).

create function ops.mark_spend() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    insert into ops.dirty_marks (kind, table_name, day) select distinct 'day', 'spend', date from new_rows;
  elsif tg_op = 'DELETE' then
    insert into ops.dirty_marks (kind, table_name, day) select distinct 'day', 'spend', date from old_rows;
  elsif tg_op = 'TRUNCATE' then
    insert into ops.dirty_marks (kind, table_name, day) select distinct 'day', 'spend', date from public.spend;
  else
    insert into ops.dirty_marks (kind, table_name, day)
    select distinct 'day', 'spend', c.date from (
      (select external_id, date, source, currency, spend, impressions, clicks, conversions, conversion_value from old_rows
       except
       select external_id, date, source, currency, spend, impressions, clicks, conversions, conversion_value from new_rows)
      union all
      (select external_id, date, source, currency, spend, impressions, clicks, conversions, conversion_value from new_rows
       except
       select external_id, date, source, currency, spend, impressions, clicks, conversions, conversion_value from old_rows)
    ) c;
  end if;
  return null;
end
$$;

create function ops.mark_refunds() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    insert into ops.dirty_marks (kind, table_name, day) select distinct 'day', 'refunds', date from new_rows;
  elsif tg_op = 'DELETE' then
    insert into ops.dirty_marks (kind, table_name, day) select distinct 'day', 'refunds', date from old_rows;
  elsif tg_op = 'TRUNCATE' then
    insert into ops.dirty_marks (kind, table_name, day) select distinct 'day', 'refunds', date from public.refunds;
  else
    insert into ops.dirty_marks (kind, table_name, day)
    select distinct 'day', 'refunds', c.date from (
      (select external_id, date, order_external_id, currency, returns, shipping, taxes from old_rows
       except
       select external_id, date, order_external_id, currency, returns, shipping, taxes from new_rows)
      union all
      (select external_id, date, order_external_id, currency, returns, shipping, taxes from new_rows
       except
       select external_id, date, order_external_id, currency, returns, shipping, taxes from old_rows)
    ) c;
  end if;
  return null;
end
$$;

-- Days of counted orders; customers whose counted orders came, went or moved (that may change who is new on other
-- days); orders that became, or no longer are, left out (their refunds on other days are left out with them).
create function ops.mark_orders() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    insert into ops.dirty_marks (kind, table_name, day)
    select distinct 'day', 'orders', date from new_rows where ops.is_counted_order(test, financial_status);
    insert into ops.dirty_marks (kind, table_name, key)
    select distinct 'customer', 'orders', shop || '/' || customer_id from new_rows
    where customer_id is not null and ops.is_counted_order(test, financial_status);
    insert into ops.dirty_marks (kind, table_name, key)
    select 'order', 'orders', external_id from new_rows where not ops.is_counted_order(test, financial_status);
  elsif tg_op = 'DELETE' then
    insert into ops.dirty_marks (kind, table_name, day)
    select distinct 'day', 'orders', date from old_rows where ops.is_counted_order(test, financial_status);
    insert into ops.dirty_marks (kind, table_name, key)
    select distinct 'customer', 'orders', shop || '/' || customer_id from old_rows
    where customer_id is not null and ops.is_counted_order(test, financial_status);
    insert into ops.dirty_marks (kind, table_name, key)
    select 'order', 'orders', external_id from old_rows where not ops.is_counted_order(test, financial_status);
  elsif tg_op = 'TRUNCATE' then
    insert into ops.dirty_marks (kind, table_name, day)
    select 'day', 'orders', date from public.orders union select 'day', 'orders', date from public.refunds;
  else
    insert into ops.dirty_marks (kind, table_name, day)
    select distinct 'day', 'orders', c.date from (
      (select external_id, date, source, shop, customer_id, currency, gross_sales, discounts, shipping, taxes
       from old_rows where ops.is_counted_order(test, financial_status)
       except
       select external_id, date, source, shop, customer_id, currency, gross_sales, discounts, shipping, taxes
       from new_rows where ops.is_counted_order(test, financial_status))
      union all
      (select external_id, date, source, shop, customer_id, currency, gross_sales, discounts, shipping, taxes
       from new_rows where ops.is_counted_order(test, financial_status)
       except
       select external_id, date, source, shop, customer_id, currency, gross_sales, discounts, shipping, taxes
       from old_rows where ops.is_counted_order(test, financial_status))
    ) c;
    insert into ops.dirty_marks (kind, table_name, key)
    select distinct 'customer', 'orders', c.shop || '/' || c.customer_id from (
      (select external_id, shop, customer_id, date, processed_at
       from old_rows where customer_id is not null and ops.is_counted_order(test, financial_status)
       except
       select external_id, shop, customer_id, date, processed_at
       from new_rows where customer_id is not null and ops.is_counted_order(test, financial_status))
      union all
      (select external_id, shop, customer_id, date, processed_at
       from new_rows where customer_id is not null and ops.is_counted_order(test, financial_status)
       except
       select external_id, shop, customer_id, date, processed_at
       from old_rows where customer_id is not null and ops.is_counted_order(test, financial_status))
    ) c;
    insert into ops.dirty_marks (kind, table_name, key)
    select 'order', 'orders', c.external_id from (
      (select external_id from old_rows where not ops.is_counted_order(test, financial_status)
       except
       select external_id from new_rows where not ops.is_counted_order(test, financial_status))
      union all
      (select external_id from new_rows where not ops.is_counted_order(test, financial_status)
       except
       select external_id from old_rows where not ops.is_counted_order(test, financial_status))
    ) c;
  end if;
  return null;
end
$$;

-- A rate serves its own day and up to 7 after it. One mark a currency: a whole history arrives in one statement.
create function ops.mark_fx_rates() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    insert into ops.dirty_marks (kind, table_name, key, day, until)
    select 'rate', 'fx_rates', quote, min(date), max(date) + 7 from new_rows group by quote;
  elsif tg_op = 'DELETE' then
    insert into ops.dirty_marks (kind, table_name, key, day, until)
    select 'rate', 'fx_rates', quote, min(date), max(date) + 7 from old_rows group by quote;
  elsif tg_op = 'TRUNCATE' then
    insert into ops.dirty_marks (kind, table_name, key, day, until) values ('rate', 'fx_rates', '*', '-infinity', 'infinity');
  else
    insert into ops.dirty_marks (kind, table_name, key, day, until)
    select 'rate', 'fx_rates', c.quote, min(c.date), max(c.date) + 7 from (
      (select date, quote, rate_per_eur from old_rows except select date, quote, rate_per_eur from new_rows)
      union all
      (select date, quote, rate_per_eur from new_rows except select date, quote, rate_per_eur from old_rows)
    ) c group by c.quote;
  end if;
  return null;
end
$$;

-- Another reporting currency or other fixed rates: every day with facts that need one.
create function ops.mark_settings() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into ops.dirty_marks (kind, table_name, key, day, until) values ('rate', 'settings', '*', '-infinity', 'infinity');
  return null;
end
$$;
create trigger mark_insert after insert on ops.settings for each row execute function ops.mark_settings();
create trigger mark_update after update on ops.settings for each row
  when ((old.reporting_currency, old.fixed_rates) is distinct from (new.reporting_currency, new.fixed_rates))
  execute function ops.mark_settings();

do $$
declare
  t text;
begin
  foreach t in array array['spend', 'orders', 'refunds', 'fx_rates'] loop
    execute format('create trigger mark_insert after insert on public.%I referencing new table as new_rows for each statement execute function ops.%I()', t, 'mark_' || t);
    execute format('create trigger mark_update after update on public.%I referencing old table as old_rows new table as new_rows for each statement execute function ops.%I()', t, 'mark_' || t);
    execute format('create trigger mark_delete after delete on public.%I referencing old table as old_rows for each statement execute function ops.%I()', t, 'mark_' || t);
    execute format('create trigger mark_truncate before truncate on public.%I for each statement execute function ops.%I()', t, 'mark_' || t);
  end loop;
end
$$;

revoke execute on function ops.mark_spend(), ops.mark_refunds(), ops.mark_orders(), ops.mark_fx_rates(), ops.mark_settings(),
  ops.is_counted_order(boolean, text) from public, anon, authenticated;
grant execute on function ops.is_counted_order(boolean, text) to service_role;
