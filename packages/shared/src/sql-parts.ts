/** Pieces of SQL that loading and comparing have in common; names go through `sql.ref`, values are bound. */
import { type RawBuilder, sql } from 'kysely';

/** `"a", "b"`. */
export function refs(columns: readonly string[]): RawBuilder<unknown> {
  return sql.join(columns.map((column) => sql.ref(column)));
}

/** `"left"."a" = "right"."a" and …`. */
export function sameKey(key: readonly string[], left: string, right: string): RawBuilder<unknown> {
  return sql.join(
    key.map((column) => sql`${sql.ref(`${left}.${column}`)} = ${sql.ref(`${right}.${column}`)}`),
    sql` and `,
  );
}

/** Whose rows these are, as a condition on the table called `alias`. */
export function scopeCondition(scope: Readonly<Record<string, string>>, alias: string): RawBuilder<unknown> {
  const conditions = Object.entries(scope).map(
    ([column, value]) => sql`${sql.ref(`${alias}.${column}`)} = ${value}`,
  );
  return conditions.length === 0 ? sql`true` : sql.join(conditions, sql` and `);
}
