-- Events tell neither a coupon's products nor a price's tiers, without which nothing that has them can be valued: such an
-- object is in doubt until it was read from the API. An event that had failed keeps the payload of its newest delivery.

create function ops.ask_for_details(of_account text, of_livemode boolean, of_type text, id text) returns void
language plpgsql as $$
begin
  update public.billing_objects o set dirty_since = o.version_at, synced_at = now()
  where o.account = of_account and o.livemode = of_livemode and o.type = of_type and o.object_id = id
    and o.dirty_since is null and o.event_id is not null and not o.deleted
    and case of_type when 'coupon' then not o.data ? 'applies_to'
      else o.data ->> 'billing_scheme' = 'tiered' and o.data -> 'tiers' = 'null' end;
end
$$;
revoke execute on function ops.ask_for_details(text, boolean, text, text) from public, anon, authenticated;
grant execute on function ops.ask_for_details(text, boolean, text, text) to service_role;

-- What was stored before this.
select ops.ask_for_details(o.account, o.livemode, o.type, o.object_id) from public.billing_objects o where o.type in ('price', 'coupon');

-- Values that were unknown for want of this price, coupon or discount. A subscription may name the discount alone.
create or replace function ops.resolve_values(of_account text, of_livemode boolean, id text) returns void
language plpgsql as $$
begin
  update public.subscriptions s set mrr = m.net, synced_at = now()
  from public.subscriptions u
  cross join lateral public.subscription_mrr(u.items, u.discounts, u.account, u.livemode, u.stripe_event_created) m
  where u.mrr is null and not u.incomplete and u.account = of_account and u.livemode = of_livemode and m.net is not null
    and exists (
      select from (
        select resolve_values.id as named
        union all
        select o.object_id from public.billing_objects o
        where o.account = of_account and o.livemode = of_livemode and o.type = 'discount' and o.data #>> '{coupon,id}' = resolve_values.id
      ) n where strpos(u.items::text || u.discounts::text, to_jsonb(n.named)::text) > 0)
    and s.external_id = u.external_id and s.date = u.date;
end
$$;

-- As in 20261121113100, with the details asked for, coupons learned from what has them (20261121116100) and the payload kept.
create or replace function public.stripe_apply(change jsonb) returns text
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
        payload = event -> 'payload', object_type = event ->> 'object_type', object_id = event ->> 'object_id', customer_id = event ->> 'customer_id',
        next_attempt_at = case when event ->> 'status' = 'failed' then e.next_attempt_at end, synced_at = now()
      where e.external_id = event_key;
    end if;
    if status <> 'processed' then return status; end if;
  else
    event := null;
  end if;
  if jsonb_typeof(version) is distinct from 'object' then return 'ignored'; end if;

  result := ops.apply_version(change, event, version, change -> 'rows', account, livemode, event_key, zone);
  if version ->> 'type' in ('price', 'coupon') then perform ops.ask_for_details(account, livemode, version ->> 'type', version ->> 'id'); end if;
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
    if change -> 'references' @? '$[*] ? (@.type == "coupon")' then perform ops.learn_coupons(account, livemode, change -> 'references'); end if;
  end if;
  return result;
end
$$;
