/**
 * From marks to the days of fact groups that they touch: metric_touched (day, facts, cause). The one place that knows
 * what else a change reaches: other days of a customer, the cohort it belongs to, the day of a refunded order, days
 * ahead of which a rate arrived. May name too many days, never too few.
 */
import { sql } from 'kysely';

import type { Database, Transaction } from '@floyo/shared/db';
import type { Day, DayWindow } from '@floyo/shared/window';

import { listFacts, listGroups } from './facts.ts';
import { assumeProductTouched, refreshProductDays } from './product/days.ts';

/** What product metrics remember of days (product/days.ts): made anew for marked days, for all, or left as it is. */
export type Deriving = 'marked' | 'every' | 'none';

/** Fills metric_marks (those of this snapshot) and metric_touched. With `full` only what the causes need. */
export async function findTouched(
  trx: Transaction<Database>,
  options: {
    readonly currency: string;
    readonly today: Day;
    readonly full: boolean;
    readonly range: DayWindow | undefined;
    readonly derive: Deriving;
  },
): Promise<void> {
  await readMarks(trx);
  await listGroupTables(trx);
  if (options.derive !== 'none')
    await refreshProductDays(trx, {
      every: options.full || options.derive === 'every',
      range: options.range,
    });
  await touchMarkedDays(trx);
  if (options.derive === 'none') await assumeProductTouched(trx);
  else await sql`insert into metric_touched select day, facts, cause from product_touched`.execute(trx);
  // Everything is due: what else a change reaches need not be looked up.
  if (!options.full) {
    await touchCustomers(trx, options.today);
    await touchRefundedOrders(trx, options.today);
    await touchRates(trx, options);
    await sql`insert into metric_touched select day, facts, cause from metric_mrr_touched`.execute(trx);
  }
  // What is not mature is null whatever happened; when it matures, that alone makes it due.
  await sql`
    delete from metric_touched t using (select facts, min(within) as soonest from metric_ahead group by facts) a
    where a.facts = t.facts and t.day + a.soonest >= ${options.today}::date`.execute(trx);
}

/** Under repeatable read these are the marks of this snapshot: what commits later keeps its mark for the next run. */
export async function readMarks(trx: Transaction<Database>): Promise<void> {
  await sql`create temp table metric_marks on commit drop as select * from ops.dirty_marks`.execute(trx);
  await sql`analyze metric_marks`.execute(trx);
}

/** Fills metric_group_tables, metric_ahead and metric_back: which tables, how many days ahead and back each fact group reads. */
export async function listGroupTables(trx: Transaction<Database>): Promise<void> {
  const tables = listGroups().flatMap(({ name, tables: read }) =>
    read.map((table) => ({ facts: name, table_name: table })),
  );
  const ahead = listFacts()
    .filter(({ withinDays }) => withinDays > 0)
    .map(({ group, withinDays }) => ({ facts: group, within: withinDays }));
  const back = listFacts()
    .filter(({ backDays }) => backDays > 0)
    .map(({ group, backDays }) => ({ facts: group, back: backDays }));
  await sql`
    create temp table metric_group_tables on commit drop as
    select * from jsonb_to_recordset(${JSON.stringify(tables)}::jsonb) as t (facts text, table_name text)`.execute(
    trx,
  );
  await sql`
    create temp table metric_ahead on commit drop as
    select distinct * from jsonb_to_recordset(${JSON.stringify(ahead)}::jsonb) as t (facts text, within integer)`.execute(
    trx,
  );
  await sql`
    create temp table metric_back on commit drop as
    select facts, max(back) as back from jsonb_to_recordset(${JSON.stringify(back)}::jsonb) as t (facts text, back integer)
    group by facts`.execute(trx);
}

/**
 * The days that look back at a marked day are touched like itself. A mark that names a table nobody reads (check) is for
 * every group, on its own day alone.
 */
async function touchMarkedDays(trx: Transaction<Database>): Promise<void> {
  await sql`
    create temp table metric_touched on commit drop as
    select distinct m.day + after as day, g.facts, m.table_name as cause
    from metric_marks m
    join metric_group_tables g on m.table_name in (g.table_name, 'check')
    left join metric_back b on b.facts = g.facts and m.table_name <> 'check'
    cross join generate_series(0, coalesce(b.back, 0)) as after
    where m.kind = 'day'`.execute(trx);
}

/**
 * Customers whose orders or refunds changed. When the first order may be another one, all days of the customer; else
 * the cohort of the first day alone, where it looks as far as the change.
 */
