-- The commerce and marketing metrics once more, written for clarity and not for speed, from the definitions alone: what
-- the tests hold the stored values against. Reporting in USD, no fixed rates; today is the setting naive.today; the
-- accounts are meta 1, tiktok 2 and shopify a.myshopify.com.
with recursive today (day) as (
  select current_setting('naive.today')::date
), days (day) as (
  select (select min(day) from ops.coverage where source <> 'fx')
  union all
  select day + 1 from days where day < (select day from today)
), currencies as (
  select currency from spend union select currency from orders union select currency from refunds
), per_eur as (
  select d.day, c.currency, case c.currency when 'EUR' then 1 else (
    select r.rate_per_eur from fx_rates r where r.quote = c.currency and r.date <= d.day and d.day - r.date <= 7
    order by r.date desc limit 1) end as rate
  from days d cross join (select currency from currencies union select 'USD') c
), rates as materialized (
  select c.day, c.currency, case c.currency when 'USD' then 1 else usd.rate / c.rate end as rate
  from per_eur c join per_eur usd on usd.day = c.day and usd.currency = 'USD'
), counted as materialized (
  select o.*, coalesce(o.shop || '#' || o.customer_id, o.external_id) as customer, r.rate
  from orders o left join rates r on r.day = o.date and r.currency = o.currency
  where o.test = false and coalesce(o.financial_status, '') <> 'VOIDED'
), firsts as materialized (
  select o.customer, o.date, o.external_id from counted o
  where not exists (
    select 1 from counted e where e.customer = o.customer
      and (e.processed_at, split_part(e.external_id, ':', 2)::bigint) < (o.processed_at, split_part(o.external_id, ':', 2)::bigint))
), given_back as materialized (
  select b.*, r.rate from refunds b left join rates r on r.day = b.date and r.currency = b.currency
  where not exists (select 1 from orders o where o.external_id = b.order_external_id and (o.test or o.financial_status = 'VOIDED'))
), read as materialized (
  select day, bool_or(source = 'meta') as meta, bool_or(source = 'tiktok') as tiktok, bool_or(source = 'shopify') as shop,
    count(distinct source) filter (where source in ('meta', 'tiktok') and read_at >= final_at) = 2 as ads_settled,
    bool_or(source = 'shopify' and read_at >= final_at) as shop_settled
  from ops.coverage group by day
), facts as (
  select d.day,
    (select coalesce(sum(s.spend * r.rate), 0) from spend s join rates r using (currency) where s.date = d.day and r.day = d.day) as ad_spend,
    (select coalesce(sum(s.spend * r.rate), 0) from spend s join rates r using (currency)
      where s.date = d.day and r.day = d.day and s.source = 'tiktok') as tiktok_spend,
    (select coalesce(sum(s.clicks), 0) from spend s where s.date = d.day) as clicks,
    (select count(*) from counted o where o.date = d.day) as orders,
    (select coalesce(sum((o.gross_sales - o.discounts) * o.rate), 0) from counted o where o.date = d.day) as sold,
    (select coalesce(sum((o.shipping + o.taxes) * o.rate), 0) from counted o where o.date = d.day) as extras,
    (select coalesce(sum(b.returns * b.rate), 0) from given_back b where b.date = d.day) as returned,
    (select coalesce(sum((b.shipping + b.taxes) * b.rate), 0) from given_back b where b.date = d.day) as extras_returned,
    (select count(*) from firsts f where f.date = d.day) as new_customers,
    (select count(distinct o.customer) from counted o join firsts f on f.customer = o.customer
      where o.date = d.day and f.date < d.day) as returning_customers,
    coalesce(v.meta or v.tiktok, false) as ads_read, coalesce(v.tiktok, false) as tiktok_read, coalesce(v.shop, false) as shop_read,
    not coalesce(v.meta and v.tiktok, false) as ads_lacking, coalesce(v.ads_settled, false) as ads_settled,
    coalesce(v.shop_settled, false) as shop_settled,
    exists (select 1 from spend s join rates r using (currency) where s.date = d.day and r.day = d.day and r.rate is null) as ads_unrated,
    exists (select 1 from counted o where o.date = d.day and o.rate is null) as orders_unrated,
    exists (select 1 from given_back b where b.date = d.day and b.rate is null) as refunds_unrated
  from days d left join read v on v.day = d.day
), -- The days ahead that a metric looks at.
horizons as materialized (
  select d.day, h.n, d.day + h.n < (select day from today) as mature,
    (select count(*) filter (where v.shop) <> h.n + 1 from read v where v.day between d.day and d.day + h.n) as shop_lacking,
    (select count(*) filter (where v.shop_settled) = h.n + 1 from read v where v.day between d.day and d.day + h.n) as shop_settled
  from days d cross join (values (30), (90), (365)) h (n)
), spans as materialized (
  select f.date as day, h.n, f.customer, o.external_id, o.rate, (o.gross_sales - o.discounts) * o.rate as value,
    o.external_id <> f.external_id as again
  from firsts f cross join (values (30), (90), (365)) h (n)
  join counted o on o.customer = f.customer and o.date between f.date and f.date + h.n
), -- Of an order within n days, what came back within n days.
span_returns as materialized (
  select s.day, s.n, b.rate, b.returns * b.rate as value
  from spans s join refunds r on r.order_external_id = s.external_id and r.date between s.day and s.day + s.n
  join given_back b on b.external_id = r.external_id
), cohorts as (
  select h.*,
    (select coalesce(sum(s.value), 0) from spans s where s.day = h.day and s.n = h.n)
      - (select coalesce(sum(r.value), 0) from span_returns r where r.day = h.day and r.n = h.n) as value,
    (select count(distinct s.customer) from spans s where s.day = h.day and s.n = h.n and s.again) as repeaters,
    exists (select 1 from spans s where s.day = h.day and s.n = h.n and s.rate is null)
      or exists (select 1 from span_returns r where r.day = h.day and r.n = h.n and r.rate is null) as unrated
  from horizons h
), order_returns as (
  select d.day,
    (select coalesce(sum(o.gross_sales * o.rate), 0) from counted o where o.date = d.day) as sold,
    (select coalesce(sum(b.returns * b.rate), 0) from counted o join given_back b on b.order_external_id = o.external_id
      where o.date = d.day and b.date between o.date and o.date + 30) as returned,
    exists (select 1 from counted o where o.date = d.day and o.rate is null) or exists (
      select 1 from counted o join given_back b on b.order_external_id = o.external_id
      where o.date = d.day and b.date between o.date and o.date + 30 and b.rate is null) as unrated
  from days d
)
select f.day as date, w.external_id, w.value,
  case when w.incomplete then 'incomplete' when w.settled and f.day + w.n < (select day from today) then 'final' else 'provisional' end as status
