/**
 * Erasing one customer of the shops. Amounts, days and counts stay; what tells who it was goes. The orders keep belonging
 * together under a random name, so that new customers, repeat rates and lifetime values stay what they were.
 */
import { randomUUID } from 'node:crypto';

import { sql } from 'kysely';

import type { Database, Transaction } from '@floyo/shared/db';

export interface ErasureCounts {
  readonly orders: number;
  readonly rejects: number;
  /** Agent state, errors and results that named the customer. */
  readonly other: number;
}

/**
 * Erases in the given transaction; source rows leave their marks as always. Idempotent: a second time finds nothing.
 * @param options.customerId the vendor's plain id.
 * @param options.shops the shops that it is an id of.
 */
export async function eraseCustomer(
  trx: Transaction<Database>,
  options: {
    readonly customerId: string;
    readonly shops: readonly string[];
    readonly now: string;
    readonly runId: string | null;
  },
): Promise<ErasureCounts> {
  const { customerId, shops, now, runId } = options;
  const { rows: own } = await sql<{ external_id: string }>`
    select external_id from public.orders where customer_id = ${customerId} and shop = any (${shops}::text[])`.execute(
    trx,
  );
  for (const shop of shops) {
    await sql`
      insert into ops.erasures (customer_digest, pseudonym, shop, erased_at, run_id)
      values (ops.customer_digest(${shop}, ${customerId}), ${`erased:${randomUUID()}`}, ${shop}, ${now}::timestamptz, ${runId}::uuid)
      on conflict (customer_digest) do nothing`.execute(trx);
    // The trigger of the table does the rest, as it will when the orders are read again.
    await sql`
      update public.orders set customer_id = customer_id where shop = ${shop} and customer_id = ${customerId}`.execute(
      trx,
    );
  }
  const named = sql`${`(Customer/|"customer[^"]*": *"?)${customerId}\\M`}`;
  const { rows: rejects } = await sql`
    update ops.rejected_records
    set payload = '{"erased": true}', reasons = '["erased at the customer''s request"]', resolved_at = coalesce(resolved_at, now())
    where account_id = any (${shops}::text[]) and payload <> '{"erased": true}'
      and (payload::text ~ ${named} or external_id = any (${own.map(({ external_id }) => external_id)}::text[]))
    returning 1`.execute(trx);
  let other = 0;
  for (const [table, column] of NAMING) {
    const target = sql.ref(column);
    const { rows } = await sql`
      update ${sql.table(table)} set ${target} = regexp_replace(${target}::text, ${named}, '\\10', 'g')::jsonb
      where ${target}::text ~ ${named} returning 1`.execute(trx);
    other += rows.length;
  }
  const { rows: errors } = await sql`
    update ops.errors set message = regexp_replace(message, ${named}, '\\10', 'g'), stack = regexp_replace(stack, ${named}, '\\10', 'g')
    where message ~ ${named} or stack ~ ${named} returning 1`.execute(trx);
  return { orders: own.length, rejects: rejects.length, other: other + errors.length };
}

/** JSON columns that may name a customer. */
const NAMING = [
  ['ops.agent_state', 'value'],
  ['ops.agent_results', 'metadata'],
  ['ops.errors', 'context'],
] as const;