async function touchCustomers(trx: Transaction<Database>, today: Day): Promise<void> {
  await sql`
    create temp table metric_touched_customers on commit drop as
    with changed as (
      select split_part(key, '/', 1) as shop, substr(key, strpos(key, '/') + 1) as customer_id, table_name,
        coalesce(day, '-infinity') as day, coalesce(at, '-infinity') as at
      from metric_marks where kind = 'customer'
      union all
      -- A refund changes nobody's first order.
      select o.shop, o.customer_id, m.table_name, m.day, 'infinity'
      from metric_marks m join public.orders o on o.external_id = m.key
      where m.kind = 'refund' and o.customer_id is not null
    )
    select shop, customer_id, table_name, min(day) as day, min(at) as at
    from changed group by shop, customer_id, table_name`.execute(trx);
  await sql`analyze metric_touched_customers`.execute(trx);
  await sql`
    insert into metric_touched
    with firsts as materialized (
      select c.shop, c.customer_id, c.table_name, c.day, o.date as first_day, o.processed_at >= c.at as may_be_another
      from metric_touched_customers c
      cross join lateral (
        select o.date, o.processed_at from public.orders o
        where o.shop = c.shop and o.customer_id = c.customer_id and ops.is_counted_order(o.test, o.financial_status)
        order by o.processed_at, length(o.external_id), o.external_id limit 1
      ) o
    )
    select o.date, g.facts, f.table_name
    from firsts f
    join public.orders o on o.shop = f.shop and o.customer_id = f.customer_id
    cross join (values ('orders'), ('cohorts')) as g (facts)
    where f.may_be_another
    union
    select f.first_day, 'cohorts', f.table_name
    from firsts f
    join metric_ahead a on a.facts = 'cohorts' and f.day <= f.first_day + a.within and f.first_day + a.within < ${today}::date`.execute(
    trx,
  );
}

/** Orders that became or ceased to be counted take their refunds with them; refunds reach the day of their order. */
async function touchRefundedOrders(trx: Transaction<Database>, today: Day): Promise<void> {
  await sql`
    insert into metric_touched
    select r.date, 'refunds', m.table_name
    from metric_marks m join public.refunds r on r.order_external_id = m.key where m.kind = 'order'
    union
    select o.date, a.facts, m.table_name
    from metric_marks m
    join public.orders o on o.external_id = m.key
    join metric_ahead a on m.day <= o.date + a.within and o.date + a.within < ${today}::date
      and (a.facts = 'order_returns' or (a.facts = 'cohorts' and o.customer_id is null))
    where m.kind = 'refund'`.execute(trx);
}

/** Days with facts that need a marked rate, and days that look as far ahead or back as those. */
async function touchRates(
  trx: Transaction<Database>,
  { currency, today }: { readonly currency: string; readonly today: Day },
): Promise<void> {
  const { rows } = await sql`select 1 from metric_marks where kind = 'rate' limit 1`.execute(trx);
  if (rows.length === 0) return;
  const dated = sql.join(
    ['spend', 'orders', 'refunds', 'payments'].map(
      (table) => sql`
        select distinct date as day, upper(currency) as currency, ${sql.lit(table)} as table_name from public.${sql.ref(table)}
        where date >= (select min(day) from metric_marks where kind = 'rate')
          and date <= (select max(until) from metric_marks where kind = 'rate')`,
    ),
    sql` union all `,
  );
  // What is worth something every day needs a rate every day.
  const lasting = sql`
    select g::date, c.currency, 'mrr_spans'
    from (select currency, min(from_day) as from_day from ops.customer_mrr group by currency) c
    cross join (select min(day) as day, max(until) as until from metric_marks where kind = 'rate') m
    cross join generate_series(
      greatest(c.from_day, m.day)::timestamp, least(m.until, ${today}::date)::timestamp, interval '1 day') g`;
  await sql`
    insert into metric_touched
    with rated as materialized (
      select distinct f.day, f.table_name, m.table_name as cause
      from (${dated} union all ${lasting}) f
      join metric_marks m on m.kind = 'rate' and f.day between m.day and m.until
        and (m.key in (f.currency, '*') or (m.key = ${currency} and f.currency <> ${currency}))
    )
    select r.day + after, g.facts, r.cause
    from rated r
    join metric_group_tables g on g.table_name = r.table_name
    left join metric_back b on b.facts = g.facts
    cross join generate_series(0, coalesce(b.back, 0)) as after
    union
    select c.day, a.facts, r.cause
    from (select distinct day from metric_source_days) c
    join metric_ahead a on c.day + a.within < ${today}::date
    join rated r on r.table_name in ('orders', 'refunds') and r.day between c.day and c.day + a.within`.execute(
    trx,
  );
}
