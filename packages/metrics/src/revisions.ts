/** Final values that move: recorded in metric_revisions, with what made them move. */
import { sql } from 'kysely';

import type { Database, Transaction } from '@floyo/shared/db';

export interface Revision {
  readonly external_id: string;
  readonly date: string;
  readonly old_value: string | null;
  readonly new_value: string | null;
  readonly cause: string;
}

/**
 * Compares the stage with what is stored, before it is stored, and records the final values that will be others or gone.
 * @returns them, by day and name.
 */
export async function recordRevisions(
  trx: Transaction<Database>,
  options: { readonly stage: string; readonly runId: string; readonly now: string },
): Promise<Revision[]> {
  const { rows } = await sql<Revision>`
    with moved as (
      select d.external_id, d.date, d.value as old_value, s.value as new_value, s.status as new_status, due.cause
      from public.daily_metrics d
      join ${sql.ref(options.stage)} s on s.external_id = d.external_id and s.date = d.date
      join metric_list l on l.metric = s.metric
      join metric_due due on due.day = s.date and due.needs = l.needs
      where d.status = 'final' and d.value is distinct from s.value
      union all
      select d.external_id, d.date, d.value, null, null,
        case when d.metric in (select metric from metric_list) then 'coverage' else 'definition' end
      from public.daily_metrics d join metric_extra x on x.external_id = d.external_id and x.date = d.date
      where d.status = 'final' and d.value is not null
    ), recorded as (
      insert into public.metric_revisions
        (external_id, date, old_value, new_value, old_status, new_status, cause, revised_at, run_id)
      select external_id, date, old_value, new_value, 'final', new_status, cause, ${options.now}::timestamptz, ${options.runId}::uuid
      from moved
      returning external_id, date, old_value, new_value, cause
    )
    select * from recorded order by date, external_id`.execute(trx);
  return rows;
}
