/** A database of its own with facts put in by plain inserts, and a way to compute: for the tests of this package. */
import { type Insertable, sql } from 'kysely';
import { Temporal } from 'temporal-polyfill';

import { connect, type Database, type Session } from '@floyo/shared/db';
import { createLogger } from '@floyo/shared/log';
import { createRedactor } from '@floyo/shared/redact';
import { createTestDatabase } from '@floyo/shared/testing/database';

import type { NeededAccount } from '../expected.ts';
import { type MetricsOptions, type MetricsResult, runMetrics } from '../run.ts';

export const META: NeededAccount = { source: 'meta', accountId: '1', stream: 'insights' };
export const TIKTOK: NeededAccount = { source: 'tiktok', accountId: '2', stream: 'report' };
export const SHOP: NeededAccount = { source: 'shopify', accountId: 'a.myshopify.com', stream: 'orders' };
export const POSTHOG: NeededAccount = { source: 'posthog', accountId: '9', stream: 'events' };

export const RUN_ID = '00000000-0000-4000-8000-000000000001';

export interface StoredMetric {
  readonly value: string | null;
  readonly numerator: string | null;
  readonly denominator: string | null;
  readonly status: string;
}

export type World = Awaited<ReturnType<typeof createWorld>>;

/** The world reports in UTC and USD; now is 2026-03-10 12:00 unless told, and all of META, TIKTOK, SHOP are configured. */
export async function createWorld() {
  const database = await createTestDatabase();
  const session = await connect(database.url);
  const { db } = session;
  await db
    .insertInto('ops.settings')
    .values({ reporting_timezone: 'UTC', reporting_currency: 'USD' })
    .execute();
  const lines: string[] = [];
  const log = createLogger({
    level: 'debug',
    redactor: createRedactor([]),
    destination: { write: (line) => void lines.push(line) },
  });
  let serial = 0;

  const world = {
    url: database.url,
    session,
    db,
    /** What was logged, a JSON text a line. */
    lines,
    async close() {
      await session.end();
      await database.drop();
    },
    /** Takes all facts, marks and results away. */
    async clear() {
      await sql`truncate events, event_user_days, ops.event_days, ops.user_days, ops.suggestion_days, ops.email_days, ops.product_settings`.execute(
        db,
      );
      await sql`truncate spend, orders, order_items, refunds, fx_rates, daily_metrics, ops.coverage, ops.missing_rates, metric_revisions, ops.restatements, ops.metric_days`.execute(
        db,
      );
      await sql`truncate subscriptions, payments, invoices, billing_objects, ops.mrr_spans, ops.customer_mrr, ops.subscriber_spans, ops.trials`.execute(
        db,
      );
      await sql`truncate ops.dirty_marks`.execute(db);
    },
    run(options: Partial<MetricsOptions> = {}): Promise<MetricsResult> {
      return runMetrics({
        session,
        write: writeOf(session),
        accounts: [META, TIKTOK, SHOP],
        reporting: { timezone: 'UTC', currency: 'USD' },
        now: Temporal.Instant.from('2026-03-10T12:00:00Z'),
        runId: RUN_ID,
        log,
        signal: new AbortController().signal,
        // It has its own tests.
        check: 'never',
        ...options,
      });
    },
    async spend(row: Partial<Insertable<Database['spend']>> = {}) {
      const source = row.source ?? 'meta';
      const ad = String(++serial);
      await db
        .insertInto('spend')
        .values({
          external_id: `${source}:${ad}`,
          date: '2026-03-01',
          source,
          account_id: '1',
          account_timezone: 'UTC',
          campaign_id: 'c1',
          ad_group_id: 'g1',
          ad_id: ad,
          currency: 'USD',
          spend: '0',
          impressions: '0',
          clicks: '0',
          raw: '{}',
          ...row,
        })
        .execute();
    },
    async order(row: Partial<Insertable<Database['orders']>> = {}): Promise<string> {
      const date = row.date ?? '2026-03-01';
      const processedAt = row.processed_at ?? `${date}T10:00:00Z`;
      const id = row.external_id ?? `shopify:${1000 + ++serial}`;
      await db
        .insertInto('orders')
        .values({
          external_id: id,
          date,
          source: 'shopify',
          shop: 'a.myshopify.com',
          order_name: '#1',
          created_at: processedAt,
          processed_at: processedAt,
          updated_at: processedAt,
          currency: 'USD',
          gross_sales: '0',
          discounts: '0',
          shipping: '0',
          taxes: '0',
          total: '0',
          refunded: '0',
          financial_status: 'PAID',
          test: false,
          item_count: 1,
          ...row,
        })
        .execute();
      return id;
    },
    async refund(row: Partial<Insertable<Database['refunds']>> & { readonly order_external_id: string }) {
      await db
        .insertInto('refunds')
        .values({
          external_id: `shopify:${1000 + ++serial}`,
          date: '2026-03-01',
          currency: 'USD',
          returns: '0',
          shipping: '0',
          taxes: '0',
          total: '0',
          ...row,
        })
        .execute();
    },
    /** Makes the months of events of these days. */
    async months(from: string, to: string) {
      await sql`select ops.ensure_event_partitions(${from}::date, ${to}::date)`.execute(db);
    },
    /** A user's day of an event, as the vendor counts it; `user` null is a visitor who was not identified. */
    async did(
      user: string | null,
      event: string,
      date: string,
      row: Partial<Insertable<Database['event_user_days']>> = {},
    ) {
      const distinctId = row.distinct_id ?? user ?? 'anonymous';
      await db
        .insertInto('event_user_days')
        .values({
          external_id: `posthog:${distinctId}:${event}`,
          date,
          source: 'posthog',
          distinct_id: distinctId,
          user_id: user,
          event,
          count: '1',
          first_at: `${date}T10:00:00Z`,
          last_at: row.first_at ?? `${date}T10:00:00Z`,
          ...row,
        })
        .execute();
    },
    /** A single event with its properties. */
    async event(
      event: string,
      date: string,
      properties: object,
      row: Partial<Insertable<Database['events']>> = {},
    ) {
      const user = row.user_id === undefined ? 'somebody' : row.user_id;
      await db
        .insertInto('events')
        .values({
          external_id: `posthog:${++serial}`,
          date,
          source: 'posthog',
          event,
          distinct_id: user ?? 'anonymous',
          user_id: user,
          occurred_at: `${date}T10:00:00Z`,
          properties: JSON.stringify(properties),
          ...row,
        })
        .execute();
    },
    async rate(quote: string, date: string, ratePerEur: string) {
      await db
        .insertInto('fx_rates')
        .values({ external_id: `ecb:${quote}`, date, quote, rate_per_eur: ratePerEur })
        .execute();
    },
    /** Covers the days `from` to `to` (inclusive) of accounts; `final` as if read when they could no longer change. */
    async cover(accounts: readonly NeededAccount[], from: string, to: string, final = false) {
      for (const { source, accountId, stream } of accounts)
        await sql`
          insert into ops.coverage (source, account_id, stream, day, read_at, final_at)
          select ${source}, ${accountId}, ${stream}, d::date, d + interval '40 days', d + ${final ? '29 days' : '99 days'}::interval
          from generate_series(${from}::timestamp, ${to}::timestamp, '1 day') d`.execute(db);
    },
    query<Row>(text: string) {
      return sql.raw<Row>(text).execute(db);
    },
    /** One stored row. */
    async metric(externalId: string, date = '2026-03-01'): Promise<StoredMetric | undefined> {
      return db
        .selectFrom('daily_metrics')
        .select(['value', 'numerator', 'denominator', 'status'])
        .where('external_id', '=', externalId)
        .where('date', '=', date)
        .executeTakeFirst();
    },
    /** One stored value as a number, for comparing with a worked example. */
    async value(externalId: string, date = '2026-03-01'): Promise<number | null | undefined> {
      const row = await world.metric(externalId, date);
      if (row === undefined) return undefined;
      return row.value === null ? null : Number(row.value);
    },
    async status(externalId: string, date = '2026-03-01'): Promise<string | undefined> {
      return (await world.metric(externalId, date))?.status;
    },
  };
  return world;
}

function writeOf(session: Session): MetricsOptions['write'] {
  return (work, options) => {
    const builder = session.db.transaction();
    return (options?.isolationLevel ? builder.setIsolationLevel(options.isolationLevel) : builder).execute(
      work,
    );
  };
}
