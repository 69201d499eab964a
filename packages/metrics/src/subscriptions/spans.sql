-- The spans of the subscriptions in metric_marked_subscriptions: ops.mrr_spans as it should be.
-- A version of a subscription holds from its day to the next version's, and is cut where something changes its value
-- without an event: a trial or the subscription ends, a discount begins or ends, the customer was deleted. What is so at
-- the end of a cut's day is so until the next cut. Cuts may lie ahead.
with zone as (
  select reporting_timezone as name from ops.settings
), versions as materialized (
  select s.external_id, s.date, lead(s.date, 1, 'infinity') over versions as next_date, s.customer_id,
    coalesce(upper(s.currency), 'XXX') as currency, s.status, s.incomplete, s.items, s.discounts, s.account, s.livemode, s.trial_end, s.pause_behavior,
    -- An end that is known by now was the end then, whenever we were told; one that was taken back (the account's key was
    -- another's for a day) never was.
    coalesce(first_value(s.ended_at) over (partition by s.external_id order by s.date desc), s.cancel_at, case when s.cancel_at_period_end then s.current_period_end end) as ends_at,
    coalesce(s.cancellation_reason, max(s.cancellation_reason) over subscription) as cancellation_reason,
    s.cancel_at is not null or s.cancel_at_period_end as was_to_end, c.version_at as deleted_at,
    s.discounts @? '$[*]' or s.items @? '$[*].discounts[*]' or s.items @? '$[*].trial_end ? (@ != null)' as is_bounded
  from public.subscriptions s
  join pg_temp.metric_marked_subscriptions m on m.external_id = s.external_id
  left join public.billing_objects c on c.account = s.account and c.livemode = s.livemode and c.type = 'customer'
    and c.object_id = s.customer_id and c.deleted
  where s.account = 'default' and s.livemode and s.customer_id is not null
  window subscription as (partition by s.external_id), versions as (partition by s.external_id order by s.date)
), cuts as materialized (
  select v.external_id, v.date, d.day, (d.day + 1)::timestamp at time zone zone.name - interval '1 microsecond' as at
  from versions v
  cross join zone
  cross join lateral (
    select v.date as day
    union
    select (b.at at time zone zone.name)::date
    from (
      select b.at from (values (v.trial_end), (v.ends_at), (v.deleted_at)) b (at)
      union all
      select b.at from ops.value_bounds(v.items, v.discounts, v.account, v.livemode) b (at) where v.is_bounded
    ) b
    where (b.at at time zone zone.name)::date > v.date and (b.at at time zone zone.name)::date < v.next_date
  ) d
), states as (
  select v.external_id, c.day, v.customer_id, v.currency, v.status, v.deleted_at <= c.at as is_deleted, v.ends_at <= c.at as has_ended,
    v.cancellation_reason, v.was_to_end, a.counts,
    -- Of an incomplete version only the first items are known.
    case when a.counts and not v.incomplete then m.net end as net, case when a.counts then m.gross else 0 end as gross,
    case when a.counts then m.unknown + v.incomplete::integer else 0 end as unknown
  from cuts c
  join versions v on v.external_id = c.external_id and v.date = c.date
  cross join lateral (
    select public.subscription_counts(v.status, v.trial_end, v.pause_behavior, c.at)
      and coalesce(v.ends_at > c.at, true) and coalesce(v.deleted_at > c.at, true) as counts
  ) a
  left join lateral public.subscription_mrr(v.items, v.discounts, v.account, v.livemode, c.at) m on a.counts
), described as (
  select external_id, day, customer_id, currency, coalesce(net, 0) as mrr, gross, unknown,
    counts and status = 'past_due' as at_risk, counts and was_to_end as ends,
    case when is_deleted then 'deleted' when has_ended then 'canceled' else status end as status,
    case when coalesce(net, 0) > 0 or unknown > 0 then null
      when is_deleted then 'other'
      when status = 'canceled' or has_ended then case
        when cancellation_reason in ('payment_failed', 'payment_disputed') then 'involuntary'
        -- Who set an end asked for it. Versions of the API before there were reasons give none.
        when cancellation_reason = 'cancellation_requested' or (cancellation_reason is null and was_to_end) then 'voluntary'
        else 'other' end
      when status = 'unpaid' then 'involuntary'
      else 'other' end as reason
  from states
), changes as (
  -- Versions that change nothing here (a renewal) make no span.
  select *, (customer_id, currency, mrr, gross, unknown, at_risk, ends, status, reason) is distinct from (
    lag(customer_id) over w, lag(currency) over w, lag(mrr) over w, lag(gross) over w, lag(unknown) over w, lag(at_risk) over w,
    lag(ends) over w, lag(status) over w, lag(reason) over w) as changes
  from described
  window w as (partition by external_id order by day)
)
select external_id, day as from_day, lead(day, 1, 'infinity') over (partition by external_id order by day) as to_day,
  customer_id, currency, mrr, gross, unknown, at_risk, ends, status, reason
from changes
where changes
