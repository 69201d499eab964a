/**
 * Brings what metrics know of subscriptions up to date: the spans of the marked ones (ops.mrr_spans), their customers
 * (ops.customer_mrr, ops.subscriber_spans) and their trials (ops.trials). Owns the temporary table metric_mrr_touched
 * (day, facts, cause): the days of fact groups that come out differently.
 */
import { readFile } from 'node:fs/promises';

import { sql } from 'kysely';

import type { Database, Transaction } from '@floyo/shared/db';
import type { Day } from '@floyo/shared/window';

/**
 * @param scope `marked` is what a run does; `all` makes every span anew and says nothing of days, because all are due;
 * `none` leaves all as it is, for who only compares.
 */
export async function refreshSpans(
  trx: Transaction<Database>,
  options: { readonly scope: 'marked' | 'all' | 'none'; readonly today: Day },
): Promise<void> {
  const { scope, today } = options;
  await sql`
    create temp table metric_mrr_touched (day date, facts text, cause text) on commit drop`.execute(trx);
  if (scope === 'none' || !(await listMarked(trx, scope))) return;
  await replace(
    trx,
    'mrr_spans',
    'spans',
    sql`external_id in (select external_id from metric_marked_subscriptions)`,
  );
  await sql`
    create temp table metric_marked_customers on commit drop as
    select customer_id from metric_old_mrr_spans union select customer_id from metric_new_mrr_spans`.execute(
    trx,
  );
  await sql`analyze metric_marked_customers`.execute(trx);
  const ofCustomers = sql`customer_id in (select customer_id from metric_marked_customers)`;
  await replace(trx, 'customer_mrr', 'customers', ofCustomers);
  await replace(trx, 'subscriber_spans', 'subscribers', ofCustomers);
  await replace(
    trx,
    'trials',
    'trials',
    sql`external_id in (select external_id from metric_marked_subscriptions)`,
  );
  if (scope === 'marked') await findTouchedDays(trx, today);
}

