/** In which columns two rows differ, for people who read what a check found. */
import { type RawBuilder, sql } from 'kysely';

/**
 * What `row` says in the columns in which it differs from `other` (both aliases in the statement, with an external_id),
 * as `status final, unit USD`; `no row` where there is none. `value` is told by itself and left out.
 */
export function tellDiffering(row: string, other: string, value: string): RawBuilder<string | null> {
  return sql`
    case when ${sql.ref(`${row}.external_id`)} is null then 'no row' else (
      select string_agg(a.key || ' ' || coalesce(a.value #>> '{}', 'null'), ', ' order by a.key)
      from jsonb_each(to_jsonb(${sql.ref(row)})) a join jsonb_each(to_jsonb(${sql.ref(other)})) b on b.key = a.key
      where a.value <> b.value and a.key <> ${sql.lit(value)}
    ) end`;
}
