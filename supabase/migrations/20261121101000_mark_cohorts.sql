-- Marks say enough to find which cohorts a change reaches: from which day on and since which instant a customer's orders
-- changed, and which orders' refunds did. A customer's first order is the same as before when it was processed before
-- `at`: then no other day of that customer has to be computed, only the cohort of its first day.

alter table ops.dirty_marks add column at timestamptz;
alter table ops.dirty_marks drop constraint dirty_marks_kind_check;
alter table ops.dirty_marks add constraint dirty_marks_kind_check
  check (kind in ('day', 'customer', 'order', 'refund', 'rate'));
comment on table ops.dirty_marks is 'What changed since metrics were computed. day: that day; customer (key shop/customer id; day and until of the changed orders, at: the earliest processed_at among them): the days of its orders when its first order may be another, and its cohort; order (key external_id): the days of its refunds; refund (key external_id of the order, day to until of the changed refunds): the order''s day and its customer''s cohort; rate (key currency, * for all; day to until): days with facts that need it.';

create or replace function ops.mark_refunds() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    insert into ops.dirty_marks (kind, table_name, day) select distinct 'day', 'refunds', date from new_rows;
    insert into ops.dirty_marks (kind, table_name, key, day, until)
    select 'refund', 'refunds', order_external_id, min(date), max(date) from new_rows group by order_external_id;
  elsif tg_op = 'DELETE' then
    insert into ops.dirty_marks (kind, table_name, day) select distinct 'day', 'refunds', date from old_rows;
    insert into ops.dirty_marks (kind, table_name, key, day, until)
    select 'refund', 'refunds', order_external_id, min(date), max(date) from old_rows group by order_external_id;
  elsif tg_op = 'TRUNCATE' then
    insert into ops.dirty_marks (kind, table_name, day) select distinct 'day', 'refunds', date from public.refunds;
    insert into ops.dirty_marks (kind, table_name, key, day, until)
    select 'refund', 'refunds', order_external_id, min(date), max(date) from public.refunds group by order_external_id;
  else
    with changed as materialized (
      (select external_id, date, order_external_id, currency, returns, shipping, taxes from old_rows
       except
       select external_id, date, order_external_id, currency, returns, shipping, taxes from new_rows)
      union all
      (select external_id, date, order_external_id, currency, returns, shipping, taxes from new_rows
       except
       select external_id, date, order_external_id, currency, returns, shipping, taxes from old_rows)
    ), days as (
      insert into ops.dirty_marks (kind, table_name, day) select distinct 'day', 'refunds', date from changed
    )
    insert into ops.dirty_marks (kind, table_name, key, day, until)
    select 'refund', 'refunds', order_external_id, min(date), max(date) from changed group by order_external_id;
  end if;
  return null;
end
$$;

-- Days and customers of counted orders; orders that became, or no longer are, left out (their refunds on other days are
-- left out with them).
create or replace function ops.mark_orders() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    insert into ops.dirty_marks (kind, table_name, day)
    select distinct 'day', 'orders', date from new_rows where ops.is_counted_order(test, financial_status);
    insert into ops.dirty_marks (kind, table_name, key, day, until, at)
    select 'customer', 'orders', shop || '/' || customer_id, min(date), max(date), min(processed_at) from new_rows
    where customer_id is not null and ops.is_counted_order(test, financial_status) group by shop, customer_id;
    insert into ops.dirty_marks (kind, table_name, key)
    select 'order', 'orders', external_id from new_rows where not ops.is_counted_order(test, financial_status);
  elsif tg_op = 'DELETE' then
    insert into ops.dirty_marks (kind, table_name, day)
    select distinct 'day', 'orders', date from old_rows where ops.is_counted_order(test, financial_status);
    insert into ops.dirty_marks (kind, table_name, key, day, until, at)
    select 'customer', 'orders', shop || '/' || customer_id, min(date), max(date), min(processed_at) from old_rows
    where customer_id is not null and ops.is_counted_order(test, financial_status) group by shop, customer_id;
    insert into ops.dirty_marks (kind, table_name, key)
    select 'order', 'orders', external_id from old_rows where not ops.is_counted_order(test, financial_status);
  elsif tg_op = 'TRUNCATE' then
    insert into ops.dirty_marks (kind, table_name, day)
    select 'day', 'orders', date from public.orders union select 'day', 'refunds', date from public.refunds;
  else
    with changed as materialized (
      (select external_id, date, source, shop, customer_id, processed_at, currency, gross_sales, discounts, shipping, taxes
       from old_rows where ops.is_counted_order(test, financial_status)
       except
       select external_id, date, source, shop, customer_id, processed_at, currency, gross_sales, discounts, shipping, taxes
       from new_rows where ops.is_counted_order(test, financial_status))
      union all
      (select external_id, date, source, shop, customer_id, processed_at, currency, gross_sales, discounts, shipping, taxes
       from new_rows where ops.is_counted_order(test, financial_status)
       except
       select external_id, date, source, shop, customer_id, processed_at, currency, gross_sales, discounts, shipping, taxes
       from old_rows where ops.is_counted_order(test, financial_status))
    ), days as (
      insert into ops.dirty_marks (kind, table_name, day) select distinct 'day', 'orders', date from changed
    )
    insert into ops.dirty_marks (kind, table_name, key, day, until, at)
    select 'customer', 'orders', shop || '/' || customer_id, min(date), max(date), min(processed_at) from changed
    where customer_id is not null group by shop, customer_id;
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
