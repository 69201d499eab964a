-- Makes the rows of subscriptions' past from what invoices billed, for days before the first row that Stripe told.

-- The price of a billed period: the one that was read of the API, else what the line of a whole period itself tells: its
-- amount, and its interval by the length of the period.
create function ops.billed_price(period ops.billed_periods) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  days integer := round(extract(epoch from period.ends_at - period.starts_at) / 86400);
begin
  return coalesce(
    ops.find_price(jsonb_build_object('id', period.price_id), period.account, period.livemode),
    case when period.proration then jsonb_build_object('id', period.price_id) end,
    jsonb_build_object('id', period.price_id, 'product', null, 'currency', period.currency, 'type', 'recurring',
      'billing_scheme', 'per_unit', 'tiers_mode', null, 'tiers', null,
      'unit_amount', trim_scale(period.amount / coalesce(nullif(period.quantity, 0), 1))::text, 'transform', null,
      'usage_type', 'licensed', 'tax_behavior', 'unspecified',
      'interval', case when days < 7 then 'day' when days < 28 then 'week' when days < 360 then 'month' else 'year' end,
      'interval_count', greatest(1, case when days < 7 then days when days < 28 then days / 7 when days < 360 then round(days / 30.4) else round(days / 365.0) end::integer)));
end
$$;

