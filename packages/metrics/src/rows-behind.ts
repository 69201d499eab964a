/**
 * The source rows behind a metric's day: which ones each fact group reads, counted and summed per account, the largest
 * of them, and what loaded them. For people who ask why; nothing is computed from it.
 */
import { type RawBuilder, sql } from 'kysely';

import type { Database, Transaction } from '@floyo/shared/db';

import { BILLING_READS } from './subscriptions/rows-behind.ts';

/** Rows of one table, account and currency. */
export interface RowsBehind {
  readonly facts: string;
  readonly table: string;
  readonly account: string | null;
  readonly currency: string;
  readonly rows: number;
  readonly amount: string;
  readonly first_synced_at: string;
  readonly last_synced_at: string;
}

/** One of the largest rows. */
export interface TopRow {
  readonly facts: string;
  readonly table: string;
  readonly external_id: string;
  readonly date: string;
  readonly label: string | null;
  readonly currency: string;
  readonly amount: string;
  readonly synced_at: string;
  readonly run_id: string | null;
}

export interface Loaded {
  readonly run_id: string | null;
  readonly kind: string | null;
  readonly status: string | null;
  readonly started_at: string | null;
  readonly rows: number;
}

const ORDER = sql`o.external_id, o.date, o.shop as account, o.order_name as label, o.currency, o.gross_sales - o.discounts as amount, o.synced_at, o.run_id`;
const REFUND = sql`r.external_id, r.date, o.shop as account, o.order_name as label, r.currency, -r.returns as amount, r.synced_at, r.run_id`;
const QUALIFIES = sql`e.event like any (s.qualifying) and not e.event like any (s.not_qualifying)`;
const COUNTED = sql`ops.is_counted_order(o.test, o.financial_status)`;

/** What each fact group reads for a day: the table it is from, and its rows. */
const READS: Readonly<
  Record<
    string,
    (day: string, source: string) => readonly (readonly [table: string, rows: RawBuilder<unknown>])[]
  >
> = {
  ads: (day, source) => [
    [
      'spend',
      sql`select s.external_id, s.date, s.source || ' ' || s.account_id as account,
          concat_ws(' / ', s.campaign_name, s.ad_name) as label, s.currency, s.spend as amount, s.synced_at, s.run_id
        from public.spend s where s.date = ${day}::date and ${source} in ('', s.source)`,
    ],
  ],
  orders: (day) => [
    ['orders', sql`select ${ORDER} from public.orders o where o.date = ${day}::date and ${COUNTED}`],
  ],
  refunds: (day) => [
    [
      'refunds',
      sql`select ${REFUND} from public.refunds r left join public.orders o on o.external_id = r.order_external_id
        where r.date = ${day}::date and coalesce(${COUNTED}, true)`,
    ],
  ],
  order_returns: (day) => [
    ['orders', sql`select ${ORDER} from public.orders o where o.date = ${day}::date and ${COUNTED}`],
    [
      'refunds',
      sql`select ${REFUND} from public.orders o join public.refunds r on r.order_external_id = o.external_id
        where o.date = ${day}::date and ${COUNTED} and r.date between o.date and o.date + 30`,
    ],
  ],
  cohorts: (day) => {
    const bought = sql`
      select o.* from public.orders o
      left join pg_temp.metric_customers c on c.shop = o.shop and c.customer_id = o.customer_id
      where ${COUNTED} and o.date between ${day}::date and ${day}::date + 365
        and (c.first_day = ${day}::date or (o.customer_id is null and o.date = ${day}::date))`;
    return [
      ['orders', sql`select ${ORDER} from (${bought}) o`],
      [
        'refunds',
        sql`select ${REFUND} from (${bought}) o join public.refunds r on r.order_external_id = o.external_id
          where r.date between ${day}::date and ${day}::date + 365`,
      ],
    ];
  },
};

/** Which events a group of product facts is about, and how many days back and ahead it looks. */
const EVENTS: Readonly<
  Record<string, readonly [rows: 'days' | 'single', back: number, ahead: number, events: RawBuilder<unknown>]>
> = {
  product_events: ['days', 0, 0, sql`true`],
  active_users: ['days', 0, 0, QUALIFIES],
  rolling_users: ['days', 29, 0, QUALIFIES],
  signups: ['days', 0, 0, sql`e.event = s.signup_event`],
  signup_cohorts: ['days', 0, 30, sql`(e.event in (s.signup_event, s.activation_event) or ${QUALIFIES})`],
  suggestions: ['single', 0, 0, sql`e.event = 'suggestion_shown'`],
  suggestion_outcomes: ['single', 0, 3, sql`e.event in ('suggestion_shown', 'suggestion_accepted')`],
  emails: ['single', 0, 0, sql`e.event = 'email_sent'`],
  email_outcomes: ['single', 0, 7, sql`e.event in ('email_sent', 'email_delivered', 'email_clicked')`],
};

/** The events behind product facts, with how often as the amount. */
function readEvents(group: string, day: string): [table: string, rows: RawBuilder<unknown>][] {
  const read = EVENTS[group];
  if (read === undefined) return [];
  const [weight, back, ahead, only] = read;
  const table = weight === 'days' ? 'event_user_days' : 'events';
  return [
    [
      table,
      sql`select e.external_id, e.date, e.source as account, e.event as label, 'events' as currency,
          ${weight === 'days' ? sql`e.count` : sql`1`}::numeric as amount, e.synced_at, e.run_id
        from public.${sql.ref(table)} e cross join ops.product_settings s
        where e.date between ${day}::date - ${back}::int and ${day}::date + ${ahead}::int and ${only}`,
    ],
  ];
}

/** How many of the largest rows are shown. */
const TOP = 10;

/** `source` is '' for all of them. Expects metric_customers (see compute.ts) in the transaction. */
export async function findRowsBehind(
  trx: Transaction<Database>,
  options: { readonly groups: readonly string[]; readonly day: string; readonly source: string },
): Promise<{ rows: RowsBehind[]; top: TopRow[]; runs: Loaded[] }> {
  const reads = options.groups.flatMap((group) =>
    (
      READS[group]?.(options.day, options.source) ??
      BILLING_READS[group]?.(options.day, options.source) ??
      readEvents(group, options.day)
    ).map(
      ([table, rows]) => sql`select ${group}::text as facts, ${table}::text as "table", b.* from (${rows}) b`,
    ),
  );
  await sql`create temp table metric_behind on commit drop as ${sql.join(reads, sql` union all `)}`.execute(
    trx,
  );
  const { rows } = await sql<RowsBehind>`
    select facts, "table", account, currency, count(*)::int as rows, sum(amount) as amount,
      min(synced_at) as first_synced_at, max(synced_at) as last_synced_at
    from metric_behind group by facts, "table", account, currency order by facts, "table", account, currency`.execute(
    trx,
  );
  const { rows: top } = await sql<TopRow>`
    select distinct on (abs(amount), external_id) facts, "table", external_id, date, label, currency, amount, synced_at, run_id
    from metric_behind order by abs(amount) desc, external_id limit ${TOP}`.execute(trx);
  const { rows: runs } = await sql<Loaded>`
    select b.run_id, r.kind, r.status, r.started_at, b.rows
    from (select run_id, count(distinct ("table", external_id, date))::int as rows from metric_behind group by run_id) b
    left join ops.runs r on r.id = b.run_id
    order by r.started_at desc nulls last limit 50`.execute(trx);
  return { rows, top, runs };
}
