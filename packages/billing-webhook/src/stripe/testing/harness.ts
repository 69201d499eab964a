/** For tests: a database of its own and the connector on a Stripe in memory. */
import { sql } from 'kysely';
import { afterAll, beforeAll } from 'vitest';

import { stripeKey } from '@floyo/sandbox/stripe/access';
import type { AnyConnector } from '@floyo/shared/connector';
import { connect, type Session } from '@floyo/shared/db';
import type { AgentResult } from '@floyo/shared/ledger';
import { createTestDatabase } from '@floyo/shared/testing/database';
import { runTestSource, type TestRunOptions } from '@floyo/shared/testing/test-run';

import { encodeChange } from '../../mapping/encode-change.ts';
import { mapEvent } from '../../mapping/map-event.ts';
import type { Timing } from '../client.ts';
import { createStripe } from '../index.ts';
import { openStripe } from '../session.ts';
import { type MiniStripe, startMiniStripe } from './mini-stripe.ts';

/** The sandbox's; the Stripe in memory takes any. */
export const LIVE_KEY = stripeKey;
/** Pacing has tests of its own. */
const FAST: Timing = {
  pauses: { rateLimitMs: 1, lockMs: 1 },
  pacer: { claim: () => 0, take: () => Promise.resolve() },
};

export interface Harness extends AsyncDisposable {
  readonly session: Session;
  readonly databaseUrl: string;
  /** The Stripe of the test that is running. */
  readonly mini: MiniStripe;
  /** Another Stripe, as of an instant, and empty tables. */
  reset(now: string): Promise<MiniStripe>;
  /** What a scheduled run does, as of the Stripe's now. */
  run(options?: Partial<TestRunOptions> & { readonly url?: string }): Promise<AgentResult>;
  /** What a backfill of the days does, the last one included. */
  backfill(
    from: string,
    to: string,
    options?: Partial<TestRunOptions> & { readonly url?: string },
  ): Promise<AgentResult>;
  /** What the webhook does with an event. */
  deliver(event: unknown): Promise<string>;
  /** `date status mrr` of every row of a subscription, reconstructed ones with a `*`. */
  history(id: string): Promise<string[]>;
  /** The state tables as they stand, without who wrote the rows when. */
  contents(): Promise<unknown>;
  warnings: string[];
}

const TABLES = ['subscriptions', 'invoices', 'payments', 'billing_objects', 'billing_events'] as const;

/** For the top of a test file: a harness for all its tests, which `assign` is given. */
export function useHarness(assign: (harness: Harness) => void): void {
  let harness: Harness;
  beforeAll(async () => {
    harness = await startHarness();
    assign(harness);
  });
  afterAll(() => harness[Symbol.asyncDispose]());
}

export async function startHarness(): Promise<Harness> {
  await using cleanup = new AsyncDisposableStack();
  const database = await createTestDatabase();
  cleanup.defer(() => database.drop());
  const session = await connect(database.url);
  cleanup.defer(() => session.end());
  let mini: MiniStripe | undefined;
  cleanup.defer(() => mini?.close());
  const current = (): MiniStripe => {
    if (mini === undefined) throw new Error('reset makes the Stripe first');
    return mini;
  };
  const connectorAt = (url: string): AnyConnector => ({
    ...createStripe(),
    open: (_config: unknown, accountId: string, io: Parameters<typeof openStripe>[2]) =>
      openStripe({ secretKey: LIVE_KEY, baseUrl: url }, accountId, io, FAST),
  });
  const owned = cleanup.move();
  const harness: Harness = {
    session,
    databaseUrl: database.url,
    warnings: [],
    get mini() {
      return current();
    },
    async reset(now) {
      await mini?.close();
      mini = await startMiniStripe(now);
      harness.warnings = [];
      await sql`truncate ${sql.join([...TABLES.map((table) => sql.table(table)), sql.table('ops.billed_periods')])},
        ops.runs, ops.coverage, ops.errors, ops.agent_state, ops.rejected_records cascade`.execute(
        session.db,
      );
      return mini;
    },
    async run({ url, ...options } = {}) {
      const [result] = await runTestSource(database.url, connectorAt(url ?? current().url), {
        now: current().now,
        warn: (message) => harness.warnings.push(message),
        ...options,
      });
      if (result === undefined) throw new Error('there is no result');
      return result;
    },
    async backfill(from, to, { url, ...options } = {}) {
      const end = new Date(Date.parse(to) + 86_400_000).toISOString().slice(0, 10);
      const [result] = await runTestSource(database.url, connectorAt(url ?? current().url), {
        now: current().now,
        kind: 'backfill',
        work: { kind: 'backfill', window: { from, to: end } },
        warn: (message) => harness.warnings.push(message),
        ...options,
      });
      if (result === undefined) throw new Error('there is no result');
      return result;
    },
    async deliver(event) {
      const { rows } = await sql<{ result: string }>`
        select public.stripe_apply(${encodeChange(mapEvent(event))}::jsonb) as result`.execute(session.db);
      return rows[0]?.result ?? '';
    },
    async history(id) {
      const { rows } = await sql<{ line: string }>`
        select concat_ws(' ', date, status, coalesce(trim_scale(mrr)::text, '?'), case when reconstructed then '*' end) as line
        from subscriptions where external_id = ${`stripe:${id}`} order by date`.execute(session.db);
      return rows.map(({ line }) => line);
    },
    async contents() {
      const tables: Record<string, unknown[]> = {};
      for (const table of TABLES) {
        const { rows } = await sql<{ row: unknown }>`
          select to_jsonb(t) - 'synced_at' - 'run_id' - 'received_at' as row from ${sql.table(table)} t order by external_id, date`.execute(
          session.db,
        );
        tables[table] = rows.map(({ row }) => row);
      }
      return tables;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
  return harness;
}
