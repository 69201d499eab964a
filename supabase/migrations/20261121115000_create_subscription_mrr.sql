-- What a subscription is worth a month. Called for each subscription event and for every day that metrics look at, so
-- that a coupon that ends without an event still moves it. Never guesses: what can't be priced is counted as unknown.

-- How many of Stripe's minor units make one of the currency (docs.stripe.com/currencies). ISK and UGX have no smaller
-- coins, but Stripe keeps stating them in hundredths.
create function ops.minor_units(currency text) returns numeric
language sql immutable parallel safe
return case
  when upper(currency) in ('BIF', 'CLP', 'DJF', 'GNF', 'JPY', 'KMF', 'KRW', 'MGA', 'PYG', 'RWF', 'VND', 'VUV', 'XAF', 'XOF', 'XPF') then 1
  when upper(currency) in ('BHD', 'JOD', 'KWD', 'OMR', 'TND') then 1000
  else 100
end;

-- Whether a price says all that its amount depends on. What counts as nothing (metered, one-time) needs no amount.
create function ops.is_priced(price jsonb) returns boolean
language sql immutable parallel safe
return coalesce(
  price ->> 'type' = 'one_time' or price ->> 'usage_type' = 'metered'
  or (price ->> 'interval' is not null and case price ->> 'billing_scheme'
    when 'tiered' then jsonb_typeof(price -> 'tiers') = 'array' and price ->> 'tiers_mode' in ('graduated', 'volume')
    else price ->> 'unit_amount' is not null end),
  false);

-- The price itself when it says enough, else the one that was read of the API; null when neither does. A price that is
-- billed in another currency than its own has other amounts, which the stored one does not tell.
create function ops.find_price(price jsonb, account text, livemode boolean) returns jsonb
language plpgsql stable parallel safe set search_path = '' as $$
#variable_conflict use_variable
declare
  found jsonb;
begin
  if ops.is_priced(price) then return price; end if;
  select o.data into found from public.billing_objects o
  where o.account = account and o.livemode = livemode and o.type = 'price' and o.object_id = price ->> 'id'
    and upper(o.data ->> 'currency') = coalesce(upper(price ->> 'currency'), upper(o.data ->> 'currency'));
  return case when ops.is_priced(found) then found end;
end
$$;

-- A quantity's amount by tiers, in minor units. Volume: the whole quantity at the tier that it reaches. Graduated: each
-- tier that it reaches for the units in it. A quantity of 0 reaches none. Null when the tiers end below it.
create function ops.tiered_amount(tiers jsonb, mode text, quantity numeric) returns numeric
language plpgsql immutable parallel safe set search_path = '' as $$
declare
  tier record;
  below numeric := 0;
  amount numeric := 0;
begin
  if quantity = 0 then return 0; end if;
  for tier in
    select t.up_to, coalesce(t.unit_amount, 0) as unit, coalesce(t.flat_amount, 0) as flat
    from jsonb_to_recordset(tiers) as t (up_to numeric, unit_amount numeric, flat_amount numeric)
    order by t.up_to nulls last
  loop
    if mode = 'volume' then
      if tier.up_to is null or quantity <= tier.up_to then return tier.flat + tier.unit * quantity; end if;
    else
      amount := amount + tier.flat + tier.unit * (least(quantity, coalesce(tier.up_to, quantity)) - below);
      if tier.up_to is null or quantity <= tier.up_to then return amount; end if;
      below := tier.up_to;
    end if;
  end loop;
  return null;
end
$$;

-- A discount with its coupon in full, its start and its end: from what is given, else from what was read of the API.
-- Null when that does not say what it takes off, of what, and until when.
create function ops.find_discount(discount jsonb, account text, livemode boolean) returns jsonb
language plpgsql stable parallel safe set search_path = '' as $$
#variable_conflict use_variable
declare
  found jsonb := discount;
  coupon jsonb;