-- What of a list of items makes its amount.
create function ops.item_amounts(items jsonb) returns jsonb
language sql immutable set search_path = ''
return (select jsonb_agg(jsonb_build_array(coalesce(i.value #>> '{price,id}', i.value #>> '{plan,id}'), i.value -> 'quantity', i.value -> 'discounts')
  order by i.value ->> 'id') from jsonb_array_elements(items -> 'data') i);

-- The discounts of a billed item: those that are known in words, and for any other that took something off just that, for
-- the period in which it did.
create function ops.billed_item_discounts(period ops.billed_periods) returns jsonb
language plpgsql stable set search_path = '' as $$
begin
  return (
    select coalesce(jsonb_agg(d.told), '[]') from (
      select t.value as told from jsonb_array_elements(period.item_discounts) t
      where ops.find_discount(t.value, period.account, period.livemode) is not null
      union all
      select coalesce(k.known, jsonb_build_object('id', t.key, 'start', period.starts_at, 'end', period.ends_at,
        'coupon', jsonb_build_object('id', t.key, 'percent_off', null, 'amount_off', t.value, 'currency', period.currency,
          'duration', 'forever', 'duration_in_months', null, 'applies_to', null)))
      from jsonb_each_text(period.taken) t
      cross join lateral (
        select ops.find_discount(jsonb_build_object('id', t.key), period.account, period.livemode) as known
      ) k
      where not exists (
        select 1 from jsonb_array_elements(period.item_discounts || period.discounts) o
        where o.value ->> 'id' = t.key and ops.find_discount(o.value, period.account, period.livemode) is not null)
    ) d
  );
end
$$;

-- The discounts of the whole subscription that are known in words.
create function ops.billed_discounts(period ops.billed_periods) returns jsonb
language plpgsql stable set search_path = '' as $$
begin
  return (select coalesce(jsonb_agg(t.value), '[]') from jsonb_array_elements(period.discounts) t
    where ops.find_discount(t.value, period.account, period.livemode) is not null);
end
$$;

-- What a subscription that was like this was worth when the period began.
create function ops.value_at(status text, trial_end timestamptz, items jsonb, discounts jsonb, account text, livemode boolean, at timestamptz) returns numeric
language plpgsql stable set search_path = '' as $$
begin
  return case when public.subscription_counts(status, trial_end, null, at)
    then (public.subscription_mrr(items, discounts, account, livemode, at)).net else 0 end;
end
$$;

-- Rebuilds the reconstructed rows (source `invoices`) of subscriptions of which something new was billed, so many at a time:
-- how many they were (0: none is left), and how many rows changed. A row stands on the business day on which a period begins, or changes in its middle, with the
-- items billed for that instant; on the day it ended, a canceled one. Rows that Stripe told are never touched.
create function ops.rebuild_subscriptions(of_account text, of_livemode boolean, most integer, in_run uuid,
  out subscriptions integer, out changed integer)
language plpgsql set search_path = '' as $$
declare
  ids text[] := array(select distinct b.subscription_id from ops.billed_periods b
    where b.account = of_account and b.livemode = of_livemode and b.pending limit most);
  metered text[] := array(select o.object_id from public.billing_objects o
    where o.account = of_account and o.livemode = of_livemode and o.type = 'price' and o.data ->> 'usage_type' = 'metered');
begin
  subscriptions := cardinality(ids);
  changed := 0;
  if subscriptions = 0 then return; end if;
  with todo as materialized (
    select p.id as subscription_id, ops.stripe_key(of_account, p.id) as external_id from unnest(ids) p (id)
  ), told as materialized (
    select t.subscription_id, f.external_id, f.date as first_date, f.items, k.status, k.customer_id, k.currency, k.created_at, k.started_at,
      k.trial_start, k.trial_end, k.ended_at, k.cancellation_reason
    from todo t
    cross join lateral (
      select s.* from public.subscriptions s where s.external_id = t.external_id and not s.reconstructed order by s.date limit 1
    ) f
    cross join lateral (
      select s.* from public.subscriptions s where s.external_id = t.external_id and not s.reconstructed order by s.date desc limit 1
    ) k
    where k.status <> 'incomplete_expired'
  ), points as (
    select distinct on (f.external_id, b.starts_at) f.external_id, f.subscription_id, b.starts_at, b.customer_id, b.currency
    from told f
    join ops.billed_periods b on b.account = of_account and b.livemode = of_livemode and b.subscription_id = f.subscription_id
    where b.starts_at < coalesce(f.ended_at, 'infinity') and ops.business_day(b.starts_at) < f.first_date
      and (b.price_id is null or b.price_id <> all (metered))
    order by f.external_id, b.starts_at, b.invoice_id desc
  ), states as (
    select p.external_id, p.starts_at, p.customer_id, p.currency, coalesce(w.status, 'active') as status,
      coalesce(w.discounts, '[]') as discounts, coalesce(i.items, '[]') as items, i.ends_at
    from points p
    join told f on f.external_id = p.external_id
    -- A change in the middle of a period may be billed with the next one: what else holds is told by the period that it is in.
    left join lateral (
      select b.status, ops.billed_discounts(b) as discounts from ops.billed_periods b
      where b.account = of_account and b.livemode = of_livemode and b.subscription_id = p.subscription_id
        and not b.proration and b.starts_at <= p.starts_at
      order by b.starts_at desc, b.invoice_id desc limit 1
    ) w on true
    cross join lateral (
      select jsonb_agg(jsonb_build_object('id', (c.b).item_id, 'quantity', (c.b).quantity, 'price', ops.billed_price(c.b),
          'discounts', ops.billed_item_discounts(c.b),
          'current_period_start', to_char((c.b).starts_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
          'current_period_end', to_char((c.b).ends_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
          'inclusive_tax_percent', (select t.value -> 'inclusive_tax_percent' from jsonb_array_elements(f.items) t
            where t.value ->> 'id' = (c.b).item_id limit 1),
          'trial_end', null) order by (c.b).item_id) as items, min((c.b).ends_at) as ends_at
      from (
        select distinct on (b.item_id) b from ops.billed_periods b
        where b.account = of_account and b.livemode = of_livemode and b.subscription_id = p.subscription_id
          and b.starts_at <= p.starts_at and b.ends_at > p.starts_at and (b.price_id is null or b.price_id <> all (metered))
        -- Of one instant what is billed outweighs what is given back; an item of which something is only given back is gone.
        order by b.item_id, b.starts_at desc, b.amount desc, b.invoice_id desc
      ) c
      where not ((c.b).proration and (c.b).amount < 0)
    ) i
  ), made as (
    select s.external_id, ops.business_day(s.starts_at) as date, s.starts_at, coalesce(s.customer_id, f.customer_id) as customer_id,
      case when s.starts_at >= f.trial_start and s.starts_at < f.trial_end then 'trialing' else s.status end as status,
      s.currency, s.items, s.discounts, f.created_at, f.started_at,
      case when s.starts_at >= f.trial_start and s.starts_at < f.trial_end then f.trial_start end as trial_start,
      case when s.starts_at >= f.trial_start and s.starts_at < f.trial_end then f.trial_end end as trial_end,
      s.ends_at, null::timestamptz as ended_at, null::text as cancellation_reason
    from states s join told f on f.external_id = s.external_id
    union all
    select f.external_id, ops.business_day(f.ended_at), f.ended_at, f.customer_id, f.status, f.currency, '[]', '[]',
      f.created_at, f.started_at, null, null, null, f.ended_at, f.cancellation_reason
    from told f
    where ops.business_day(f.ended_at) < f.first_date
      and exists (select 1 from points p where p.external_id = f.external_id and p.starts_at < f.ended_at)
  ), wanted as materialized (
    select distinct on (m.external_id, m.date) m.*, m.items -> 0 -> 'price' as price,
      (select sum((i.value ->> 'quantity')::bigint) from jsonb_array_elements(m.items) i) as quantity,
      ops.value_at(m.status, m.trial_end, m.items, m.discounts, of_account, of_livemode, m.starts_at) as mrr
    from made m
    order by m.external_id, m.date, m.starts_at desc
  ), removed as (
    delete from public.subscriptions s using todo t
    where s.external_id = t.external_id and s.reconstructed
      and not exists (select 1 from wanted w where w.external_id = s.external_id and w.date = s.date)
      -- What was taken from the first row that Stripe told gives way to what was billed for that time.
      and (s.source = 'invoices' or exists (select 1 from wanted w where w.external_id = s.external_id and w.date >= s.date - 1))
    returning 1
  ), written as (
    insert into public.subscriptions as s (external_id, date, account, livemode, customer_id, status, currency, mrr, quantity, product_id, price_id,
      interval, interval_count, created_at, started_at, trial_start, trial_end, current_period_start, current_period_end,
      ended_at, canceled_at, cancellation_reason, items, discounts, stripe_event_created, source, reconstructed, synced_at, run_id)
    select w.external_id, w.date, of_account, of_livemode, w.customer_id, w.status, w.currency, w.mrr, w.quantity, w.price ->> 'product', w.price ->> 'id',
      w.price ->> 'interval', (w.price ->> 'interval_count')::integer, w.created_at, w.started_at, w.trial_start, w.trial_end, w.starts_at, w.ends_at,
      w.ended_at, w.ended_at, w.cancellation_reason, w.items, w.discounts, w.starts_at, 'invoices', true, clock_timestamp(), in_run
    from wanted w order by w.external_id, w.date
    on conflict (external_id, date) do update
    set (customer_id, status, currency, mrr, quantity, product_id, price_id, interval, interval_count, created_at, started_at, trial_start, trial_end,
        current_period_start, current_period_end, ended_at, canceled_at, cancellation_reason, items, discounts, stripe_event_created, source, synced_at, run_id)
      = (excluded.customer_id, excluded.status, excluded.currency, excluded.mrr, excluded.quantity, excluded.product_id, excluded.price_id, excluded.interval,
        excluded.interval_count, excluded.created_at, excluded.started_at, excluded.trial_start, excluded.trial_end, excluded.current_period_start,
        excluded.current_period_end, excluded.ended_at, excluded.canceled_at, excluded.cancellation_reason, excluded.items, excluded.discounts,
        excluded.stripe_event_created, excluded.source, excluded.synced_at, excluded.run_id)
    where s.reconstructed and (s.customer_id, s.status, s.currency, s.mrr, s.created_at, s.started_at, s.trial_start, s.trial_end, s.current_period_start,
        s.current_period_end, s.ended_at, s.cancellation_reason, s.items, s.discounts, s.source)
      is distinct from (excluded.customer_id, excluded.status, excluded.currency, excluded.mrr, excluded.created_at, excluded.started_at, excluded.trial_start,
        excluded.trial_end, excluded.current_period_start, excluded.current_period_end, excluded.ended_at, excluded.cancellation_reason, excluded.items,
        excluded.discounts, excluded.source)
    returning 1
  )
  select (select count(*) from removed) + (select count(*) from written) into changed;
  update ops.billed_periods b set pending = false
  where b.account = of_account and b.livemode = of_livemode and b.pending and b.subscription_id = any (ids);
end
$$;

-- Whether an event of a subscription left it worth the same, and when the period before it began, if it tells that.
create function ops.kept_worth(payload jsonb, out same boolean, out began_at timestamptz)
language plpgsql immutable set search_path = '' as $$
declare
  before jsonb := coalesce(payload #> '{data,previous_attributes}', '{}');
begin
  same := payload ->> 'type' <> 'customer.subscription.created'
    and not before ?| array['plan', 'quantity', 'discount', 'discounts', 'pause_collection', 'trial_end', 'currency']
    and coalesce(before ->> 'status', 'active') in ('active', 'past_due', 'trialing')
    and (not before ? 'items' or ops.item_amounts(before -> 'items') is not distinct from ops.item_amounts(payload #> '{data,object,items}'));
  began_at := to_timestamp(coalesce(before ->> 'current_period_start', before #>> '{items,data,0,current_period_start}')::numeric);
end
$$;

-- One row of the past that is taken from a row that is known: as that one, from an instant on.
create function ops.put_past(known public.subscriptions, began_at timestamptz, new_status text, in_run uuid) returns integer
language plpgsql set search_path = '' as $$
declare
  tried boolean := coalesce(new_status = 'active' and began_at >= known.trial_start and began_at < known.trial_end, false);
  past public.subscriptions := known;
begin
  past.date := ops.business_day(began_at);
  past.status := case when tried then 'trialing' else new_status end;
  past.trial_start := case when tried then known.trial_start end;
  past.trial_end := case when tried then known.trial_end end;
  past.current_period_start := began_at;
  past.current_period_end := case when began_at = known.current_period_start then known.current_period_end else known.current_period_start end;
  past.cancel_at := null;
  past.cancel_at_period_end := false;
  past.pause_behavior := null;
  if new_status = 'active' then
    past.canceled_at := null;
    past.ended_at := null;
    past.cancellation_reason := null;
  end if;
  past.mrr := ops.value_at(past.status, past.trial_end, past.items, past.discounts, past.account, past.livemode, began_at);
  past.stripe_event_id := null;
  past.stripe_event_created := began_at;
  past.source := 'api';
  past.rank := null;
  past.reconstructed := true;
  past.synced_at := clock_timestamp();
  past.run_id := in_run;
  insert into public.subscriptions select (past).* on conflict (external_id, date) do nothing;
  return case when found then 1 else 0 end;
end
$$;

-- Where no invoice that was read tells of the time before the first row of a subscription, what is certain or next to it
-- (rows of source `api`); returns how many were added. From the first row that Stripe told: its period began with the same
-- items, unless an event of that day says otherwise; a canceled one was active until it ended. And a subscription that is
-- older than the days that were read was there on the first of them: in the period before its first row it was like that.
create function ops.extend_subscriptions(of_account text, of_livemode boolean, in_run uuid) returns integer
language plpgsql set search_path = '' as $$
declare
  added integer;
  more integer;
  first_day date := (select min(c.day) from ops.coverage c where c.source = 'stripe' and c.account_id = of_account and c.stream = 'events');
begin
  with first as materialized (
    select distinct on (s.external_id) s as row, s.external_id, s.date, s.status, s.stripe_event_id, s.ended_at, s.pause_behavior,
      greatest(s.current_period_start, s.started_at, s.created_at) as period_start, greatest(s.started_at, s.created_at) as created_at
    from public.subscriptions s
    where s.account = of_account and s.livemode = of_livemode and not s.reconstructed
    order by s.external_id, s.date
  ), opened as (
    select f.external_id, bool_and(k.same) as same, min(k.began_at) as began_at
    from first f
    join public.billing_events e on e.account = of_account and ops.stripe_key(of_account, e.object_id) = f.external_id
      and e.date = f.date and e.type like 'customer.subscription.%'
    cross join lateral ops.kept_worth(e.payload) k
    where f.stripe_event_id is not null
    group by f.external_id
  ), past as (
    select f.row, f.external_id, greatest(o.began_at, f.created_at, case when o.began_at is null then f.period_start end) as began_at, f.date as until, 'active' as status
    from first f left join opened o on o.external_id = f.external_id
    where f.status in ('active', 'past_due', 'trialing') and coalesce(f.pause_behavior, 'keep_as_draft') = 'keep_as_draft'
      and coalesce(o.same, f.stripe_event_id is null)
    union all
    select f.row, f.external_id, f.period_start, ops.business_day(f.ended_at), 'active' from first f
    where f.status = 'canceled' and f.stripe_event_id is null and ops.business_day(f.ended_at) between first_day and f.date - 1
    union all
    select f.row, f.external_id, f.ended_at, f.date, 'canceled' from first f
    where f.status = 'canceled' and f.stripe_event_id is null and ops.business_day(f.ended_at) between first_day and f.date - 1
  )
  select coalesce(sum(ops.put_past(p.row, p.began_at, p.status, in_run)), 0) into added
  from past p
  where ops.business_day(p.began_at) < p.until
    and not exists (select 1 from public.subscriptions s where s.external_id = p.external_id and s.reconstructed
      and s.date >= ops.business_day(p.began_at) - 1);

  with first as materialized (
    select distinct on (s.external_id) s as row, s.date, s.status, s.items, ops.business_day(greatest(s.started_at, s.created_at)) as created_on,
      greatest(s.started_at, s.created_at, coalesce(s.current_period_start, s.stripe_event_created)
        - make_interval(days => case s.interval when 'day' then s.interval_count when 'week' then 7 * s.interval_count else 0 end,
          months => case s.interval when 'month' then s.interval_count when 'year' then 12 * s.interval_count else 0 end)) as began_at
    from public.subscriptions s
    where s.account = of_account and s.livemode = of_livemode
    order by s.external_id, s.date
  )
  select coalesce(sum(ops.put_past(f.row, f.began_at, 'active', in_run)), 0) into more
  from first f
  where f.status in ('active', 'past_due', 'trialing') and f.items <> '[]' and f.created_on < first_day and f.date > first_day
    and ops.business_day(f.began_at) <= first_day;
  return added + more;
end
$$;

-- Reconstructed rows of days that Stripe tells of after all (a late event): they go. Returns how many.
create function ops.drop_overtaken_subscriptions() returns integer
language plpgsql set search_path = '' as $$
declare
  dropped integer;
begin
  delete from public.subscriptions r
  where r.reconstructed and exists (
    select 1 from public.subscriptions s where s.external_id = r.external_id and not s.reconstructed and s.date <= r.date);
  get diagnostics dropped = row_count;
  return dropped;
end
$$;

-- One record of a list or an event: what stripe_apply makes of it, and what it bills.
create function ops.stripe_load(change jsonb) returns text
language plpgsql set search_path = '' as $$
declare
  result text := public.stripe_apply(case when change ? 'billed' then change - 'billed' else change end);
begin
  if change ? 'billed' and ops.keep_billed_periods(change ->> 'account', (change ->> 'livemode')::boolean,
    change #>> '{billed,invoice}', change #> '{billed,periods}') then
    return 'processed';
  end if;
  return result;
end
$$;

revoke execute on function
  ops.keep_billed_periods(text, boolean, text, jsonb),
  ops.billed_price(ops.billed_periods),
  ops.billed_item_discounts(ops.billed_periods),
  ops.billed_discounts(ops.billed_periods),
  ops.value_at(text, timestamptz, jsonb, jsonb, text, boolean, timestamptz),
  ops.item_amounts(jsonb),
  ops.kept_worth(jsonb),
  ops.put_past(public.subscriptions, timestamptz, text, uuid),
  ops.rebuild_subscriptions(text, boolean, integer, uuid),
  ops.extend_subscriptions(text, boolean, uuid),
  ops.drop_overtaken_subscriptions(),
  ops.stripe_load(jsonb)
  from public, anon, authenticated;
grant execute on function
  ops.keep_billed_periods(text, boolean, text, jsonb),
  ops.billed_price(ops.billed_periods),
  ops.billed_item_discounts(ops.billed_periods),
  ops.billed_discounts(ops.billed_periods),
  ops.value_at(text, timestamptz, jsonb, jsonb, text, boolean, timestamptz),
  ops.item_amounts(jsonb),
  ops.kept_worth(jsonb),
  ops.put_past(public.subscriptions, timestamptz, text, uuid),
  ops.rebuild_subscriptions(text, boolean, integer, uuid),
  ops.extend_subscriptions(text, boolean, uuid),
  ops.drop_overtaken_subscriptions(),
  ops.stripe_load(jsonb)
  to service_role;
