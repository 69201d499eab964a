-- A period with days that nothing was read of said final; three changes of billing rows by hand left no mark (I9); and
-- fx_mrr was final on days after one whose price is not known.

-- metric_range: a day without a row was not read. Rows run to the day of the last run, so that days since then and days to
-- come are not missing. Of a snapshot the last day counts alone.
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
  with stored as (
    select max(m.date) as last_day from public.daily_metrics m
  ), daily as (
    select date_trunc(metric_range.grain, m.date::timestamp)::date as period, m.*, d.additivity
    from public.daily_metrics m
    join public.metric_definitions d on d.name = m.metric
    where m.metric = metric_range.metric and m.date between metric_range."from" and metric_range."to"
  ), periods as (
    select p.period, p.dimensions, p.additivity, max(p.unit) as unit, count(*)::integer as days, max(p.date) as latest_day,
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
    p.unit,
    case when p.additivity = 'snapshot' then
      case when p.latest_day < least(p.last_day, s.last_day) then 'incomplete' else p.latest_status end
    when p.days < least(p.last_day, s.last_day) - p.first_day + 1 then 'incomplete'
    else p.status end,
    p.days
  from periods p cross join stored s
  order by p.period, p.dimensions::text;
end
$$;
comment on function public.metric_range(text, date, date, text) is 'A metric by day, week or month, both days included, added up as its additivity says. The status is the worst of its days, incomplete when one of them has no row; of a snapshot it is that of its last day.';

-- An incomplete version is worth nothing that is known, whatever its items say.
create or replace function ops.mark_subscription() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'UPDATE'
    and (old.external_id, old.date, old.account, old.livemode, old.customer_id, old.status, old.currency, old.mrr, old.items, old.discounts,
      old.incomplete, old.trial_start, old.trial_end, old.pause_behavior, old.cancel_at, old.cancel_at_period_end, old.current_period_end,
      old.ended_at, old.cancellation_reason)
    is not distinct from (new.external_id, new.date, new.account, new.livemode, new.customer_id, new.status, new.currency, new.mrr, new.items, new.discounts,
      new.incomplete, new.trial_start, new.trial_end, new.pause_behavior, new.cancel_at, new.cancel_at_period_end, new.current_period_end,
      new.ended_at, new.cancellation_reason) then return null; end if;
  if tg_op <> 'DELETE' then
    insert into ops.dirty_marks (kind, table_name, key) values ('subscription', 'subscriptions', new.external_id);
  end if;
  if tg_op = 'DELETE' or (tg_op = 'UPDATE' and old.external_id <> new.external_id) then
    insert into ops.dirty_marks (kind, table_name, key) values ('subscription', 'subscriptions', old.external_id);
  end if;
  return null;
end
$$;

-- An invoice says whether a trial was paid for: of the subscription that it is of, and of the one that it was of.
create or replace function ops.mark_invoice() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op <> 'DELETE' and new.subscription_id is not null then
    insert into ops.dirty_marks (kind, table_name, key) values ('subscription', 'invoices', 'stripe:' || new.subscription_id);
  end if;
  if old.subscription_id is not null and (tg_op = 'DELETE' or (tg_op = 'UPDATE' and old.subscription_id is distinct from new.subscription_id)) then
    insert into ops.dirty_marks (kind, table_name, key) values ('subscription', 'invoices', 'stripe:' || old.subscription_id);
  end if;
  return null;
end
$$;

drop trigger mark_update on public.invoices;
create trigger mark_update after update on public.invoices for each row
  when ((old.subscription_id, old.account, old.livemode, old.amount_paid, old.paid_at)
    is distinct from (new.subscription_id, new.account, new.livemode, new.amount_paid, new.paid_at))
  execute function ops.mark_invoice();
create trigger mark_delete after delete on public.invoices for each row
  when (old.subscription_id is not null and old.amount_paid > 0) execute function ops.mark_invoice();

-- Days after one whose price is not known are computed again.
insert into ops.dirty_marks (kind, table_name, day)
select distinct 'day', 'mrr_spans', g::date
from ops.mrr_spans s
cross join (select coalesce(max(date), '-infinity') as last_day from public.daily_metrics) m
cross join generate_series(s.from_day::timestamp, least(s.to_day - 1, m.last_day)::timestamp, interval '1 day') g
where s.unknown > 0 and s.currency <> (select reporting_currency from ops.settings);