begin
  if found #>> '{coupon,id}' is null and found #>> '{coupon,duration}' is null then
    select o.data into found from public.billing_objects o
    where o.account = account and o.livemode = livemode and o.type = 'discount' and o.object_id = discount ->> 'id';
  end if;
  coupon := found -> 'coupon';
  if coupon ->> 'duration' = 'once' then return found; end if;
  if coupon ->> 'duration' is null or not coupon ? 'applies_to' then
    select o.data into coupon from public.billing_objects o
    where o.account = account and o.livemode = livemode and o.type = 'coupon' and o.object_id = found #>> '{coupon,id}';
    found := jsonb_set(found, '{coupon}', coupon);
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

-- The amounts after one coupon; only_item is 0 for a discount of the whole subscription. Null when the coupon takes off
-- another currency. An amount off is spread over what it covers by amount; the last one takes the rest, so that the sum
-- is exact.
create function ops.take_off(amounts numeric[], products text[], coupon jsonb, currency text, only_item integer) returns numeric[]
language plpgsql immutable parallel safe set search_path = '' as $$
declare
  covered integer[] := array(
    select i from generate_subscripts(amounts, 1) i
    where only_item in (0, i) and amounts[i] > 0
      and (jsonb_typeof(coupon -> 'applies_to') is distinct from 'array' or coupon -> 'applies_to' ? products[i])
    order by i);
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
  if upper(coupon ->> 'currency') is distinct from upper(currency) then return null; end if;
  foreach i in array covered loop total := total + amounts[i]; end loop;
  remaining := least((coupon ->> 'amount_off')::numeric, total);
  for n in 1 .. cardinality(covered) loop
    i := covered[n];
    share := case when n = cardinality(covered) then remaining else least((coupon ->> 'amount_off')::numeric, total) * amounts[i] / total end;
    amounts[i] := amounts[i] - share;
    remaining := remaining - share;
  end loop;
  return amounts;
end
$$;

-- The monthly value at an instant, in major units of the subscription's currency; net after recurring coupons, gross
-- before them. net is null when anything is unknown (how many items and discounts). Does not look at the status.
-- Each item is brought to a month by its own interval: a month has 365/12 days, 52/12 weeks. Metered and one-time items
-- count 0, and those in a trial of their own. Coupons for one invoice alone (once) are no part of it, nor is tax that the price includes: as on an invoice,
-- discounts come off the price with tax. Rounded to 10 digits, so that the same value reached in two ways is the same.
create function public.subscription_mrr(items jsonb, discounts jsonb, account text, livemode boolean, at timestamptz,
  out net numeric, out gross numeric, out unknown integer)
language plpgsql stable parallel safe set search_path = '' as $$
#variable_conflict use_variable
declare
  item jsonb;
  price jsonb;
  quantity numeric;
  amount numeric;
  tax numeric;
  currency text;
  -- Of each item that counts: what is billed each of its periods, and what takes that to a month without the tax.
  amounts numeric[] := '{}';
  factors numeric[] := '{}';
  divisors numeric[] := '{}';
  products text[] := '{}';
  own jsonb[] := '{}';
  discounted boolean := discounts <> '[]';
  count integer := 0;
  discount jsonb;
  only_item integer;
  taken numeric[];