from facts f
join cohorts c30 on c30.day = f.day and c30.n = 30
join cohorts c90 on c90.day = f.day and c90.n = 90
join cohorts c365 on c365.day = f.day and c365.n = 365
join order_returns b on b.day = f.day
cross join lateral (values
  ('ad_spend', 0, case when ads_read then ad_spend end, ads_lacking or ads_unrated, ads_settled),
  ('ad_spend[source=tiktok]', 0, case when tiktok_read then tiktok_spend end, not tiktok_read or exists (
    select 1 from spend s join rates r using (currency) where s.source = 'tiktok' and s.date = f.day and r.day = f.day and r.rate is null),
    exists (select 1 from ops.coverage v where v.source = 'tiktok' and v.day = f.day and v.read_at >= v.final_at)),
  ('clicks', 0, case when ads_read then clicks end, ads_lacking, ads_settled),
  ('cpc', 0, case when ads_read then ad_spend / nullif(clicks, 0) end, ads_lacking or ads_unrated, ads_settled),
  ('orders', 0, case when shop_read then orders end, not shop_read, f.shop_settled),
  ('net_sales', 0, case when shop_read then f.sold - f.returned end, not shop_read or orders_unrated or refunds_unrated, f.shop_settled),
  ('total_sales', 0, case when shop_read then f.sold - f.returned + extras - extras_returned end,
    not shop_read or orders_unrated or refunds_unrated, f.shop_settled),
  ('aov', 0, case when shop_read then f.sold / nullif(orders, 0) end, not shop_read or orders_unrated, f.shop_settled),
  ('blended_roas', 0, case when shop_read and ads_read then (f.sold - f.returned) / nullif(ad_spend, 0) end,
    ads_lacking or ads_unrated or not shop_read or orders_unrated or refunds_unrated, ads_settled and f.shop_settled),
  ('cac', 0, case when shop_read and ads_read then ad_spend / nullif(new_customers, 0) end,
    ads_lacking or ads_unrated or not shop_read, ads_settled and f.shop_settled),
  ('new_customers', 0, case when shop_read then new_customers end, not shop_read, f.shop_settled),
  ('returning_customers', 0, case when shop_read then returning_customers end, not shop_read, f.shop_settled),
  ('refund_rate_30d', 30, case when shop_read and c30.mature then b.returned / nullif(b.sold, 0) end,
    not shop_read or c30.mature and (c30.shop_lacking or b.unrated), c30.shop_settled),
  ('repeat_rate_90d', 90, case when shop_read and c90.mature then c90.repeaters / nullif(new_customers, 0)::numeric end,
    not shop_read or c90.mature and c90.shop_lacking, c90.shop_settled),
  ('ltv_30d', 30, case when shop_read and c30.mature then c30.value / nullif(new_customers, 0) end,
    not shop_read or c30.mature and (c30.shop_lacking or c30.unrated), c30.shop_settled),
  ('ltv_90d', 90, case when shop_read and c90.mature then c90.value / nullif(new_customers, 0) end,
    not shop_read or c90.mature and (c90.shop_lacking or c90.unrated), c90.shop_settled),
  ('ltv_365d', 365, case when shop_read and c365.mature then c365.value / nullif(new_customers, 0) end,
    not shop_read or c365.mature and (c365.shop_lacking or c365.unrated), c365.shop_settled),
  ('ltv_cac_90d', 90, case when shop_read and ads_read and c90.mature then c90.value / nullif(ad_spend, 0) end,
    not shop_read or ads_lacking or c90.mature and (ads_unrated or c90.shop_lacking or c90.unrated), c90.shop_settled and ads_settled)
) w (external_id, n, value, incomplete, settled)
