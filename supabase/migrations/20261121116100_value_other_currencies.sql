-- A price or a coupon may have amounts of several currencies, and a subscription is billed in one of them: what it is worth
-- is told by that one's. Events tell none of them (docs.stripe.com/products-prices/manage-prices), so they are asked for.

-- The price itself when it says enough, else the one that was read of the API; null when neither does. In another currency
-- than its own a price has the amounts that it has for that one, and a tax behavior for it; without them it has no amount.
create or replace function ops.find_price(price jsonb, account text, livemode boolean) returns jsonb
language plpgsql stable parallel safe set search_path = '' as $$
#variable_conflict use_variable
declare
  found jsonb;
  currency text := upper(price ->> 'currency');
begin
  if ops.is_priced(price) then return price; end if;
  select o.data into found from public.billing_objects o
  where o.account = account and o.livemode = livemode and o.type = 'price' and o.object_id = price ->> 'id';
  if currency <> upper(found ->> 'currency') then
    found := found || '{"unit_amount": null, "tiers": null, "tax_behavior": null}'
      || coalesce(found #> array['currency_options', currency], '{}') || jsonb_build_object('currency', currency);
  end if;
  return case when ops.is_priced(found) then found - 'currency_options' end;
end
$$;

-- A discount with its coupon in full, its start and its end: from what is given, and what that leaves out from what was read
-- of the API. Null when they do not say what it takes off, of what, and until when.
create or replace function ops.find_discount(discount jsonb, account text, livemode boolean) returns jsonb
language plpgsql stable parallel safe set search_path = '' as $$
#variable_conflict use_variable
declare
  found jsonb := discount;
  coupon jsonb;
  stored jsonb;
begin
  if found #>> '{coupon,id}' is null and found #>> '{coupon,duration}' is null then
    select o.data into found from public.billing_objects o
    where o.account = account and o.livemode = livemode and o.type = 'discount' and o.object_id = discount ->> 'id';
  end if;
  coupon := found -> 'coupon';
  if coupon ->> 'duration' = 'once' then return found; end if;
  if coupon ->> 'duration' is null or not coupon ? 'applies_to'
    or (coupon ->> 'amount_off' is not null and not coupon ? 'currency_options') then
    select o.data into stored from public.billing_objects o
    where o.account = account and o.livemode = livemode and o.type = 'coupon' and o.object_id = coupon ->> 'id';
    coupon := coalesce(stored, '{}') || coupon;
    found := jsonb_set(found, '{coupon}', coupon);
    if coupon ->> 'duration' = 'once' then return found; end if;
  end if;
  if coupon ->> 'duration' is null or not coupon ? 'applies_to'
    or (coupon ->> 'percent_off' is null and coupon ->> 'amount_off' is null) then return null; end if;
  if coupon ->> 'duration' = 'repeating' and found ->> 'end' is null then
    if found ->> 'start' is null or coupon ->> 'duration_in_months' is null then return null; end if;
    found := found || jsonb_build_object('end',
      (found ->> 'start')::timestamptz at time zone 'UTC' + make_interval(months => (coupon ->> 'duration_in_months')::integer) || 'Z');
  end if;
  return found;
end
$$;

-- The amounts after one coupon; only_item is 0 for a discount of the whole subscription. Null when the coupon has no amount
-- in the subscription's currency; where it covers nothing (usage alone) that does not matter. An amount off is spread over
-- what it covers by amount; the last one takes the rest, so that the sum is exact.
create or replace function ops.take_off(amounts numeric[], products text[], coupon jsonb, currency text, only_item integer) returns numeric[]
language plpgsql immutable parallel safe set search_path = '' as $$
declare
  covered integer[] := array(
    select i from generate_subscripts(amounts, 1) i
    where only_item in (0, i) and amounts[i] > 0
      and (jsonb_typeof(coupon -> 'applies_to') is distinct from 'array' or coupon -> 'applies_to' ? products[i])
    order by i);
  amount_off numeric;
  total numeric := 0;
  remaining numeric;
  share numeric;
  i integer;
begin
  if coupon ->> 'percent_off' is not null then
    foreach i in array covered loop
      amounts[i] := greatest(amounts[i] * (100 - (coupon ->> 'percent_off')::numeric) / 100, 0);
    end loop;
    return amounts;
  end if;
  if cardinality(covered) = 0 then return amounts; end if;
  amount_off := case when upper(coupon ->> 'currency') = upper(currency) then coupon ->> 'amount_off'
    else coupon #>> array['currency_options', upper(currency), 'amount_off'] end;
  if amount_off is null then return null; end if;
  foreach i in array covered loop total := total + amounts[i]; end loop;
  amount_off := least(amount_off, total);
  remaining := amount_off;
  for n in 1 .. cardinality(covered) loop
    i := covered[n];
    share := case when n = cardinality(covered) then remaining else amount_off * amounts[i] / total end;
    amounts[i] := amounts[i] - share;
    remaining := remaining - share;
  end loop;
  return amounts;
end
$$;

-- The price of a billed period: the one that was read of the API, in the currency that was billed, else what the line of a
-- whole period itself tells: its amount, and its interval by the length of the period.
create or replace function ops.billed_price(period ops.billed_periods) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  days integer := round(extract(epoch from period.ends_at - period.starts_at) / 86400);
begin
  return coalesce(
    ops.find_price(jsonb_build_object('id', period.price_id, 'currency', period.currency), period.account, period.livemode),
    case when period.proration then jsonb_build_object('id', period.price_id, 'currency', period.currency) end,
    jsonb_build_object('id', period.price_id, 'product', null, 'currency', period.currency, 'type', 'recurring',
      'billing_scheme', 'per_unit', 'tiers_mode', null, 'tiers', null,
      'unit_amount', trim_scale(period.amount / coalesce(nullif(period.quantity, 0), 1))::text, 'transform', null,
      'usage_type', 'licensed', 'tax_behavior', 'unspecified',
      'interval', case when days < 7 then 'day' when days < 28 then 'week' when days < 360 then 'month' else 'year' end,
      'interval_count', greatest(1, case when days < 7 then days when days < 28 then days / 7 when days < 360 then round(days / 30.4) else round(days / 365.0) end::integer)));
end
$$;

-- What an event left out is asked for: a coupon's products, a price's tiers, and of both the amounts in other currencies.
create or replace function ops.ask_for_details(of_account text, of_livemode boolean, of_type text, id text) returns void
language plpgsql as $$
begin
  update public.billing_objects o set dirty_since = o.version_at, synced_at = now()
  where o.account = of_account and o.livemode = of_livemode and o.type = of_type and o.object_id = id
    and o.dirty_since is null and o.event_id is not null and not o.deleted
    and case of_type
      when 'coupon' then not o.data ? 'applies_to' or (o.data ->> 'amount_off' is not null and not o.data ? 'currency_options')
      else (o.data ->> 'billing_scheme' = 'tiered' and o.data -> 'tiers' = 'null')
        or (o.data ->> 'type' = 'recurring' and o.data ->> 'usage_type' = 'licensed' and not o.data ? 'currency_options') end;
end
$$;

-- A coupon that was deleted is told by the subscriptions that have it alone: what they tell fills in what its events left
-- out, and gives their value to those that waited for it. stripe_apply calls it with what came inside an object.
create function ops.learn_coupons(of_account text, of_livemode boolean, told jsonb) returns void
language plpgsql as $$
declare
  coupon record;
begin
  for coupon in select r.id, r.data from jsonb_to_recordset(told) as r (type text, id text, data jsonb) where r.type = 'coupon' and r.data is not null loop
    update public.billing_objects o set data = coupon.data || coalesce(o.data, '{}'), synced_at = now()
    where o.account = of_account and o.livemode = of_livemode and o.type = 'coupon' and o.object_id = coupon.id
      and coalesce(not o.data ?& array['applies_to', 'currency_options'], true)
      and o.data is distinct from coupon.data || coalesce(o.data, '{}');
    perform ops.resolve_values(of_account, of_livemode, coupon.id);
  end loop;
end
$$;
revoke execute on function ops.learn_coupons(text, boolean, jsonb) from public, anon, authenticated;
grant execute on function ops.learn_coupons(text, boolean, jsonb) to service_role;

-- What was billed in another currency than its price's own was taken at the amounts of that one.
update ops.billed_periods b set pending = true from public.billing_objects o
where o.account = b.account and o.livemode = b.livemode and o.type = 'price' and o.object_id = b.price_id
  and upper(o.data ->> 'currency') <> upper(b.currency);

-- What was stored before this, by an event or a reading, is read again by the next run; and so is each subscription that
-- could not be valued.
update public.billing_objects o set dirty_since = o.version_at, synced_at = now()
where o.dirty_since is null and not o.deleted and not o.data ? 'currency_options'
  and case o.type when 'price' then o.data ->> 'type' = 'recurring' and o.data ->> 'usage_type' = 'licensed'
    when 'coupon' then o.data ->> 'amount_off' is not null else false end;
update public.billing_objects o set dirty_since = o.version_at, synced_at = now()
from public.subscriptions_current c
where o.dirty_since is null and not o.deleted and o.type = 'subscription'
  and c.mrr is null and c.external_id = ops.stripe_key(o.account, o.object_id) and c.account = o.account and c.livemode = o.livemode;