begin
  unknown := 0;
  gross := 0;
  for item in select e.value from jsonb_array_elements(items) e loop
    price := item -> 'price';
    if not ops.is_priced(price) then price := ops.find_price(price, account, livemode); end if;
    if price is null then
      unknown := unknown + 1;
      continue;
    end if;
    continue when price ->> 'type' = 'one_time' or price ->> 'usage_type' = 'metered' or (item ->> 'trial_end')::timestamptz > at;
    quantity := coalesce((item ->> 'quantity')::numeric, 1);
    if price ->> 'billing_scheme' = 'tiered' then
      amount := ops.tiered_amount(price -> 'tiers', price ->> 'tiers_mode', quantity);
    else
      if price #>> '{transform,divide_by}' is not null then
        quantity := quantity / (price #>> '{transform,divide_by}')::numeric;
        quantity := case price #>> '{transform,round}' when 'up' then ceil(quantity) else floor(quantity) end;
      end if;
      amount := (price ->> 'unit_amount')::numeric * quantity;
    end if;
    tax := (item ->> 'inclusive_tax_percent')::numeric;
    -- Where the price includes tax and nobody says how much, the value is not known.
    if amount is null or (tax is null and price ->> 'tax_behavior' = 'inclusive') then
      unknown := unknown + 1;
      continue;
    end if;
    count := count + 1;
    currency := price ->> 'currency';
    amounts[count] := amount;
    factors[count] := 100 * case price ->> 'interval' when 'day' then 365 when 'week' then 52 when 'month' then 12 else 1 end;
    divisors[count] := 12 * coalesce((price ->> 'interval_count')::numeric, 1) * (100 + coalesce(tax, 0));
    products[count] := price ->> 'product';
    own[count] := case jsonb_typeof(item -> 'discounts') when 'array' then item -> 'discounts' else '[]' end;
    discounted := discounted or own[count] <> '[]';
    -- Divided once and last: 100 a year are 100 / 12, not 100 times a rounded twelfth.
    gross := gross + amount * factors[count] / divisors[count];
  end loop;
  net := gross;
  if discounted then
    for only_item, discount in
      select d.only_item, d.discount from (
        select o.i as only_item, e.value as discount, e.place
        from unnest(own) with ordinality o (list, i), jsonb_array_elements(o.list) with ordinality e (value, place)
        union all
        select 0, e.value, e.place from jsonb_array_elements(discounts) with ordinality e (value, place)
      ) d
      -- Those of items before those of the subscription.
      order by d.only_item = 0, d.only_item, d.place
    loop
      discount := ops.find_discount(discount, account, livemode);
      taken := case when discount is null then null
        when discount #>> '{coupon,duration}' = 'once' or at < (discount ->> 'start')::timestamptz
          or at >= (discount ->> 'end')::timestamptz then amounts
        else ops.take_off(amounts, products, discount -> 'coupon', currency, only_item) end;
      if taken is null then unknown := unknown + 1; else amounts := taken; end if;
    end loop;
    net := 0;
    for i in 1 .. count loop
      net := net + amounts[i] * factors[i] / divisors[i];
    end loop;
  end if;
  gross := trim_scale(round(gross / ops.minor_units(currency), 10));
  net := case when unknown = 0 then trim_scale(round(net / ops.minor_units(currency), 10)) end;
end
$$;
comment on function public.subscription_mrr(jsonb, jsonb, text, boolean, timestamptz) is 'Monthly value of a subscription''s items at an instant, in major units: net after recurring coupons (null when something is unknown), gross before them, and how many items and discounts are unknown. Whether the subscription counts at all is subscription_counts.';

-- Whether a subscription counts at an instant: it is billed or being dunned, its trial is over, its collection not paused
-- (a pause that keeps drafts will bill them).
create function public.subscription_counts(status text, trial_end timestamptz, pause_behavior text, at timestamptz) returns boolean
language sql immutable parallel safe
return coalesce(status in ('active', 'past_due') and at >= coalesce(trial_end, '-infinity'), false)
  and coalesce(pause_behavior, 'keep_as_draft') = 'keep_as_draft';

revoke execute on function ops.minor_units(text), ops.is_priced(jsonb), ops.find_price(jsonb, text, boolean),
  ops.tiered_amount(jsonb, text, numeric), ops.find_discount(jsonb, text, boolean),
  ops.take_off(numeric[], text[], jsonb, text, integer), public.subscription_mrr(jsonb, jsonb, text, boolean, timestamptz),
  public.subscription_counts(text, timestamptz, text, timestamptz) from public, anon, authenticated;
grant execute on function ops.minor_units(text), ops.is_priced(jsonb), ops.find_price(jsonb, text, boolean),
  ops.tiered_amount(jsonb, text, numeric), ops.find_discount(jsonb, text, boolean),
  ops.take_off(numeric[], text[], jsonb, text, integer), public.subscription_mrr(jsonb, jsonb, text, boolean, timestamptz),
  public.subscription_counts(text, timestamptz, text, timestamptz) to service_role;
