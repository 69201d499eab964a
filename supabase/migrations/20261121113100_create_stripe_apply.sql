-- One event, or one object read from the API, into ledger and state: one call, one transaction, whoever calls.
-- Events arrive late, twice and out of order. `created` has whole seconds, so that it orders versions of different seconds
-- only; within a second what changed decides, then how far the object's life had gone, and where nothing does, the
-- object is marked dirty and read from the API.
-- The helpers are called by stripe_apply alone and run under its settings (an empty search path, plans that are made once
-- a connection); each setting of their own would cost every event.

create function ops.stripe_key(account text, id text) returns text
language sql immutable parallel safe
return 'stripe:' || case when account = 'default' then '' else account || ':' end || id;

-- In plpgsql, like others here that could be SQL: called once an event, its plan is kept, where SQL's is made each time.
create function ops.business_day(at timestamptz) returns date
language plpgsql stable parallel safe as $$
begin
  return (at at time zone coalesce((select s.reporting_timezone from ops.settings s), 'UTC'))::date;
end
$$;

-- Whether the object has the values of `previous`, an event's previous_attributes: of an inner object only those named.
create function ops.has_attributes(object jsonb, previous jsonb) returns boolean
language plpgsql immutable parallel safe as $$
begin
  return not exists (select from jsonb_each(previous) a
    where case when jsonb_typeof(a.value) = 'object' and jsonb_typeof(object -> a.key) = 'object'
      then not ops.has_attributes(object -> a.key, a.value) else coalesce(object -> a.key, 'null') <> a.value end);
end
$$;

-- The later of two versions of one second: 1 the incoming event's, -1 the stored one's, 0 they are the same,
-- 2 nobody can tell. `event` is the incoming one, of whose object (or of one inside it) this is about.
create function ops.compare_versions(id text, event jsonb, rank bigint, deleted boolean,
  stored_event text, stored_rank bigint, stored_deleted boolean) returns integer
language plpgsql stable as $$
declare
  stored jsonb := (select e.payload from public.billing_events e where e.external_id = stored_event);
  before jsonb := stored #> '{data,object}';
  after jsonb := event #> '{payload,data,object}';
  newer boolean;
  older boolean;
