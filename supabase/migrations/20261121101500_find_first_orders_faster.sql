-- A customer's first order is one index entry away, ties included: metrics look up every customer of a changed day.

create index orders_first_idx on public.orders (shop, customer_id, processed_at, length(external_id), external_id) include (date)
  where customer_id is not null;
drop index public.orders_shop_customer_id_idx;
