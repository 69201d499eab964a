-- The commerce and marketing metrics once more, written for clarity and not for speed, from the definitions alone: what
-- the tests hold the stored values against. Reporting in USD, no fixed rates.
with recursive days (day) as (
  select (select min(day) from ops.coverage where source <> 'fx')
  union all
  select day + 1 from days where day < date '2026-03-10'
), currencies as (
  select currency from spend union select currency from orders union select currency from refunds
), per_eur as (
  select d.day, c.currency, case c.currency when 'EUR' then 1 else (
    select r.rate_per_eur from fx_rates r where r.quote = c.currency and r.date <= d.day and d.day - r.date <= 7
    order by r.date desc limit 1) end as rate
  from days d cross join (select currency from currencies union select 'USD') c
), rates as (
  select c.day, c.currency, case c.currency when 'USD' then 1 else usd.rate / c.rate end as rate
  from per_eur c join per_eur usd on usd.day = c.day and usd.currency = 'USD'
), counted as (
  select o.*, coalesce(o.shop || '#' || o.customer_id, o.external_id) as customer
  from orders o where o.test = false and coalesce(o.financial_status, '') <> 'VOIDED'
), firsts as (
  select o.customer, o.date from counted o
  where not exists (
    select 1 from counted e where e.customer = o.customer
      and (e.processed_at, split_part(e.external_id, ':', 2)::bigint) < (o.processed_at, split_part(o.external_id, ':', 2)::bigint))
), given_back as (
  select r.* from refunds r
  where not exists (select 1 from orders o where o.external_id = r.order_external_id and (o.test or o.financial_status = 'VOIDED'))
), facts as (
  select d.day,
    (select coalesce(sum(s.spend * r.rate), 0) from spend s join rates r using (currency) where s.date = d.day and r.day = d.day) as ad_spend,
    (select coalesce(sum(s.spend * r.rate), 0) from spend s join rates r using (currency)
      where s.date = d.day and r.day = d.day and s.source = 'tiktok') as tiktok_spend,
    (select coalesce(sum(s.clicks), 0) from spend s where s.date = d.day) as clicks,
    (select count(*) from counted o where o.date = d.day) as orders,
    (select coalesce(sum((o.gross_sales - o.discounts) * r.rate), 0) from counted o join rates r using (currency)
      where o.date = d.day and r.day = d.day) as sold,
    (select coalesce(sum((o.shipping + o.taxes) * r.rate), 0) from counted o join rates r using (currency)
      where o.date = d.day and r.day = d.day) as extras,
    (select coalesce(sum(b.returns * r.rate), 0) from given_back b join rates r using (currency)
      where b.date = d.day and r.day = d.day) as returned,
    (select coalesce(sum((b.shipping + b.taxes) * r.rate), 0) from given_back b join rates r using (currency)
      where b.date = d.day and r.day = d.day) as extras_returned,
    (select count(*) from firsts f where f.date = d.day) as new_customers,
    (select count(distinct o.customer) from counted o join firsts f on f.customer = o.customer
      where o.date = d.day and f.date < d.day) as returning_customers,
    exists (select 1 from ops.coverage v where v.day = d.day and v.source in ('meta', 'tiktok')) as ads_read,
    exists (select 1 from ops.coverage v where v.day = d.day and v.source = 'tiktok') as tiktok_read,
    exists (select 1 from ops.coverage v where v.day = d.day and v.source = 'shopify') as shop_read,
    (select count(distinct v.source) < 2 from ops.coverage v where v.day = d.day and v.source in ('meta', 'tiktok')) as ads_lacking,
    exists (select 1 from spend s join rates r using (currency) where s.date = d.day and r.day = d.day and r.rate is null) as ads_unrated
  from days d
)
select f.day as date, v.external_id, v.value, v.status
from facts f
cross join lateral (values
  ('ad_spend', case when ads_read then ad_spend end, ads_lacking or ads_unrated),
  ('ad_spend[source=tiktok]', case when tiktok_read then tiktok_spend end, null),
  ('clicks', case when ads_read then clicks end, ads_lacking),
  ('cpc', case when ads_read then ad_spend / nullif(clicks, 0) end, ads_lacking or ads_unrated),
  ('orders', case when shop_read then orders end, not shop_read),
  ('net_sales', case when shop_read then sold - returned end, null),
  ('total_sales', case when shop_read then sold - returned + extras - extras_returned end, null),
  ('aov', case when shop_read then sold / nullif(orders, 0) end, null),
  ('blended_roas', case when shop_read and ads_read then (sold - returned) / nullif(ad_spend, 0) end, null),
  ('cac', case when shop_read and ads_read then ad_spend / nullif(new_customers, 0) end, ads_lacking or ads_unrated or not shop_read),
  ('new_customers', case when shop_read then new_customers end, not shop_read),
  ('returning_customers', case when shop_read then returning_customers end, not shop_read)
) w (external_id, value, incomplete)
cross join lateral (select w.external_id, w.value, case w.incomplete when true then 'incomplete' when false then 'provisional' end as status) v
