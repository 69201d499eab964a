-- Ways to read the metrics: a column a metric, a campaign a day, and periods that add up as each metric may.

-- Recreates daily_metrics_wide when metric_definitions names other metrics than its columns. Columns that stay keep
-- their place, so that new ones need no drop (a drop fails when somebody built on the view, and is then theirs to solve).
create function ops.refresh_daily_metrics_wide() returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  present text[] := array(
    select a.attname::text from pg_catalog.pg_attribute a
    where a.attrelid = pg_catalog.to_regclass('public.daily_metrics_wide') and a.attnum > 1 and not a.attisdropped
    order by a.attnum);
  wanted text[] := array(select d.name from public.metric_definitions d order by d.name);
  columns text;
begin
  if pg_catalog.to_regclass('public.daily_metrics_wide') is not null then
    if present @> wanted and wanted @> present then return false; end if;
    if not wanted @> present then drop view public.daily_metrics_wide; end if;
  end if;
  select string_agg(format(', max(value) filter (where metric = %L) as %I', w.name, w.name), ''
    order by array_position(present, w.name), w.name)
  into columns from unnest(wanted) as w (name);
  execute 'create or replace view public.daily_metrics_wide with (security_invoker = true) as select date'
    || coalesce(columns, '') || ' from public.daily_metrics where dimensions = ''{}''::jsonb group by date';
  comment on view public.daily_metrics_wide is 'A row a day, a column a metric without dimensions. Follows metric_definitions by itself.';
  revoke all on public.daily_metrics_wide from public, anon, authenticated;
  grant select on public.daily_metrics_wide to authenticated, service_role;
  return true;
end
$$;
revoke execute on function ops.refresh_daily_metrics_wide() from public, anon, authenticated;
grant execute on function ops.refresh_daily_metrics_wide() to service_role;
select ops.refresh_daily_metrics_wide();

-- Over raw spend, so for the service role alone. Money is null where any rate of the campaign's day is missing: a
-- partial sum would look whole.
create view public.campaign_days with (security_invoker = true) as
with converted as (
  select c.*, ops.reporting_rate(c.currency, c.day) as rate
  from (
    select source, account_id, campaign_id, max(campaign_name) as campaign_name, date as day, currency,
      sum(spend) as spend, sum(impressions) as impressions, sum(clicks) as clicks,
      coalesce(sum(conversions), 0) as conversions, coalesce(sum(conversion_value), 0) as conversion_value
    from public.spend
    group by source, account_id, campaign_id, date, currency
  ) c
), totals as (
  select source, account_id, campaign_id, max(campaign_name) as campaign_name, day,
    case when bool_and(rate is not null) then sum(spend * rate) end as spend,
    sum(impressions) as impressions, sum(clicks) as clicks, sum(conversions) as conversions,
    case when bool_and(rate is not null) then sum(conversion_value * rate) end as value
  from converted
  group by source, account_id, campaign_id, day
)
select source, account_id as account, campaign_id as campaign, campaign_name, day, spend, impressions, clicks, conversions,
  value, value / nullif(spend, 0) as roas
from totals;
comment on view public.campaign_days is 'One campaign on one day of its ad account''s calendar: spend and value in the reporting currency, null where a rate is missing.';
revoke all on public.campaign_days from public, anon, authenticated;
grant select on public.campaign_days to service_role;

-- One row a period and dimension, both days included. Weeks are ISO weeks; first_day and last_day are the period cut to
-- what was asked for; days is how many daily rows are in it. Runs as the caller: row security holds.
create function public.metric_range(metric text, "from" date, "to" date, grain text)
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
    p.numerator, p.denominator, p.unit, p.status, p.days
  from periods p
  order by p.period, p.dimensions::text;
end
$$;
comment on function public.metric_range(text, date, date, text) is 'A metric by day, week or month, both days included, added up as its additivity says; the status is the worst of its days.';
revoke execute on function public.metric_range(text, date, date, text) from public, anon;
grant execute on function public.metric_range(text, date, date, text) to authenticated, service_role;
