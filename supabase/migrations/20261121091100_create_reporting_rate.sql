-- How an amount gets into the reporting currency, and which facts could not: the one place that knows about rates.

-- Units of the currency per 1 EUR: what the ECB last published on or before the day, at most 7 days earlier, else the
-- fixed rate of the settings, else null.
create function ops.rate_per_eur(currency text, day date) returns numeric
language sql stable
return case when currency = 'EUR' then 1 else coalesce(
  (select f.rate_per_eur from public.fx_rates f
    where f.quote = rate_per_eur.currency and f.date between rate_per_eur.day - 7 and rate_per_eur.day
    order by f.date desc limit 1),
  (select nullif((s.fixed_rates ->> rate_per_eur.currency)::numeric, 0) from ops.settings s)
) end;

-- What to multiply an amount of that day with; 1 without any rate when the currencies are equal, null when one is missing.
create function ops.reporting_rate(currency text, day date) returns numeric
language sql stable
return (
  select case when s.reporting_currency = reporting_rate.currency then 1
    else ops.rate_per_eur(s.reporting_currency, reporting_rate.day) / ops.rate_per_eur(reporting_rate.currency, reporting_rate.day) end
  from ops.settings s
);

create table ops.missing_rates (
  day date not null,
  facts text not null,
  source text not null,
  currency text not null,
  first_seen_at timestamptz not null default now(),
  primary key (day, facts, source, currency)
);
comment on table ops.missing_rates is 'Facts (a fact group of the metrics) of that day, source and currency are left out of the metrics for want of a rate. Gone when the rate has come.';

alter table ops.missing_rates enable row level security;
revoke all on ops.missing_rates from public, anon, authenticated;
grant select, insert, update, delete on ops.missing_rates to service_role;
revoke execute on function ops.rate_per_eur(text, date), ops.reporting_rate(text, date) from public, anon, authenticated;
grant execute on function ops.rate_per_eur(text, date), ops.reporting_rate(text, date) to service_role;
