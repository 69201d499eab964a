-- Ads: what was spent and what came of it.
-- Grain: day (the ad account's own), source, account, currency. Reads spend once, for the days of metric_days.
select
  s.date as day,
  s.date as rate_day,
  s.source,
  s.account_id,
  max(s.account_timezone) as account_timezone,
  s.currency,
  sum(s.spend) as ad_spend,
  sum(s.impressions) as impressions,
  sum(s.clicks) as clicks,
  sum(s.conversions) as conversions,
  sum(s.conversion_value) as conversion_value
from public.spend s
join pg_temp.metric_days d on d.day = s.date and d.facts = 'ads'
group by s.date, s.source, s.account_id, s.currency
