-- What invoices tell of subscriptions' past, and the rows of `subscriptions` made from it: Stripe keeps events for 30 days,
-- so that before the first event only invoices know. Rows made here are marked `reconstructed`.
create table ops.billed_periods (
  account text not null,
  livemode boolean not null,
  invoice_id text not null,
  line_id text not null,
  subscription_id text not null,
  customer_id text,
  item_id text not null,
  price_id text,
  quantity numeric,
  -- What the line bills before discounts, in minor units; negative where it gives back.
  amount numeric not null,
  -- A change in the middle of a period: what the item was is given back, what it became is billed, for what is left of it.
  proration boolean not null,
  currency text not null,
  status text not null check (status in ('active', 'past_due', 'incomplete')),
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  item_discounts jsonb not null,
  discounts jsonb not null,
  -- What each discount took off the line, in minor units by its id: for discounts that nobody tells more of.
  taken jsonb not null,
  -- The subscription's rows have not been made of it yet.
  pending boolean not null default true,
  primary key (account, livemode, invoice_id, line_id)
);
comment on table ops.billed_periods is 'Invoice lines that bill a period of a subscription item, or the rest of one after a change, as read of the API. Subscriptions'' days before the first event are reconstructed from them.';
create index billed_periods_of_subscription on ops.billed_periods (account, livemode, subscription_id, starts_at);
create index billed_periods_pending on ops.billed_periods (account, livemode, subscription_id) where pending;
alter table ops.billed_periods enable row level security;
grant select, insert, update, delete on ops.billed_periods to service_role;
create index subscriptions_reconstructed on public.subscriptions (external_id, date) where reconstructed;

-- Keeps the periods of one invoice: those that it no longer bills go. True when anything changed.
create function ops.keep_billed_periods(account text, livemode boolean, invoice text, periods jsonb) returns boolean
language plpgsql set search_path = '' as $$
#variable_conflict use_column
declare
  gone text[];
  written integer;
begin
  -- What an invoice no longer bills moves its subscription too: one of its other lines takes the mark.
  with removed as (
    delete from ops.billed_periods b
    where b.account = keep_billed_periods.account and b.livemode = keep_billed_periods.livemode and b.invoice_id = keep_billed_periods.invoice
      and not exists (select 1 from jsonb_array_elements(keep_billed_periods.periods) p where p.value ->> 'line' = b.line_id)
    returning b.subscription_id
  )
  select array_agg(distinct subscription_id) into gone from removed;
  if gone is not null then
    update ops.billed_periods b set pending = true
    where b.account = keep_billed_periods.account and b.livemode = keep_billed_periods.livemode and b.subscription_id = any (gone) and not b.pending;
  end if;
  insert into ops.billed_periods as b (account, livemode, invoice_id, line_id, subscription_id, customer_id, item_id, price_id,
    quantity, amount, proration, currency, status, starts_at, ends_at, item_discounts, discounts, taken)
  select keep_billed_periods.account, keep_billed_periods.livemode, keep_billed_periods.invoice, p.line, p.subscription, p.customer, p.item, p.price,
    p.quantity, p.amount, p.proration, p.currency, p.status, p.starts_at, p.ends_at, p.item_discounts, p.discounts, p.taken
  from jsonb_to_recordset(keep_billed_periods.periods) as p (line text, subscription text, customer text, item text, price text,
    quantity numeric, amount numeric, proration boolean, currency text, status text, starts_at timestamptz, ends_at timestamptz,
    item_discounts jsonb, discounts jsonb, taken jsonb)
  on conflict (account, livemode, invoice_id, line_id) do update
  set (subscription_id, customer_id, item_id, price_id, quantity, amount, proration, currency, status, starts_at, ends_at, item_discounts, discounts, taken, pending)
    = (excluded.subscription_id, excluded.customer_id, excluded.item_id, excluded.price_id, excluded.quantity, excluded.amount, excluded.proration, excluded.currency,
      excluded.status, excluded.starts_at, excluded.ends_at, excluded.item_discounts, excluded.discounts, excluded.taken, true)
  where (b.subscription_id, b.customer_id, b.item_id, b.price_id, b.quantity, b.amount, b.proration, b.currency, b.status, b.starts_at, b.ends_at, b.item_discounts, b.discounts, b.taken)
    is distinct from (excluded.subscription_id, excluded.customer_id, excluded.item_id, excluded.price_id, excluded.quantity, excluded.amount, excluded.proration, excluded.currency,
      excluded.status, excluded.starts_at, excluded.ends_at, excluded.item_discounts, excluded.discounts, excluded.taken);
  get diagnostics written = row_count;
  return written > 0 or gone is not null;
end
$$;
