-- The tables that connectors load. Every one carries unique (external_id, date): the grain of a daily fact.
-- Entities (orders, items, refunds) also carry unique (external_id), so that one whose date moves leaves no twin.
-- No foreign keys between them: a page may bring a child before its parent's next version.

create table public.spend (
  external_id text not null,
  date date not null,
  source text not null,
  account_id text not null,
  account_timezone text not null,
  campaign_id text not null,
  campaign_name text,
  ad_group_id text not null,
  ad_group_name text,
  ad_id text not null,
  ad_name text,
  currency text not null,
  spend numeric not null,
  impressions bigint not null,
  clicks bigint not null,
  link_clicks bigint,
  reach bigint,
  conversions numeric,
  conversion_value numeric,
  raw jsonb not null,
  synced_at timestamptz not null default now(),
  run_id uuid,
  constraint spend_external_id_date_key unique (external_id, date)
);
comment on table public.spend is 'One ad on one day of the ad account''s own calendar, in the account''s currency.';
create index spend_source_account_id_date_idx on public.spend (source, account_id, date);
create index spend_date_idx on public.spend (date);

create table public.orders (
  external_id text not null,
  date date not null,
  source text not null,
  shop text not null,
  order_name text not null,
  created_at timestamptz not null,
  processed_at timestamptz not null,
  updated_at timestamptz not null,
  cancelled_at timestamptz,
  customer_id text,
  currency text not null,
  gross_sales numeric not null,
  discounts numeric not null,
  shipping numeric not null,
  taxes numeric not null,
  total numeric not null,
  refunded numeric not null,
  financial_status text,
  test boolean not null,
  channel text,
  landing_page text,
  utm_source text,
  utm_medium text,
  utm_campaign text,
  item_count integer not null,
  synced_at timestamptz not null default now(),
  run_id uuid,
  constraint orders_external_id_date_key unique (external_id, date),
  constraint orders_external_id_key unique (external_id)
);
comment on table public.orders is 'One order, on the business day it was processed, in the shop''s currency at order time. Amounts are as ordered.';
create index orders_source_shop_date_idx on public.orders (source, shop, date);
create index orders_date_idx on public.orders (date);
create index orders_shop_customer_id_idx on public.orders (shop, customer_id, processed_at) where customer_id is not null;

create table public.order_items (
  external_id text not null,
  date date not null,
  order_external_id text not null,
  product_id text,
  variant_id text,
  sku text,
  title text,
  quantity integer not null,
  gross_sales numeric not null,
  discounts numeric not null,
  is_gift_card boolean not null,
  synced_at timestamptz not null default now(),
  run_id uuid,
  constraint order_items_external_id_date_key unique (external_id, date),
  constraint order_items_external_id_key unique (external_id)
);
comment on table public.order_items is 'One line of an order, with the quantity as ordered; date is its order''s and moves with it.';
create index order_items_order_external_id_idx on public.order_items (order_external_id);

create table public.refunds (
  external_id text not null,
  date date not null,
  order_external_id text not null,
  currency text not null,
  returns numeric not null,
  shipping numeric not null,
  taxes numeric not null,
  total numeric not null,
  synced_at timestamptz not null default now(),
  run_id uuid,
  constraint refunds_external_id_date_key unique (external_id, date),
  constraint refunds_external_id_key unique (external_id)
);
comment on table public.refunds is 'One refund, on the business day it was processed: goods given back (returns), shipping and tax, and the cash (total).';
create index refunds_order_external_id_idx on public.refunds (order_external_id);
create index refunds_date_idx on public.refunds (date);

create table public.fx_rates (
  external_id text not null,
  date date not null,
  quote text not null,
  rate_per_eur numeric not null check (rate_per_eur > 0),
  synced_at timestamptz not null default now(),
  run_id uuid,
  constraint fx_rates_external_id_date_key unique (external_id, date)
);
comment on table public.fx_rates is 'Units of the quote currency per 1 EUR, on the day the European Central Bank published it.';
create index fx_rates_quote_date_idx on public.fx_rates (quote, date);