begin
  if deleted <> stored_deleted then return case when deleted then 1 else -1 end; end if;
  -- An object that came inside another one (a refund in its charge) gives way to its own events.
  if after ->> 'id' is distinct from id or before ->> 'id' is distinct from id then
    if after ->> 'id' = id then return 1; end if;
    if before ->> 'id' = id or rank is not distinct from stored_rank then return -1; end if;
    return coalesce(sign(rank - stored_rank), 2);
  end if;
  if after = before then return 0; end if;
  if (event ->> 'type' like '%.created') <> (stored ->> 'type' like '%.created') then
    return case when event ->> 'type' like '%.created' then -1 else 1 end;
  end if;
  newer := jsonb_typeof(event #> '{payload,data,previous_attributes}') = 'object'
    and ops.has_attributes(before, event #> '{payload,data,previous_attributes}');
  older := jsonb_typeof(stored #> '{data,previous_attributes}') = 'object'
    and ops.has_attributes(after, stored #> '{data,previous_attributes}');
  if coalesce(newer, false) <> coalesce(older, false) then return case when newer then 1 else -1 end; end if;
  if rank <> stored_rank then return sign(rank - stored_rank); end if;
  return 2;
end
$$;

-- As above for versions of any time. A reading of the API settles nothing within its second.
create function ops.order_versions(id text, event jsonb, at timestamptz, rank bigint, deleted boolean,
  stored_event text, stored_at timestamptz, stored_rank bigint, stored_deleted boolean) returns integer
language plpgsql stable as $$
begin
  if at <> stored_at then return case when at > stored_at then 1 else -1 end; end if;
  if event is null then return case when stored_event is null then 1 else -1 end; end if;
  if stored_event is null then return 2; end if;
  return ops.compare_versions(id, event, rank, deleted, stored_event, stored_rank, stored_deleted);
end
$$;

-- What identifies items and their discounts, without the details that one API version tells and another leaves out.
create function ops.item_skeleton(items jsonb) returns jsonb
language sql immutable parallel safe
return (select coalesce(jsonb_agg(jsonb_build_array(i.value -> 'id', i.value -> 'quantity', i.value #> '{price,id}',
    (select jsonb_agg(d.value -> 'id') from jsonb_array_elements(i.value -> 'discounts') d))
  order by i.value ->> 'id'), '[]') from jsonb_array_elements(items) i);

create function ops.discount_ids(discounts jsonb) returns jsonb
language sql immutable parallel safe
return (select coalesce(jsonb_agg(d.value -> 'id'), '[]') from jsonb_array_elements(discounts) d);

-- Values that were unknown for want of this price, coupon or discount.
create function ops.resolve_values(of_account text, of_livemode boolean, id text) returns void
language plpgsql as $$
begin
  update public.subscriptions s set mrr = m.net, synced_at = now()
  from public.subscriptions u
  cross join lateral public.subscription_mrr(u.items, u.discounts, u.account, u.livemode, u.stripe_event_created) m
  where u.mrr is null and not u.incomplete and u.account = of_account and u.livemode = of_livemode
    and strpos(u.items::text || u.discounts::text, to_jsonb(id)::text) > 0 and m.net is not null
    and s.external_id = u.external_id and s.date = u.date;
end
$$;

-- What a subscription is worth in this version; false when that takes something that is not known yet.
create function ops.value_subscription(s public.subscriptions, out mrr numeric, out known boolean)
language plpgsql stable as $$
declare
  value record;
begin
  select * into value from public.subscription_mrr(s.items, s.discounts, s.account, s.livemode, s.stripe_event_created);
  known := value.unknown = 0 and not s.incomplete;
  mrr := case
    when not public.subscription_counts(s.status, s.trial_end, s.pause_behavior, s.stripe_event_created) then 0
    when known then value.net end;
end
$$;

-- Whether two versions differ in more than what one of them tells in greater detail.
create function ops.is_other_subscription(present public.subscriptions, s public.subscriptions) returns boolean
language plpgsql immutable as $$
begin
  if present.external_id is null
    or ops.discount_ids(present.discounts) <> ops.discount_ids(s.discounts)
    or (not present.incomplete and ops.item_skeleton(present.items) <> ops.item_skeleton(s.items)) then return true; end if;
  s.items := present.items;
  s.discounts := present.discounts;
  s.incomplete := present.incomplete;
  s.quantity := present.quantity;
  s.date := present.date;
  s.mrr := present.mrr;
  s.stripe_event_id := present.stripe_event_id;
  s.stripe_event_created := present.stripe_event_created;
  s.source := present.source;
  s.rank := present.rank;
  s.synced_at := present.synced_at;
  s.run_id := present.run_id;
  return s is distinct from present;
end
$$;

-- A version of a subscription into the row of its day. Each day's row has its own newest version, so that a late event of
-- a past day changes that day and no other.
create function ops.put_subscription(s public.subscriptions) returns void
language plpgsql as $$
begin
  insert into public.subscriptions select (s).*
  on conflict (external_id, date) do update set
    account = excluded.account, livemode = excluded.livemode, customer_id = excluded.customer_id,
    status = excluded.status, currency = excluded.currency, mrr = excluded.mrr, quantity = excluded.quantity,
    product_id = excluded.product_id, price_id = excluded.price_id, interval = excluded.interval,
    interval_count = excluded.interval_count, created_at = excluded.created_at, started_at = excluded.started_at,
    trial_start = excluded.trial_start, trial_end = excluded.trial_end,
    current_period_start = excluded.current_period_start, current_period_end = excluded.current_period_end,
    cancel_at = excluded.cancel_at, cancel_at_period_end = excluded.cancel_at_period_end,
    canceled_at = excluded.canceled_at, ended_at = excluded.ended_at,
    cancellation_reason = excluded.cancellation_reason, pause_behavior = excluded.pause_behavior,
    items = excluded.items, discounts = excluded.discounts, incomplete = excluded.incomplete,
    stripe_event_id = excluded.stripe_event_id, stripe_event_created = excluded.stripe_event_created,
    source = excluded.source, rank = excluded.rank, reconstructed = excluded.reconstructed,
    synced_at = excluded.synced_at, run_id = excluded.run_id;
end
$$;

-- An invoice's refunds and its own versions come in transactions of their own: this lock lets each see the other's.
create function ops.lock_stripe(account text, key text) returns void
language sql
return pg_advisory_xact_lock(hashtextextended('stripe ' || account || ' ' || key, 6));

create function ops.refresh_refunded(of_account text, of_invoice text) returns void
language plpgsql as $$
begin
  perform ops.lock_stripe(of_account, 'invoice:' || of_invoice);
  update public.invoices i set amount_refunded = r.amount, synced_at = now()
  from (select coalesce(sum(p.amount) filter (where p.counted), 0) as amount from public.payments p
    where p.kind = 'refund' and p.invoice_id = of_invoice and p.account = of_account) r
  where i.external_id = ops.stripe_key(of_account, of_invoice) and i.amount_refunded <> r.amount;
end
$$;

-- A payment into its row, and what it ties together: refunds and disputes learn customer and invoice of their charge,
-- charges their invoice (until 2025-03-31 they name it, since then an invoice payment does), whichever comes first.
create function ops.put_payment(p public.payments) returns void
language plpgsql as $$
declare
  charge public.payments;
  linked record;
begin
  if p.kind <> 'charge' and p.charge_id is not null then
    select * into charge from public.payments c where c.external_id = ops.stripe_key(p.account, p.charge_id);
    p.customer_id := coalesce(p.customer_id, charge.customer_id);
    p.invoice_id := coalesce(p.invoice_id, charge.invoice_id);
    p.payment_intent_id := coalesce(p.payment_intent_id, charge.payment_intent_id);
  end if;
  if p.invoice_id is null and p.payment_intent_id is not null then
    select o.data ->> 'invoice' into p.invoice_id from public.billing_objects o
    where o.type = 'invoice_payment' and o.data ->> 'payment_intent' = p.payment_intent_id
      and o.account = p.account and o.livemode = p.livemode limit 1;
  end if;
  insert into public.payments as t select (p).*
  on conflict (external_id) do update set
    date = excluded.date, kind = excluded.kind, account = excluded.account, livemode = excluded.livemode,
    customer_id = coalesce(excluded.customer_id, t.customer_id),
    invoice_id = coalesce(excluded.invoice_id, t.invoice_id),
    charge_id = coalesce(excluded.charge_id, t.charge_id),
    payment_intent_id = coalesce(excluded.payment_intent_id, t.payment_intent_id),
    currency = excluded.currency, amount = excluded.amount, status = excluded.status, counted = excluded.counted,
    occurred_at = excluded.occurred_at, occurred_exact = excluded.occurred_exact,
    synced_at = excluded.synced_at, run_id = excluded.run_id
  returning t.customer_id, t.invoice_id, t.payment_intent_id into linked;
  if p.kind = 'charge' then
    update public.payments r set
      customer_id = coalesce(linked.customer_id, r.customer_id), invoice_id = coalesce(linked.invoice_id, r.invoice_id),
      payment_intent_id = coalesce(linked.payment_intent_id, r.payment_intent_id), synced_at = now()
    where r.charge_id = p.charge_id and r.kind <> 'charge' and r.account = p.account
      and (r.customer_id is distinct from coalesce(linked.customer_id, r.customer_id)
        or r.invoice_id is distinct from coalesce(linked.invoice_id, r.invoice_id)
        or r.payment_intent_id is distinct from coalesce(linked.payment_intent_id, r.payment_intent_id));
    if found and linked.invoice_id is not null then perform ops.refresh_refunded(p.account, linked.invoice_id); end if;
  elsif p.kind = 'refund' and linked.invoice_id is not null then
    perform ops.refresh_refunded(p.account, linked.invoice_id);
  end if;
end
$$;

-- One version of one object. Says processed, stale, duplicate or unchanged.
-- What stripe_apply has read of the change already is given: reading it again would cost every event.
create function ops.apply_version(change jsonb, event jsonb, version jsonb, rows jsonb, in_account text, in_livemode boolean,
  in_event text, zone text) returns text
language plpgsql as $$
declare
  in_type text := version ->> 'type';
  id text := version ->> 'id';
  at timestamptz := (version ->> 'version_at')::timestamptz;
  in_rank bigint := (version ->> 'rank')::bigint;
  in_deleted boolean := (version ->> 'deleted')::boolean;
  in_data jsonb := nullif(version -> 'data', 'null');
  in_run uuid := (change ->> 'run_id')::uuid;
  key text := ops.stripe_key(in_account, id);
  day date := (at at time zone zone)::date;
  stored public.billing_objects;
  -- 1 newer, 0 the same, -1 older, 2 nobody can tell: taken, and marked dirty.
  verdict integer := 1;
  day_verdict integer;
  doubt boolean := false;
  changed boolean := true;
  known boolean := true;
  learned boolean := false;
  s public.subscriptions;
  present_s public.subscriptions;
  i public.invoices;
  p public.payments;
  present_p public.payments;
begin
  select * into stored from public.billing_objects o
  where o.account = in_account and o.livemode = in_livemode and o.type = in_type and o.object_id = id;

  if version ->> 'unseen' is not null then
    insert into public.billing_objects as o (external_id, date, account, livemode, type, object_id, version_at, source, dirty_since, run_id)
    values (ops.stripe_key(in_account, in_type || ':' || id), day, in_account, in_livemode, in_type, id, '-infinity', change ->> 'source', at, in_run)
    on conflict (account, livemode, type, object_id) do update
      set dirty_since = excluded.dirty_since, synced_at = now()
      where o.version_at <= excluded.dirty_since and coalesce(o.dirty_since < excluded.dirty_since, true);
    return case when found then 'processed' else 'stale' end;
  end if;

  if stored.object_id is not null then
    verdict := ops.order_versions(id, event, at, in_rank, in_deleted, stored.event_id, stored.version_at, stored.rank, stored.deleted);
  end if;
  day_verdict := verdict;

  if in_type = 'subscription' then
    if jsonb_typeof(rows -> 'subscription') = 'object' then
      s := jsonb_populate_record(null::public.subscriptions, rows -> 'subscription');
    else
      -- Gone at Stripe without having said why: nothing is billed any more.
      select * into s from public.subscriptions c where c.external_id = key order by c.date desc limit 1;
      s.status := 'canceled';
      s.ended_at := coalesce(s.ended_at, at);
    end if;
    s.external_id := key;
    s.date := day;
    s.account := in_account;
    s.livemode := in_livemode;
    s.stripe_event_id := event ->> 'id';
    s.stripe_event_created := at;
    s.source := change ->> 'source';
    s.rank := in_rank;
    s.reconstructed := false;
    s.synced_at := now();
    s.run_id := in_run;
    if event is null then
      select * into present_s from public.subscriptions c where c.external_id = key order by c.date desc limit 1;
      changed := ops.is_other_subscription(present_s, s);
      if not changed and s.items is not null and verdict > 0
        and (present_s.items, present_s.discounts, present_s.incomplete) is distinct from (s.items, s.discounts, s.incomplete) then
        -- The same state, told in more detail than the event had: the row learns it.
        present_s.items := s.items;
        present_s.discounts := s.discounts;
        present_s.incomplete := s.incomplete;
        present_s.quantity := s.quantity;
        present_s.synced_at := now();
        present_s.run_id := in_run;
        select v.mrr, v.known into present_s.mrr, known from ops.value_subscription(present_s) v;
        perform ops.put_subscription(present_s);
        learned := true;
      end if;
    elsif stored.object_id is not null and day < stored.date then
      select * into present_s from public.subscriptions c where c.external_id = key and c.date = day;
      day_verdict := case when present_s.external_id is null or present_s.reconstructed then 1
        else ops.order_versions(id, event, at, in_rank, in_deleted, ops.stripe_key(in_account, present_s.stripe_event_id),
          present_s.stripe_event_created, present_s.rank, false) end;
    end if;
    if day_verdict > 0 and changed and s.customer_id is not null then
      select v.mrr, v.known into s.mrr, known from ops.value_subscription(s) v;
      perform ops.put_subscription(s);
    end if;
  elsif in_type = 'invoice' then
    i := jsonb_populate_record(null::public.invoices, rows -> 'invoice');
    if event is null then
      select in_deleted or jsonb_populate_record(c, rows -> 'invoice') is distinct from c into changed from public.invoices c where c.external_id = key;
      changed := coalesce(changed, true);
    end if;
    if verdict > 0 and changed then
      if in_deleted then
        delete from public.invoices c where c.external_id = key;
      else
        insert into public.invoices (external_id, date, account, livemode, customer_id, subscription_id, currency, status,
          billing_reason, amount_due, amount_paid, amount_refunded, created_at, paid_at, run_id)
        values (key, (i.created_at at time zone zone)::date, in_account, in_livemode, i.customer_id, i.subscription_id, i.currency, i.status,
          i.billing_reason, i.amount_due, i.amount_paid,
          (select coalesce(sum(r.amount) filter (where r.counted), 0) from public.payments r
            where r.kind = 'refund' and r.invoice_id = id and r.account = in_account),
          i.created_at, i.paid_at, in_run)
        on conflict (external_id) do update set
          date = excluded.date, customer_id = excluded.customer_id, subscription_id = excluded.subscription_id,
          currency = excluded.currency, status = excluded.status, billing_reason = excluded.billing_reason,
          amount_due = excluded.amount_due, amount_paid = excluded.amount_paid, amount_refunded = excluded.amount_refunded,
          created_at = excluded.created_at, paid_at = excluded.paid_at, synced_at = now(), run_id = excluded.run_id;
      end if;
    end if;
  elsif rows ? 'payments' then
    p := jsonb_populate_record(null::public.payments, rows #> '{payments,0}');
    p.external_id := key;
    p.account := in_account;
    p.livemode := in_livemode;
    p.occurred_exact := coalesce(p.occurred_exact, true);
    p.synced_at := now();
    p.run_id := in_run;
    if event is null or p.kind = 'dispute' then
      select * into present_p from public.payments c where c.external_id = key;
      if p.kind = 'dispute' and p.counted and present_p.counted
        and (present_p.occurred_exact, p.occurred_at) is distinct from (false, present_p.occurred_at) then
        -- It was lost when an event first said so, whichever of them arrives first.
        if present_p.occurred_exact and (not p.occurred_exact or present_p.occurred_at < p.occurred_at) then
          p.occurred_at := present_p.occurred_at;
          p.occurred_exact := true;
        elsif verdict <= 0 and p.occurred_exact then
          update public.payments c set occurred_at = p.occurred_at, occurred_exact = true,
            date = (p.occurred_at at time zone zone)::date, synced_at = now()
          where c.external_id = key and (c.occurred_at, c.occurred_exact) is distinct from (p.occurred_at, true);
        end if;
      end if;
      if event is null then
        changed := present_p.external_id is null or (present_p.currency, present_p.amount, present_p.status, present_p.counted, present_p.occurred_at)
          is distinct from (p.currency, p.amount, p.status, p.counted, p.occurred_at);
      end if;
    end if;
    p.date := (p.occurred_at at time zone zone)::date;
    if verdict > 0 and changed then perform ops.put_payment(p); end if;
  elsif in_data is not null then
    -- A price's tiers and a coupon's products never change, and events don't tell them: once known they stay.
    if in_type = 'price' and in_data -> 'tiers' = 'null' then
      in_data := in_data || jsonb_build_object('tiers', coalesce(stored.data -> 'tiers', 'null'));
    end if;
    in_data := coalesce(stored.data, '{}') || in_data;
    changed := in_data is distinct from stored.data;
  elsif event is null then
    changed := stored.object_id is null or in_rank is distinct from stored.rank;
  end if;

  if event is null then
    changed := changed or in_deleted is distinct from coalesce(stored.deleted, false) or stored.object_id is null;
    if verdict <= 0 then
      if not changed then return 'unchanged'; end if;
      -- It may show what events after it have not told yet, or be older than they are: it is read again.
      update public.billing_objects o set dirty_since = stored.version_at, synced_at = now()
      where o.external_id = stored.external_id and o.dirty_since is null and stored.event_id is not null;
      return 'stale';
    end if;
    if not changed then
      if stored.dirty_since < at then
        update public.billing_objects o set dirty_since = null, synced_at = now(), run_id = in_run
        where o.external_id = stored.external_id;
      end if;
      return case when learned then 'processed' else 'unchanged' end;
    end if;
  elsif verdict <= 0 then
    return case
      when in_type = 'subscription' and day_verdict > 0 then 'processed'
      when verdict = 0 and exists (select 1 from public.billing_events e
        where e.external_id = stored.event_id and e.type = event ->> 'type') then 'duplicate'
      else 'stale' end;
  end if;

  doubt := event is not null and (verdict = 2 or not known);
  insert into public.billing_objects (external_id, date, account, livemode, type, object_id, version_at, event_id, source,
    rank, deleted, dirty_since, data, run_id)
  values (ops.stripe_key(in_account, in_type || ':' || id), day, in_account, in_livemode, in_type, id, at, in_event,
    change ->> 'source', in_rank, in_deleted, case when doubt then at end, coalesce(in_data, stored.data), in_run)
  on conflict (account, livemode, type, object_id) do update set
    date = excluded.date, version_at = excluded.version_at, event_id = excluded.event_id, source = excluded.source,
    rank = excluded.rank, deleted = excluded.deleted,
    -- A later second settles the doubts of earlier ones.
    dirty_since = case when doubt then at when stored.dirty_since >= at then stored.dirty_since end,
    data = excluded.data, synced_at = now(), run_id = excluded.run_id;

  if in_type in ('price', 'coupon', 'discount') and changed then
    perform ops.resolve_values(in_account, in_livemode, id);
  elsif in_type = 'invoice_payment' and in_data ->> 'invoice' is not null then
    update public.payments c set invoice_id = in_data ->> 'invoice', synced_at = now()
    where c.invoice_id is null and c.payment_intent_id = in_data ->> 'payment_intent' and c.account = in_account;
    if found then perform ops.refresh_refunded(in_account, in_data ->> 'invoice'); end if;
  end if;
  return 'processed';
end
$$;

-- Applies one change (billing-webhook/src/mapping/change.ts): the event into the ledger, its object into the state.
-- Returns processed, ignored, duplicate, stale (something newer is stored), unchanged (a reading that tells nothing new)
-- or failed (asked to keep an event that could not be mapped).
-- The object's lock comes first: a caller that waits for it holds nothing yet. What belongs to one payment has one lock.
create function public.stripe_apply(change jsonb) returns text
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  event jsonb;
  version jsonb;
  account text;
  livemode boolean;
  zone text;
  created timestamptz;
  event_key text;
  status text;
  before text;
  result text;
  part jsonb;
begin
  -- Over HTTP the change comes as the text that it was encoded as, so that nobody writes the payload anew.
  if jsonb_typeof(change) = 'string' then change := (change #>> '{}')::jsonb; end if;
  event := change -> 'event';
  version := change -> 'object';
  account := change ->> 'account';
  livemode := (change ->> 'livemode')::boolean;
  if jsonb_typeof(version) = 'object' then
    perform ops.lock_stripe(account, coalesce(change #>> '{rows,payments,0,payment_intent_id}', change #>> '{rows,payments,0,charge_id}',
      change #>> '{object,data,payment_intent}', (version ->> 'type') || ':' || (version ->> 'id')));
  end if;
  zone := coalesce((select t.reporting_timezone from ops.settings t), 'UTC');

  if jsonb_typeof(event) = 'object' then
    event_key := ops.stripe_key(account, event ->> 'id');
    status := event ->> 'status';
    created := (event ->> 'created')::timestamptz;
    insert into public.billing_events as e (external_id, date, account, livemode, type, object_type, object_id, customer_id,
      api_version, event_created, status, error, next_attempt_at, payload, run_id)
    values (event_key, (created at time zone zone)::date, account, livemode,
      event ->> 'type', event ->> 'object_type', event ->> 'object_id', event ->> 'customer_id', event ->> 'api_version',
      created, status, event ->> 'error',
      case when status = 'failed' then now() + interval '1 minute' end, event -> 'payload', (change ->> 'run_id')::uuid)
    on conflict (external_id) do nothing;
    if not found then
      select e.status into before from public.billing_events e where e.external_id = event_key for update;
      if before <> 'failed' then return 'duplicate'; end if;
      -- The payload too: an earlier one may have lost what could not be stored.
      update public.billing_events e set status = event ->> 'status', error = event ->> 'error', attempts = e.attempts + 1,
        object_type = event ->> 'object_type', object_id = event ->> 'object_id', customer_id = event ->> 'customer_id',
        next_attempt_at = case when event ->> 'status' = 'failed' then e.next_attempt_at end, synced_at = now()
      where e.external_id = event_key;
    end if;
    if status <> 'processed' then return status; end if;
  else
    event := null;
  end if;
  if jsonb_typeof(version) is distinct from 'object' then return 'ignored'; end if;

  result := ops.apply_version(change, event, version, change -> 'rows', account, livemode, event_key, zone);
  if change -> 'embedded' <> '[]' then
    for part in select p.value from jsonb_array_elements(change -> 'embedded') p loop
      if ops.apply_version(change, event, part -> 'object', part -> 'rows', account, livemode, event_key, zone) = 'processed'
        and result in ('stale', 'unchanged') then
        result := 'processed';
      end if;
    end loop;
  end if;
  if change -> 'references' <> '[]' then
    insert into public.billing_objects (external_id, date, account, livemode, type, object_id, version_at, source, data, run_id)
    select distinct on (r.type, r.id) ops.stripe_key(account, r.type || ':' || r.id),
        ((version ->> 'version_at')::timestamptz at time zone zone)::date, account, livemode, r.type, r.id, '-infinity'::timestamptz, change ->> 'source', r.data, (change ->> 'run_id')::uuid
    from jsonb_to_recordset(change -> 'references') as r (type text, id text, data jsonb)
    on conflict do nothing;
  end if;
  return result;
end
$$;

revoke execute on function ops.stripe_key(text, text), ops.business_day(timestamptz), ops.has_attributes(jsonb, jsonb),
  ops.compare_versions(text, jsonb, bigint, boolean, text, bigint, boolean),
  ops.order_versions(text, jsonb, timestamptz, bigint, boolean, text, timestamptz, bigint, boolean),
  ops.item_skeleton(jsonb), ops.discount_ids(jsonb), ops.resolve_values(text, boolean, text),
  ops.value_subscription(public.subscriptions), ops.is_other_subscription(public.subscriptions, public.subscriptions),
  ops.put_subscription(public.subscriptions), ops.lock_stripe(text, text), ops.refresh_refunded(text, text),
  ops.put_payment(public.payments), ops.apply_version(jsonb, jsonb, jsonb, jsonb, text, boolean, text, text), public.stripe_apply(jsonb)
  from public, anon, authenticated;
grant execute on function ops.stripe_key(text, text), ops.business_day(timestamptz), ops.has_attributes(jsonb, jsonb),
  ops.compare_versions(text, jsonb, bigint, boolean, text, bigint, boolean),
  ops.order_versions(text, jsonb, timestamptz, bigint, boolean, text, timestamptz, bigint, boolean),
  ops.item_skeleton(jsonb), ops.discount_ids(jsonb), ops.resolve_values(text, boolean, text),
  ops.value_subscription(public.subscriptions), ops.is_other_subscription(public.subscriptions, public.subscriptions),
  ops.put_subscription(public.subscriptions), ops.lock_stripe(text, text), ops.refresh_refunded(text, text),
  ops.put_payment(public.payments), ops.apply_version(jsonb, jsonb, jsonb, jsonb, text, boolean, text, text), public.stripe_apply(jsonb)
  to service_role;
