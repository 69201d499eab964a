-- The restatement ledger: how the sums of an account's day moved with each reading, and what share of a day's final
-- value is known how many days after it.

create table ops.restatements (
  source text not null,
  account_id text not null,
  day date not null,
  currency text not null,
  -- When these sums were read from the vendor.
  read_at timestamptz not null,
  -- How many days after the day itself that was; 0 is the same day.
  age_days integer not null,
  spend numeric not null,
  conversions numeric not null,
  revenue numeric not null,
  run_id uuid,
  recorded_at timestamptz not null default now(),
  primary key (source, account_id, day, currency, read_at)
);
comment on table ops.restatements is 'The sums of one account and day each time that a reading changed them, in the account''s currency. Ads: spend, platform conversions and their value. Shops: orders as conversions, and gross sales less discounts and returns of the day as revenue.';

alter table ops.restatements enable row level security;
revoke all on ops.restatements from public, anon, authenticated;
grant select, insert, update, delete on ops.restatements to service_role;

-- The share of the final sums that was known so many days after the day: sums over sums, of the account's last 90 settled
-- days, each of which was first read early enough to know. A day read for the first time at 20 days says nothing of day 3.
create view ops.maturity_curve with (security_invoker = true) as
with settled as (
  select c.source, c.account_id, c.day, row_number() over (partition by c.source, c.account_id order by c.day desc) as rank
  from (
    select source, account_id, day from ops.coverage where source <> 'fx'
    group by source, account_id, day having bool_and(read_at >= final_at)
  ) c
), ledger as (
  select r.source, r.account_id, r.day, r.currency, r.read_at, r.age_days, r.spend, r.conversions, r.revenue,
    min(r.age_days) over w as first_age,
    row_number() over (partition by r.source, r.account_id, r.day, r.currency order by r.read_at desc) as from_last
  from ops.restatements r
  join settled s on s.source = r.source and s.account_id = r.account_id and s.day = r.day and s.rank <= 90
  window w as (partition by r.source, r.account_id, r.day)
), known as (
  select a.age_days, l.source, l.account_id, l.day, l.currency, l.spend, l.conversions, l.revenue,
    row_number() over (partition by a.age_days, l.source, l.account_id, l.day, l.currency order by l.read_at desc) as from_last
  from ledger l join generate_series(0, 28) a (age_days) on l.age_days <= a.age_days and l.first_age <= a.age_days
)
select k.source, k.account_id, k.currency, k.age_days, count(*)::integer as days,
  sum(k.spend) / nullif(sum(f.spend), 0) as spend_share,
  sum(k.conversions) / nullif(sum(f.conversions), 0) as conversions_share,
  sum(k.revenue) / nullif(sum(f.revenue), 0) as revenue_share
from known k
join ledger f on f.source = k.source and f.account_id = k.account_id and f.day = k.day and f.currency = k.currency and f.from_last = 1
where k.from_last = 1
group by k.source, k.account_id, k.currency, k.age_days;
comment on view ops.maturity_curve is 'What share of an account''s final spend, conversions and revenue was known so many days after the day (0 to 28).';
revoke all on ops.maturity_curve from public, anon, authenticated;
grant select on ops.maturity_curve to service_role;
