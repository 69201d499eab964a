-- What a subscription became by the first event that is known of it was taken for the time before that event too, where no
-- invoice that was read tells of that time (a year bought long ago, of which there are three since last week). Taken
-- instead is what the event says it was before; where it says that nothing changed, it was as it is.

drop function ops.put_past(public.subscriptions, timestamptz, text, uuid);
drop function ops.extend_subscriptions(text, boolean, uuid);

-- Whether an event of a subscription left it worth the same, and when the period before it began, if it tells that. What
-- ends it for good (a deletion tells no status before) leaves its worth until then.
create or replace function ops.kept_worth(payload jsonb, out same boolean, out began_at timestamptz)
language plpgsql immutable set search_path = '' as $$
declare
  before jsonb := coalesce(payload #> '{data,previous_attributes}', '{}');
  counted text[] := array['active', 'past_due', 'trialing'];
begin
  same := payload ->> 'type' <> 'customer.subscription.created'
    and not before ?| array['plan', 'quantity', 'discount', 'discounts', 'pause_collection', 'trial_end', 'currency']
    and (not before ? 'status' or (before ->> 'status' = any (counted) and payload #>> '{data,object,status}' = any (counted)))
    and (not before ? 'items' or ops.item_amounts(before -> 'items') is not distinct from ops.item_amounts(payload #> '{data,object,items}'));
  began_at := to_timestamp(coalesce(before ->> 'current_period_start', before #>> '{items,data,0,current_period_start}')::numeric);
end
$$;

-- The event that was the first of several of one second: the only one that can't have followed another of them. Null when
-- nobody can tell.
create function ops.first_of_second(events text[]) returns text
language plpgsql stable set search_path = '' as $$
begin
  if cardinality(events) = 1 then return events[1]; end if;
  return (
    with told as materialized (
      select e.external_id, e.payload #> '{data,object}' as after, coalesce(nullif(e.payload #> '{data,previous_attributes}', 'null'), '{}') as before
      from public.billing_events e where e.external_id = any (events)
    )
    select min(t.external_id) from told t
    where not exists (select 1 from told o where o.external_id <> t.external_id
      and ops.has_attributes(o.after, t.before) and not ops.has_attributes(t.after, o.before))
    having count(*) = 1);
end
$$;

-- One row of the past that is taken from a version that is known: as that one, from an instant on. It keeps the event that
-- the version was told by.
create function ops.put_past(known public.subscriptions, began_at timestamptz, new_status text, new_pause text, new_source text, in_run uuid)
returns integer
language plpgsql set search_path = '' as $$
declare
  tried boolean := coalesce(new_status = 'active' and began_at >= known.trial_start and began_at < known.trial_end, false);
  past public.subscriptions := known;
begin
  past.date := ops.business_day(began_at);
  past.status := case when tried then 'trialing' else new_status end;
  past.trial_start := case when tried then known.trial_start end;
  past.trial_end := case when tried then known.trial_end end;
  if began_at < known.current_period_start or known.current_period_start is null then
    past.current_period_start := began_at;
    past.current_period_end := known.current_period_start;
  end if;
  past.cancel_at := null;
  past.cancel_at_period_end := false;
  past.pause_behavior := new_pause;
  if new_status = 'active' then
    past.canceled_at := null;
    past.ended_at := null;
    past.cancellation_reason := null;
  end if;
  past.stripe_event_created := began_at;
  select v.mrr into past.mrr from ops.value_subscription(past) v;
  past.source := new_source;
  past.rank := null;
  past.reconstructed := true;
  past.synced_at := clock_timestamp();
  past.run_id := in_run;
  insert into public.subscriptions select (past).* on conflict (external_id, date) do nothing;
  return case when found then 1 else 0 end;
end
$$;

-- The status that a period began with, by the one that it had in it: dunning comes later.
create function ops.first_status(status text) returns text
language sql immutable set search_path = ''
return case when status in ('past_due', 'trialing') then 'active' else status end;

-- Whether a row of the past tells of the period that began then. Of those that were taken from a version only one of the
-- event that is given does.
create function ops.has_past(of_subscription text, began_at timestamptz, event_id text) returns boolean
language plpgsql stable set search_path = '' as $$
begin
  return exists (
    select from public.subscriptions s
    where s.external_id = of_subscription and s.reconstructed and s.date >= ops.business_day(began_at) - 1
      and (s.source = 'invoices' or s.stripe_event_id is not distinct from event_id));
end
$$;

-- The first day of which an event of a subscription is known: of the days since then they all are.
create function ops.events_since(of_account text, of_livemode boolean) returns date
language plpgsql stable set search_path = '' as $$
begin
  return (select min(s.date) from public.subscriptions s
    where s.account = of_account and s.livemode = of_livemode and not s.reconstructed and s.stripe_event_id is not null);
end
$$;

-- As put_past, where nothing tells of the period that began then: no invoice, and no row that was taken from the same
-- version. What was taken from another one, of the time since the last invoice, goes: it is not the first that is known any
-- more. Returns how many rows were written.
-- When it came to be unpaid or paused nobody says, if no event does: it is so since the first day of which events are known,
-- and the period began without.
create function ops.take_past(known public.subscriptions, began_at timestamptz, new_status text, new_pause text, new_source text,
  known_since date, in_run uuid) returns integer
language plpgsql set search_path = '' as $$
declare
  has_stopped boolean := new_status = 'unpaid' or coalesce(new_pause, 'keep_as_draft') <> 'keep_as_draft';
  written integer;
begin
  if ops.has_past(known.external_id, began_at, known.stripe_event_id) then return 0; end if;
  delete from public.subscriptions s
  where s.external_id = known.external_id and s.reconstructed and s.source <> 'invoices'
    and s.stripe_event_id is distinct from known.stripe_event_id
    and not exists (select from public.subscriptions i
      where i.external_id = s.external_id and i.reconstructed and i.source = 'invoices' and i.date > s.date);
  get diagnostics written = row_count;
  if not has_stopped or ops.business_day(began_at) >= known_since then
    return written + ops.put_past(known, began_at, new_status, new_pause, new_source, in_run);
  end if;
  written := written + ops.put_past(known, began_at, 'active', null, new_source, in_run);
  if known_since < known.date then
    written := written + ops.put_past(known, known_since::timestamp at time zone coalesce((select t.reporting_timezone from ops.settings t), 'UTC'),
      new_status, new_pause, new_source, in_run);
  end if;
  return written;
end
$$;

-- Where no invoice that was read tells of the time before the first row of a subscription, what is certain or next to it:
-- rows of source `api`; returns how many were written. From the first row that Stripe told: its period began with the same
-- items, unless an event of that day says otherwise; a canceled one was active until it ended. `changed`: the events that
-- say otherwise, for put_before, which comes next, and after that extend_to_first_day.
create function ops.extend_subscriptions(of_account text, of_livemode boolean, in_run uuid, out written integer, out changed text[])
language plpgsql set search_path = '' as $$
declare
  first_day date := (select min(c.day) from ops.coverage c where c.source = 'stripe' and c.account_id = of_account and c.stream = 'events');
  known_since date := ops.events_since(of_account, of_livemode);
  o record;
  has_end boolean;
begin
  written := 0;
  changed := '{}';
  for o in
    with first as materialized (
      select distinct on (s.external_id) s as known, s.external_id, s.date, s.status, s.stripe_event_id, s.ended_at,
        coalesce(s.pause_behavior, 'keep_as_draft') <> 'keep_as_draft' as is_paused,
        greatest(s.current_period_start, s.started_at, s.created_at) as period_start, greatest(s.started_at, s.created_at) as created_at
      from public.subscriptions s
      where s.account = of_account and s.livemode = of_livemode and not s.reconstructed
      order by s.external_id, s.date
    ), told as (
      select f.external_id, e.external_id as event, e.type, k.same, k.began_at,
        rank() over (partition by f.external_id order by e.event_created) as place
      from first f
      join public.billing_events e on e.account = of_account and ops.stripe_key(of_account, e.object_id) = f.external_id
        and e.date = f.date and e.type like 'customer.subscription.%'
      cross join lateral ops.kept_worth(e.payload) k
    ), opened as (
      select external_id, bool_and(same) as same, min(began_at) as began_at,
        array_agg(event) filter (where place = 1) as events, bool_or(type = 'customer.subscription.created') as is_new
      from told group by external_id
    )
    select f.*, coalesce(w.same, f.stripe_event_id is null) as same, w.events is not null as is_told, n.event, e.id as event_id,
      greatest(w.began_at, f.created_at, case when w.began_at is null then f.period_start end) as began_at
    from first f
    left join opened w on w.external_id = f.external_id
    left join lateral (select ops.first_of_second(w.events) as event where not w.same and not w.is_new) n on true
    left join lateral (select b.payload ->> 'id' as id from public.billing_events b where b.external_id = n.event) e on true
  loop
    continue when ops.business_day(o.began_at) >= o.date;
    if not o.same then
      if o.event is not null and not ops.has_past(o.external_id, o.began_at, o.event_id) then changed := changed || o.event; end if;
    elsif o.status in ('active', 'past_due', 'trialing') then
      -- When a pause began a reading does not say; an event that leaves it unmentioned says that it was there before.
      if o.is_told or not o.is_paused then
        written := written + ops.take_past(o.known, o.began_at, 'active', (o.known).pause_behavior, 'api', known_since, in_run);
      end if;
    elsif o.status = 'canceled' and o.is_told then
      -- Of days whose invoices were read those would tell.
      if ops.business_day(o.began_at) < first_day then
        written := written + ops.take_past(o.known, o.began_at, 'active', (o.known).pause_behavior, 'api', known_since, in_run);
      end if;
    elsif o.status = 'canceled' and ops.business_day(o.ended_at) between first_day and o.date - 1 then
      has_end := ops.has_past(o.external_id, o.ended_at, null);
      if ops.business_day(o.began_at) < ops.business_day(o.ended_at) then
        written := written + ops.take_past(o.known, o.began_at, 'active', null, 'api', known_since, in_run);
      end if;
      if not has_end then
        written := written + ops.put_past(o.known, o.ended_at, 'canceled', null, 'api', in_run);
      end if;
    end if;
  end loop;
end
$$;

-- What subscriptions were before the first event that is known of each, by that event: `versions` has the event (its key in
-- the ledger) and the row (billing-webhook/src/mapping/before.ts). Each is written (source `events`) as of the beginning of
-- its period, instead of what was taken from other versions; not where an invoice tells of that period, nor where its
-- value is not known. Returns how many rows were written.
create function ops.put_before(of_account text, of_livemode boolean, versions jsonb, in_run uuid) returns integer
language plpgsql set search_path = '' as $$
declare
  known_since date := ops.events_since(of_account, of_livemode);
  written integer := 0;
  told record;
  past public.subscriptions;
  began_at timestamptz;
begin
  for told in
    select v.version, e.payload ->> 'id' as event_id, e.event_created, f.known
    from jsonb_to_recordset(versions) as v (event text, version jsonb)
    join public.billing_events e on e.external_id = v.event
    cross join lateral (
      select s as known from public.subscriptions s
      where s.external_id = ops.stripe_key(e.account, e.object_id) and not s.reconstructed order by s.date limit 1
    ) f
    where (f.known).date = e.date
  loop
    past := jsonb_populate_record(told.known, told.version);
    past.stripe_event_id := told.event_id;
    past.stripe_event_created := told.event_created;
    began_at := greatest(past.current_period_start, past.started_at, past.created_at);
    continue when past.status in ('canceled', 'incomplete_expired') or ops.business_day(began_at) >= past.date
      or (select v.mrr is null from ops.value_subscription(past) v);
    written := written + ops.take_past(past, began_at, ops.first_status(past.status), past.pause_behavior, 'events', known_since, in_run);
  end loop;
  return written;
end
$$;

-- A subscription that is older than the days that were read was there on the first of them: in the period before the first
-- row that is known of it, it was like that. Returns how many rows were written.
create function ops.extend_to_first_day(of_account text, of_livemode boolean, in_run uuid) returns integer
language plpgsql set search_path = '' as $$
declare
  written integer;
  first_day date := (select min(c.day) from ops.coverage c where c.source = 'stripe' and c.account_id = of_account and c.stream = 'events');
begin
  with first as materialized (
    select distinct on (s.external_id) s as known, s.date, s.status, s.items, ops.business_day(greatest(s.started_at, s.created_at)) as created_on,
      greatest(s.started_at, s.created_at, coalesce(s.current_period_start, s.stripe_event_created)
        - make_interval(days => case s.interval when 'day' then s.interval_count when 'week' then 7 * s.interval_count else 0 end,
          months => case s.interval when 'month' then s.interval_count when 'year' then 12 * s.interval_count else 0 end)) as began_at
    from public.subscriptions s
    where s.account = of_account and s.livemode = of_livemode
    order by s.external_id, s.date
  )
  select coalesce(sum(ops.put_past(f.known, f.began_at, 'active', null, 'api', in_run)), 0) into written
  from first f
  where f.status in ('active', 'past_due', 'trialing') and f.items <> '[]' and f.created_on < first_day and f.date > first_day
    and ops.business_day(f.began_at) <= first_day;
  return written;
end
$$;

comment on table public.subscriptions is 'A subscription''s newest version of a business day on which it changed; the latest row with date <= D is the state at the end of D. mrr: monthly value then in major units, 0 when it does not count, null when a price, discount or item (incomplete) is not known. stripe_event_id is null for a version read from the API at stripe_event_created; of a reconstructed row it is the event of the version that the row was taken from.';

revoke execute on function
  ops.first_of_second(text[]),
  ops.put_past(public.subscriptions, timestamptz, text, text, text, uuid),
  ops.first_status(text),
  ops.has_past(text, timestamptz, text),
  ops.events_since(text, boolean),
  ops.take_past(public.subscriptions, timestamptz, text, text, text, date, uuid),
  ops.extend_subscriptions(text, boolean, uuid),
  ops.put_before(text, boolean, jsonb, uuid),
  ops.extend_to_first_day(text, boolean, uuid)
  from public, anon, authenticated;
grant execute on function
  ops.first_of_second(text[]),
  ops.put_past(public.subscriptions, timestamptz, text, text, text, uuid),
  ops.first_status(text),
  ops.has_past(text, timestamptz, text),
  ops.events_since(text, boolean),
  ops.take_past(public.subscriptions, timestamptz, text, text, text, date, uuid),
  ops.extend_subscriptions(text, boolean, uuid),
  ops.put_before(text, boolean, jsonb, uuid),
  ops.extend_to_first_day(text, boolean, uuid)
  to service_role;
