/** The database side of the reconcile: a page of listed objects against what is stored, and what no list has. */
import { type Kysely, sql } from 'kysely';

import { encodeJson } from '@floyo/shared/copy-text';
import type { Database } from '@floyo/shared/db';

import type { Change } from '../mapping/change.ts';
import type { Books } from './reconcile-books.ts';
import type { StripeSession } from './session.ts';

type Db = Kysely<Database>;

/** How a listed object stands to the stored one; `same` also when the stored one is newer than the list. */
export interface Compared {
  readonly id: string;
  readonly state: 'same' | 'missing' | 'different';
}

/** The ids that the lists had, for the length of the session. */
export async function createSeen(db: Db): Promise<void> {
  await sql`create temp table if not exists reconcile_seen (type text not null, id text not null)`.execute(
    db,
  );
  await sql`truncate pg_temp.reconcile_seen`.execute(db);
}

/** Adds to the ids that the lists had. */
export async function noteSeen(db: Db, type: string, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await sql`insert into pg_temp.reconcile_seen (type, id) select ${type}, unnest(${ids}::text[])`.execute(db);
}

function idsOf(changes: readonly Change[]): string[] {
  return changes.flatMap(({ object }) => object?.id ?? []);
}

/**
 * Prices, coupons, products and customers: what others refer to. Tiers and the products of a coupon are left out, since
 * events never tell them; so are amounts in other currencies that were never read.
 */
export async function compareObjects(
  db: Db,
  { id: account, client }: StripeSession,
  type: string,
  changes: readonly Change[],
): Promise<readonly Compared[]> {
  await noteSeen(db, type, idsOf(changes));
  const listed = changes.flatMap(({ object }) =>
    object === null ? [] : [{ id: object.id, version_at: object.version_at, data: object.data }],
  );
  const { rows } = await sql<Compared>`
    select l.id, case
      when o.object_id is null then 'missing'
      when o.version_at > l.version_at then 'same'
      when o.deleted then 'missing'
      when l.data - 'tiers' - 'applies_to' - 'currency_options' is distinct from o.data - 'tiers' - 'applies_to' - 'currency_options' then 'different'
      when l.data -> 'currency_options' <> o.data -> 'currency_options' then 'different'
      else 'same' end as state
    from jsonb_to_recordset(${encodeJson(listed)}::jsonb) as l (id text, version_at timestamptz, data jsonb)
    left join public.billing_objects o
      on o.account = ${account} and o.livemode = ${client.livemode} and o.type = ${type} and o.object_id = l.id`.execute(
    db,
  );
  return rows;
}

/** Subscriptions: status, customer, quantity, and what they are worth as of the list; both sides go into the books. */
export async function compareSubscriptions(
  db: Db,
  { id: account, client }: StripeSession,
  fetchedAt: string,
  changes: readonly Change[],
  books: Books,
): Promise<readonly Compared[]> {
  await noteSeen(db, 'subscription', idsOf(changes));
  const listed = changes.flatMap(({ object, rows }) =>
    object === null || rows.subscription === undefined ? [] : [{ id: object.id, ...rows.subscription }],
  );
  const { rows } = await sql<{
    id: string;
    is_newer: boolean;
    is_stored: boolean;
    status: string;
    currency: string;
    mrr: string | null;
    our_status: string | null;
    our_currency: string | null;
    our_mrr: string | null;
    is_same: boolean;
  }>`
    select l.id, l.status, coalesce(l.currency, '') as currency, m.mrr::text as mrr,
      coalesce(o.version_at > ${fetchedAt}::timestamptz, false) as is_newer, s.external_id is not null and not coalesce(o.deleted, false) as is_stored,
      s.status as our_status, coalesce(s.currency, '') as our_currency, s.mrr::text as our_mrr,
      (l.status, l.customer_id, l.quantity, m.mrr) is not distinct from (s.status, s.customer_id, s.quantity, s.mrr) as is_same
    from jsonb_to_recordset(${encodeJson(listed)}::jsonb) as l (id text, status text, customer_id text, currency text, quantity numeric,
      items jsonb, discounts jsonb, trial_end timestamptz, pause_behavior text)
    cross join lateral (
      select case when public.subscription_counts(l.status, l.trial_end, l.pause_behavior, ${fetchedAt}::timestamptz)
        then (public.subscription_mrr(l.items, l.discounts, ${account}, ${client.livemode}, ${fetchedAt}::timestamptz)).net else 0 end as mrr
    ) m
    left join public.billing_objects o
      on o.account = ${account} and o.livemode = ${client.livemode} and o.type = 'subscription' and o.object_id = l.id
    left join lateral (
      select c.external_id, c.status, c.customer_id, c.currency, c.quantity,
        case when public.subscription_counts(c.status, c.trial_end, c.pause_behavior, ${fetchedAt}::timestamptz)
          then (public.subscription_mrr(c.items, c.discounts, ${account}, ${client.livemode}, ${fetchedAt}::timestamptz)).net else 0 end as mrr
      from public.subscriptions c
      where c.account = ${account} and c.livemode = ${client.livemode} and c.external_id = ${prefixOf(account)} || l.id
      order by c.date desc limit 1
    ) s on true`.execute(db);
  return rows.map((row): Compared => {
    // A newer version than the list's: Stripe would list it as it is here.
    const there = row.is_newer && row.our_status !== null;
    books.add(
      'there',
      (there ? row.our_status : undefined) ?? row.status,
      row.currency,
      there ? row.our_mrr : row.mrr,
    );
    if (row.is_stored && row.our_status !== null)
      books.add('here', row.our_status, row.our_currency ?? '', row.our_mrr);
    if (!row.is_stored) return { id: row.id, state: row.is_newer ? 'same' : 'missing' };
    return { id: row.id, state: row.is_same || row.is_newer ? 'same' : 'different' };
  });
}

/**
 * Stored objects of the type that the list did not have, and that are not newer than it (what only another object told of
 * was never listed), in an order that is another one
 * every day: whoever takes the first few meets them all in time.
 */
export async function listUnseen(
  db: Db,
  { id: account, client }: StripeSession,
  type: string,
  begunAt: string,
  today: string,
): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    select o.object_id as id from public.billing_objects o
    where o.account = ${account} and o.livemode = ${client.livemode} and o.type = ${type} and not o.deleted
      and o.version_at < ${begunAt}::timestamptz and o.version_at > '-infinity'
      and not exists (select 1 from pg_temp.reconcile_seen s where s.type = o.type and s.id = o.object_id)
    order by md5(o.object_id || ${today})`.execute(db);
  return rows.map(({ id }) => id);
}

/** Stored objects of the type that the list had, without those that this run has written. */
export async function countKnown(
  db: Db,
  { id: account, client }: StripeSession,
  type: string,
  runId: string,
): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from public.billing_objects o
    where o.account = ${account} and o.livemode = ${client.livemode} and o.type = ${type}
      and o.run_id is distinct from ${runId}::uuid
      and exists (select 1 from pg_temp.reconcile_seen s where s.type = o.type and s.id = o.object_id)`.execute(
    db,
  );
  return rows[0]?.count ?? 0;
}

/** Ids of a connected account carry its name. */
function prefixOf(account: string): string {
  return account === 'default' ? 'stripe:' : `stripe:${account}:`;
}
