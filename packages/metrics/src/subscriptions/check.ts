/** The part of the daily check that is about spans: a seventh of the subscriptions a day, so each once a week. */
import { sql } from 'kysely';

import type { Database, Transaction } from '@floyo/shared/db';
import type { Day } from '@floyo/shared/window';

import { tellDiffering } from '../differing.ts';
import { createFrom } from './refresh.ts';

/** A span that is not what the subscription's versions say. */
export interface WrongSpan {
  readonly external_id: string;
  readonly date: Day;
  readonly stored: string | null;
  readonly computed: string | null;
  /** In what else the two differ. */
  readonly stored_as: string | null;
  readonly computed_as: string | null;
}

/**
 * Makes the spans of the day's share of subscriptions anew and compares. Subscriptions with a mark are due anyway and left
 * out. Where one differs, or a metric does (`doubted`), all of them are marked: the next run makes every span anew.
 */
export async function findWrongSpans(
  trx: Transaction<Database>,
  today: Day,
  doubted: boolean,
): Promise<WrongSpan[]> {
  await sql`
    create temp table metric_marked_subscriptions on commit drop as
    select s.external_id
    from (select distinct external_id, customer_id from public.subscriptions where account = 'default' and livemode) s
    where abs(hashtext(s.external_id) % 7) = extract(dow from ${today}::date)
      and not exists (select 1 from ops.dirty_marks m
        where (m.kind = 'subscription' and m.key = s.external_id) or (m.kind = 'subscriber' and m.key = s.customer_id))`.execute(
    trx,
  );
  await createFrom(trx, 'metric_new_mrr_spans', 'spans');
  const { rows } = await sql<WrongSpan>`
    with stored as (
      select * from ops.mrr_spans where external_id in (select external_id from metric_marked_subscriptions)
    ), differing as (
      (select external_id, from_day from (table stored except table metric_new_mrr_spans) a)
      union
      (select external_id, from_day from (table metric_new_mrr_spans except table stored) b)
    ), marked as (
      insert into ops.dirty_marks (kind, table_name, key)
      select distinct 'subscription', 'check', s.external_id
      from (select external_id from public.subscriptions union select external_id from ops.mrr_spans) s
      where ${doubted} or exists (select 1 from differing)
    )
    select d.external_id, d.from_day as date, s.mrr as stored, n.mrr as computed,
      ${tellDiffering('s', 'n', 'mrr')} as stored_as, ${tellDiffering('n', 's', 'mrr')} as computed_as
    from differing d
    left join stored s on s.external_id = d.external_id and s.from_day = d.from_day
    left join metric_new_mrr_spans n on n.external_id = d.external_id and n.from_day = d.from_day
    order by d.external_id, d.from_day`.execute(trx);
  return rows;
}