/** How many items and discounts of the subscriptions of a day nothing says the value of. */
export async function countUnpriced(trx: Transaction<Database>, day: Day): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select coalesce(sum(unknown), 0)::int as count from ops.mrr_spans
    where unknown > 0 and from_day <= ${day}::date and to_day > ${day}::date`.execute(trx);
  return rows[0]?.count ?? 0;
}

/** @returns whether there is anything to do. */
async function listMarked(trx: Transaction<Database>, scope: 'marked' | 'all'): Promise<boolean> {
  const all = sql`
    select external_id, 'subscriptions' as cause from public.subscriptions
    union select external_id, 'subscriptions' from ops.mrr_spans union select external_id, 'subscriptions' from ops.trials`;
  const marked = sql`
    select key as external_id, table_name as cause from ops.dirty_marks where kind = 'subscription'
    union
    select s.external_id, m.table_name
    from ops.dirty_marks m join public.subscriptions s on s.account = 'default' and s.livemode and s.customer_id = m.key
    where m.kind = 'subscriber'
    union
    select s.external_id, 'billing_objects'
    from public.subscriptions s
    cross join lateral (
      select p.id #>> '{}' as id from jsonb_path_query(s.items, '$[*].**.id') p (id)
      union all
      select p.id #>> '{}' from jsonb_path_query(s.discounts, '$[*].**.id') p (id)
    ) named
    join (
      select m.key from ops.dirty_marks m where m.kind = 'reference'
      union
      -- A discount names its coupon; the subscription may name the discount alone.
      select o.object_id from ops.dirty_marks m
      join public.billing_objects o on o.type = 'discount' and o.data #>> '{coupon,id}' = m.key
      where m.kind = 'reference'
    ) changed on changed.key = named.id
    where s.account = 'default' and s.livemode and exists (select 1 from ops.dirty_marks where kind = 'reference')`;
  const list = scope === 'all' ? all : marked;
  const { rows } = await sql`select 1 from (${list}) m limit 1`.execute(trx);
  if (rows.length === 0) return false;
  await sql`
    create temp table metric_marked_subscriptions on commit drop as
    select external_id, min(cause) as cause from (${list}) m group by external_id`.execute(trx);
  await sql`analyze metric_marked_subscriptions`.execute(trx);
  return true;
}

/** A temporary table of what a file of this folder gives. */
export async function createFrom(trx: Transaction<Database>, table: string, file: string): Promise<void> {
  const text = await readFile(new URL(`./${file}.sql`, import.meta.url), 'utf8');
  await sql`create temp table ${sql.id(table)} on commit drop as ${sql.raw(text)}`.execute(trx);
}

/** Makes the rows of a table that `which` names those of a file, and keeps both as metric_old_… and metric_new_…. */
async function replace(
  trx: Transaction<Database>,
  table: string,
  file: string,
  which: ReturnType<typeof sql>,
): Promise<void> {
  const target = sql.id('ops', table);
  const before = sql.id(`metric_old_${table}`);
  const after = sql.id(`metric_new_${table}`);
  await sql`create temp table ${before} on commit drop as select * from ${target} where ${which}`.execute(
    trx,
  );
  await createFrom(trx, `metric_new_${table}`, file);
  await sql`analyze ${before}, ${after}`.execute(trx);
  // Rows that stay are not rewritten: most subscriptions that are marked come out as they were.
  await sql`delete from ${target} t where ${which} and not exists (select 1 from ${after} n where n = t)`.execute(
    trx,
  );
  await sql`insert into ${target} select * from ${after} n except select * from ${before}`.execute(trx);
}

async function findTouchedDays(trx: Transaction<Database>, today: Day): Promise<void> {
  await listMovedDays(trx, today);
  await listMovements(trx);
  await sql`
    insert into metric_mrr_touched
    with moved as (
      select m.day, m.valued, m.unpriced, m.facts from metric_mrr_moved m
    ), touched as (
      select day, facts from moved where facts <> 'values'
      union
      -- A day is looked at by itself, by the day after it (what the rate changed), and as the base of 30-day stretches;
      -- whether something lacks its price, by the movements of it and of the day after.
      select m.day + r.after, r.facts
      from moved m
      join (values ('mrr', 0), ('mrr_fx', 1), ('mrr_retention', 0), ('mrr_retention', 30),
        ('subscriber_projection', 0), ('subscriber_projection', 30), ('subscriber_projection', 60), ('subscriber_projection', 90),
        ('mrr_movements', 0), ('mrr_movements', 1)
      ) r (facts, after) on case r.facts when 'mrr' then true when 'mrr_movements' then m.unpriced else m.valued end
      where m.facts = 'values'
      union
      -- Customers who began count for 30 days.
      select m.day + after, 'subscriber_projection' from moved m cross join generate_series(0, 29) after
      where m.facts = 'mrr_movements'
    )
    select t.day, t.facts, c.cause
    from touched t cross join (
      select string_agg(distinct cause, ', ' order by cause) as cause from metric_marked_subscriptions) c
    where t.day <= ${today}::date`.execute(trx);
}

/** The days on which a subscription is worth something else than it was thought to be, or is flagged otherwise. */
async function listMovedDays(trx: Transaction<Database>, today: Day): Promise<void> {
  await sql`
    create temp table metric_mrr_moved on commit drop as
    with spans as (
      select *, 1 as sign from metric_new_mrr_spans union all select *, -1 from metric_old_mrr_spans
    ), edges as (
      select external_id, customer_id, currency, from_day as day, sign, mrr, unknown, at_risk, ends from spans
      union all
      select external_id, customer_id, currency, to_day, -sign, mrr, unknown, at_risk, ends from spans where to_day < 'infinity'
    ), running as (
      select day, lead(day, 1, 'infinity') over w as next_day, sum(sum(sign * mrr)) over w as mrr, sum(sum(sign * unknown)) over w as unknown,
        sum(sum(sign * mrr) filter (where at_risk)) over w as at_risk, sum(sum(sign * mrr) filter (where ends)) over w as ends
      from edges
      group by external_id, customer_id, currency, day
      window w as (partition by external_id, customer_id, currency order by day)
    )
    select g::date as day, 'values'::text as facts, bool_or((r.mrr, r.unknown) <> (0, 0)) as valued,
      bool_or(r.unknown <> 0) as unpriced
    from running r
    cross join generate_series(r.day::timestamp, least(r.next_day - 1, ${today}::date)::timestamp, interval '1 day') g
    where (r.mrr, r.unknown, coalesce(r.at_risk, 0), coalesce(r.ends, 0)) <> (0, 0, 0, 0) and r.day <= ${today}::date
    group by g`.execute(trx);
}

/** The days with other movements, other beginnings and ends of subscribers, other trials. */
async function listMovements(trx: Transaction<Database>): Promise<void> {
  const differing = (table: string, columns: string, day: string) => {
    const [now, then] = [sql.id(`metric_new_${table}`), sql.id(`metric_old_${table}`)];
    const list = sql.raw(columns);
    return sql`
      select ${sql.ref(day)} as day from (
        (select ${list} from ${now} except select ${list} from ${then})
        union all
        (select ${list} from ${then} except select ${list} from ${now})
      ) d`;
  };
  await sql`
    insert into metric_mrr_moved (day, facts)
    select day, 'mrr_movements' from (
      ${differing('customer_mrr', 'customer_id, currency, from_day, mrr, before, movement, reason', 'from_day')}
      union ${differing('subscriber_spans', 'customer_id, from_day, is_first', 'from_day')}
      union ${differing('subscriber_spans', 'customer_id, to_day, reason', 'to_day')}
    ) m
    union
    select day, 'trials' from (${differing('trials', 'external_id, started_on, ends_on, paid', 'started_on')}) t`.execute(
    trx,
  );
}
