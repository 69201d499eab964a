-- Shopify tells late, and without touching the order, what brought its buyer: until then the order is read again every day.
alter table public.orders add column attribution_ready boolean not null default true;
comment on column public.orders.attribution_ready is 'False while the source may still tell which visit led to the order.';
