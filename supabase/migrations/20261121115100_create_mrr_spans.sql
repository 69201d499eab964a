-- What metrics make of the subscriptions' history: from which day to which day each was worth how much a month. A day's
-- row is the state at the end of that business day. Written by the metrics run alone, for the subscriptions that are
-- marked; read for every day, so that a day costs what is alive on it and not the whole history.
-- Only the platform's own account (default) in live mode: the others are no revenue of ours.

create table ops.mrr_spans (
  external_id text not null,
  from_day date not null,
  -- The first day on which it is no longer so; infinity while nothing is known to end it.
  to_day date not null check (to_day > from_day),
  customer_id text not null,
  currency text not null,
  -- 0 where it doesn't count or isn't known.
  mrr numeric not null,
  gross numeric not null,
  unknown integer not null,
  -- In dunning (past_due); set to end.
  at_risk boolean not null,
  ends boolean not null,
  status text not null,
  -- Why it is worth nothing: voluntary, involuntary, other; null while it is worth something.
  reason text,
  primary key (external_id, from_day)
);
comment on table ops.mrr_spans is 'A subscription from one business day to another (to_day not included): its monthly value in its own currency at the end of each of these days. Split where a coupon begins or ends, a trial ends or the subscription ends, with or without an event.';
create index mrr_spans_customer_id_idx on ops.mrr_spans (customer_id);
create index mrr_spans_to_day_idx on ops.mrr_spans (to_day, from_day);
create index mrr_spans_unknown_idx on ops.mrr_spans (from_day) where unknown > 0;

create table ops.customer_mrr (
  customer_id text not null,
  currency text not null,
  from_day date not null,
  to_day date not null check (to_day > from_day),
  mrr numeric not null,
  before numeric not null,
  movement text not null check (movement in ('new', 'reactivation', 'expansion', 'contraction', 'churn')),
  reason text,
  primary key (customer_id, currency, from_day)
);
comment on table ops.customer_mrr is 'A customer''s monthly value in one currency from one business day to another, and the movement of from_day that led to it (from before to mrr). Begins with the first value over 0. reason: why it churned (voluntary, involuntary, other).';
create index customer_mrr_from_day_idx on ops.customer_mrr (from_day);
create index customer_mrr_to_day_idx on ops.customer_mrr (to_day, from_day);

create table ops.subscriber_spans (
  customer_id text not null,
  from_day date not null,
  to_day date not null check (to_day > from_day),
  is_first boolean not null,
  -- Why it ended: voluntary, involuntary, other; null while it lasts.
  reason text,
  primary key (customer_id, from_day)
);
comment on table ops.subscriber_spans is 'The business days on which a customer had a monthly value over 0 in any currency.';
create index subscriber_spans_to_day_idx on ops.subscriber_spans (to_day, from_day);
create index subscriber_spans_from_day_idx on ops.subscriber_spans (from_day);

create table ops.trials (
  external_id text not null,
  started_on date not null,
  ends_on date not null,
  -- Whether an invoice of the subscription was paid within 14 days of the end.
  paid boolean not null,
  primary key (external_id, started_on)
);
comment on table ops.trials is 'A trial by the business day it began, the day it ends as last told, and whether it was paid for.';
create index trials_started_on_idx on ops.trials (started_on);

do $$
declare
  t text;
begin
  foreach t in array array['mrr_spans', 'customer_mrr', 'subscriber_spans', 'trials'] loop
    execute format('alter table ops.%I enable row level security', t);
    execute format('revoke all on ops.%I from public, anon, authenticated', t);
    execute format('grant select, insert, update, delete on ops.%I to service_role', t);
  end loop;
end
$$;

-- The instants at which discounts begin or end, as far as they are known, and at which trials of single items end.
create function ops.value_bounds(items jsonb, discounts jsonb, account text, livemode boolean) returns setof timestamptz
language sql stable set search_path = ''
begin atomic
  select b.at
  from (
    select d.value as discount from jsonb_path_query(items, '$[*].discounts[*]') d (value)
    union all
    select d.value from jsonb_path_query(discounts, '$[*]') d (value)
  ) d
  cross join lateral (select ops.find_discount(d.discount, account, livemode) as found) f
  cross join lateral (values ((f.found ->> 'start')::timestamptz), ((f.found ->> 'end')::timestamptz)) b (at)
  where b.at is not null
  union all
  select (t.value #>> '{}')::timestamptz from jsonb_path_query(items, '$[*].trial_end ? (@ != null)') t (value);
end;
revoke execute on function ops.value_bounds(jsonb, jsonb, text, boolean) from public, anon, authenticated;
grant execute on function ops.value_bounds(jsonb, jsonb, text, boolean) to service_role;

comment on column ops.missing_rates.currency is 'XXX (no currency): what is left out lacks a price, not a rate.';

-- metric_range: of a snapshot the last day counts alone, with its own parts and its own status.
create or replace function public.metric_range(metric text, "from" date, "to" date, grain text)
returns table (
  period date, first_day date, last_day date, dimensions jsonb, value numeric, numerator numeric, denominator numeric,
  unit text, status text, days integer
)
language plpgsql stable set search_path = '' as $$
#variable_conflict use_column
begin
  if grain is null or grain not in ('day', 'week', 'month') then
    raise exception 'grain must be day, week or month, not %', coalesce(grain, 'null') using errcode = '22023';
  end if;
  return query
  with daily as (
    select date_trunc(metric_range.grain, m.date::timestamp)::date as period, m.*, d.additivity
    from public.daily_metrics m
    join public.metric_definitions d on d.name = m.metric
    where m.metric = metric_range.metric and m.date between metric_range."from" and metric_range."to"
  ), periods as (
    select p.period, p.dimensions, p.additivity, max(p.unit) as unit, count(*)::integer as days,
      greatest(p.period, metric_range."from") as first_day,
      least((p.period + ('1 ' || metric_range.grain)::interval)::date - 1, metric_range."to") as last_day,
      sum(p.value) as total,
      (array_agg(p.value order by p.date desc))[1] as latest,
      (array_agg(p.numerator order by p.date desc))[1] as latest_numerator,
      (array_agg(p.denominator order by p.date desc))[1] as latest_denominator,
      (array_agg(p.status order by p.date desc))[1] as latest_status,
      -- Only days that know both parts, so that like is divided by like.
      sum(p.numerator) filter (where p.denominator is not null) as numerator,
      sum(p.denominator) filter (where p.numerator is not null) as denominator,
      case when bool_or(p.status = 'incomplete') then 'incomplete'
        when bool_or(p.status = 'provisional') then 'provisional' else 'final' end as status
    from daily p
    group by p.period, p.dimensions, p.additivity
  )
  select p.period, p.first_day, p.last_day, p.dimensions,
    case p.additivity
      when 'sum' then p.total
      when 'ratio' then p.numerator / nullif(p.denominator, 0)
      when 'snapshot' then p.latest
      -- Distinct people of several days can't be had from daily counts.
      when 'distinct' then case when p.first_day = p.last_day then p.total end
    end,
    case p.additivity when 'snapshot' then p.latest_numerator else p.numerator end,
    case p.additivity when 'snapshot' then p.latest_denominator else p.denominator end,
    p.unit, case p.additivity when 'snapshot' then p.latest_status else p.status end, p.days
  from periods p
  order by p.period, p.dimensions::text;
end
$$;
comment on function public.metric_range(text, date, date, text) is 'A metric by day, week or month, both days included, added up as its additivity says; the status is the worst of its days, of a snapshot that of its last day.';
