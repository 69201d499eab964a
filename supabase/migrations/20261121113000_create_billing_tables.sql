-- What Stripe says of billing: the ledger of its events, and the state that they and readings of the API leave.
-- external_id is `stripe:<id>` for the platform's own account and `stripe:<account>:<id>` for a connected one, so that no
-- connected account can reach a row of the platform's.

create table public.billing_events (
  external_id text not null,
  date date not null,
  account text not null,
  livemode boolean not null,
  type text not null,
  object_type text,
  object_id text,
  customer_id text,
  api_version text,
  event_created timestamptz not null,
  status text not null check (status in ('processed', 'ignored', 'failed')),
  attempts integer not null default 1,
  sweeps integer not null default 0,
  error text,
  next_attempt_at timestamptz,
  payload jsonb not null,
  received_at timestamptz not null default now(),
  synced_at timestamptz not null default now(),
  run_id uuid,
  constraint billing_events_external_id_date_key unique (external_id, date),
  constraint billing_events_external_id_key unique (external_id)
) with (toast_tuple_target = 8160);
-- toast_tuple_target: an event of up to 8 KB stays in its row as it came; compressing it would cost as much as all the rest.
comment on table public.billing_events is 'One event, on the business day it was created, with the payload as Stripe sent it. failed: kept, and tried again at next_attempt_at; sweeps counts those tries, attempts all.';
create index billing_events_failed_idx on public.billing_events (next_attempt_at) where status = 'failed';

create table public.subscriptions (
  external_id text not null,
  date date not null,
  account text not null,
  livemode boolean not null,
  customer_id text not null,
  status text not null,
  currency text,
  mrr numeric,
  quantity bigint,
  product_id text,
  price_id text,
  interval text,
  interval_count integer,
  created_at timestamptz not null,
  started_at timestamptz,
  trial_start timestamptz,
  trial_end timestamptz,
  current_period_start timestamptz,
  current_period_end timestamptz,
  cancel_at timestamptz,
  cancel_at_period_end boolean not null default false,
  canceled_at timestamptz,
  ended_at timestamptz,
  cancellation_reason text,
  pause_behavior text,
  items jsonb not null,
  discounts jsonb not null default '[]',
  incomplete boolean not null default false,
  stripe_event_id text,
  stripe_event_created timestamptz not null,
  source text not null,
  rank bigint,
  reconstructed boolean not null default false,
  synced_at timestamptz not null default now(),
  run_id uuid,
  constraint subscriptions_external_id_date_key unique (external_id, date)
) with (fillfactor = 80);
comment on table public.subscriptions is 'A subscription''s newest version of a business day on which it changed; the latest row with date <= D is the state at the end of D. mrr: monthly value then in major units, 0 when it does not count, null when a price, discount or item (incomplete) is not known. stripe_event_id is null for a version read from the API at stripe_event_created.';
create index subscriptions_date_idx on public.subscriptions (date);
create index subscriptions_customer_id_idx on public.subscriptions (customer_id);
create index subscriptions_unknown_idx on public.subscriptions (account) where mrr is null;

create view public.subscriptions_current with (security_invoker = true) as
select distinct on (external_id) * from public.subscriptions order by external_id, date desc;
comment on view public.subscriptions_current is 'Each subscription as it is now: its latest row.';

create table public.invoices (
  external_id text not null,
  date date not null,
  account text not null,
  livemode boolean not null,
  customer_id text,
  subscription_id text,
  currency text not null,
  status text,
  billing_reason text,
  amount_due numeric not null,
  amount_paid numeric not null,
  amount_refunded numeric not null default 0,
  created_at timestamptz not null,
  paid_at timestamptz,
  synced_at timestamptz not null default now(),
  run_id uuid,
  constraint invoices_external_id_date_key unique (external_id, date),
  constraint invoices_external_id_key unique (external_id)
) with (fillfactor = 80);
comment on table public.invoices is 'One invoice, on the business day it was created, in its own currency. amount_refunded: refunds of its payments.';
create index invoices_subscription_id_idx on public.invoices (subscription_id);
create index invoices_date_idx on public.invoices (date);

create table public.payments (
  external_id text not null,
  date date not null,
  kind text not null check (kind in ('charge', 'refund', 'dispute', 'fee')),
  account text not null,
  livemode boolean not null,
  customer_id text,
  invoice_id text,
  charge_id text,
  payment_intent_id text,
  currency text not null,
  amount numeric not null,
  status text,
  counted boolean not null,
  occurred_at timestamptz not null,
  occurred_exact boolean not null default true,
  synced_at timestamptz not null default now(),
  run_id uuid,
  constraint payments_external_id_date_key unique (external_id, date),
  constraint payments_external_id_key unique (external_id)
);
comment on table public.payments is 'Money that moved, or was to move: amounts are positive, kind says which way. counted: it really did (a captured charge, a refund that did not fail, a lost dispute, a fee). occurred_exact is false where the time of a loss is read off its last movement of funds.';
create index payments_date_idx on public.payments (date);
create index payments_charge_id_idx on public.payments (charge_id) where kind <> 'charge';
create index payments_refunded_invoice_idx on public.payments (invoice_id) where kind = 'refund';
create index payments_unlinked_idx on public.payments (payment_intent_id) where invoice_id is null;

create table public.billing_objects (
  external_id text not null,
  date date not null,
  account text not null,
  livemode boolean not null,
  type text not null,
  object_id text not null,
  version_at timestamptz not null,
  event_id text,
  source text not null check (source in ('webhook', 'events', 'api')),
  rank bigint,
  deleted boolean not null default false,
  dirty_since timestamptz,
  data jsonb,
  synced_at timestamptz not null default now(),
  run_id uuid,
  constraint billing_objects_pkey primary key (account, livemode, type, object_id),
  constraint billing_objects_external_id_date_key unique (external_id, date)
) with (fillfactor = 80);
comment on table public.billing_objects is 'Which version of each object is stored: of event_id, or of the API (null). deleted: gone at Stripe, an older version does not bring it back. dirty_since: the version at this time (Stripe''s clock) left a doubt that a later reading of the API clears. data: what others need of prices, products, coupons, discounts and invoice payments.';
create index billing_objects_dirty_idx on public.billing_objects (account, type) where dirty_since is not null;
create index billing_objects_payment_intent_idx on public.billing_objects ((data ->> 'payment_intent')) where type = 'invoice_payment';

do $$
declare
  t text;
begin
  foreach t in array array['billing_events', 'subscriptions', 'invoices', 'payments', 'billing_objects'] loop
    execute format('alter table public.%I enable row level security', t);
    execute format('revoke all on public.%I from public, anon, authenticated', t);
    execute format('grant select, insert, update, delete on public.%I to service_role', t);
  end loop;
end
$$;
revoke all on public.subscriptions_current from public, anon, authenticated;
grant select on public.subscriptions_current to service_role;
