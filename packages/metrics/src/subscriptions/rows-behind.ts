/** The rows behind the facts of subscriptions and payments, for people who ask why (rows-behind.ts of the package). */
import { type RawBuilder, sql } from 'kysely';

type Read = readonly [table: string, rows: RawBuilder<unknown>];

/**
 * Of a span, the version of the subscription that it is from: the latest up to its first day (a span may begin later, when
 * a trial or a coupon ends).
 */
const VERSION = sql`
  cross join lateral (
    select v.synced_at, v.run_id from public.subscriptions v
    where v.external_id = s.external_id and v.date <= s.from_day order by v.date desc limit 1
  ) v`;

/** The columns that every reading has, in their order. */
const span = (label: RawBuilder<unknown>, amount: RawBuilder<unknown>) =>
  sql`s.external_id, s.from_day as date, 'stripe' as account, ${label} as label, s.currency, ${amount} as amount, v.synced_at, v.run_id`;

/** What subscriptions were worth at the end of a day, by customer. */
const worth = (day: string, daysBefore: number): Read => [
  'subscriptions',
  sql`select ${span(sql`concat_ws(' ', s.customer_id, s.status, case when s.unknown > 0 then '(price not known)' end)`, sql`s.mrr`)}
    from ops.mrr_spans s ${VERSION}
    where s.from_day <= ${day}::date - ${daysBefore}::int and s.to_day > ${day}::date - ${daysBefore}::int and (s.mrr > 0 or s.unknown > 0)`,
];

/** The subscriptions that are worth something else than the day before, with the difference. */
const moved = (day: string): Read => [
  'subscriptions',
  sql`select ${span(sql`concat_ws(' ', s.customer_id, m.movement, m.reason)`, sql`s.mrr - coalesce(b.mrr, 0)`)}
    from ops.mrr_spans s ${VERSION}
    left join ops.mrr_spans b on b.external_id = s.external_id and b.to_day = s.from_day and b.currency = s.currency
    left join ops.customer_mrr m on m.customer_id = s.customer_id and m.currency = s.currency and m.from_day = s.from_day
    where s.from_day = ${day}::date and s.mrr <> coalesce(b.mrr, 0)`,
];

/** What each fact group of billing reads for a day. */
export const BILLING_READS: Readonly<Record<string, (day: string, source: string) => readonly Read[]>> = {
  mrr: (day) => [worth(day, 0)],
  mrr_movements: (day) => [moved(day)],
  mrr_fx: (day) => [worth(day, 1)],
  mrr_retention: (day) => [worth(day, 30), worth(day, 0)],
  subscriber_projection: (day) => [worth(day, 90), worth(day, 0)],
  trials: (day) => [
    [
      'subscriptions',
      sql`select t.external_id, t.started_on as date, 'stripe' as account,
          concat_ws(' ', v.customer_id, 'trial until', t.ends_on, case when t.paid then 'paid' end) as label, 'trials' as currency,
          t.paid::int::numeric as amount, v.synced_at, v.run_id
        from ops.trials t
        cross join lateral (
          select s.customer_id, s.synced_at, s.run_id from public.subscriptions s
          where s.external_id = t.external_id order by s.date desc limit 1
        ) v
        where t.started_on = ${day}::date`,
    ],
  ],
  payments: (day) => [
    [
      'payments',
      sql`select p.external_id, p.date, 'stripe ' || p.kind as account, p.customer_id as label, upper(p.currency) as currency,
          case when p.kind in ('charge', 'fee') then p.amount else -p.amount end as amount, p.synced_at, p.run_id
        from public.payments p where p.date = ${day}::date and p.account = 'default' and p.livemode and p.counted`,
    ],
  ],
  ads_30d: (day, source) => [
    [
      'spend',
      sql`select s.external_id, s.date, s.source || ' ' || s.account_id as account,
          concat_ws(' / ', s.campaign_name, s.ad_name) as label, s.currency, s.spend as amount, s.synced_at, s.run_id
        from public.spend s where s.date between ${day}::date - 29 and ${day}::date and ${source} in ('', s.source)`,
    ],
  ],
};
