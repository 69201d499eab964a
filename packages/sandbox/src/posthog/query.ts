/** The query endpoint: runs a HogQL query of the request, with PostHog's limits, cache and faults around it. */
import type { Context } from 'hono';
import { z } from 'zod';

import type { VendorContext } from '../core.ts';
import { badQuery, PostHogFailure, readValue, refuseByFault } from './errors.ts';
import { parseSelect } from './hogql/parse.ts';
import { type Outcome, runSelect } from './hogql/run.ts';
import type { EventStore } from './store.ts';

const bodySchema = z.object({
  query: z.object({
    kind: z.literal('HogQLQuery'),
    query: z.string(),
    values: z.record(z.string(), z.union([z.string(), z.number(), z.array(z.string())])).default({}),
    modifiers: z
      .looseObject({ convertToProjectTimezone: z.boolean().default(true) })
      .default({ convertToProjectTimezone: true }),
  }),
  refresh: z.string().default('blocking'),
  name: z.string().default(''),
});
export type QueryRequest = z.infer<typeof bodySchema>;

/** What was asked, for tests. */
export interface AskedQuery {
  readonly name: string;
  readonly query: string;
  readonly values: Readonly<Record<string, unknown>>;
  readonly rows: number;
}

export interface QueryDesk {
  answer(c: Context): Promise<Response>;
  readonly asked: AskedQuery[];
}

/** Outcomes kept, of long stretches alone: an aggregate over a large world is asked again in every run. */
const KEPT = 4;
const LONG_HOURS = 48;
const spoilSchema = z.object({ set: z.record(z.string(), z.unknown()), rows: z.number().default(1) });

export function createQueryDesk(context: VendorContext, store: EventStore): QueryDesk {
  const asked: AskedQuery[] = [];
  const outcomes = new Map<string, { readonly version: string; readonly outcome: Outcome }>();

  function run(request: QueryRequest): { outcome: Outcome; wasKept: boolean } {
    const { query, values } = request.query;
    const key = JSON.stringify([query, values]);
    const { version } = store;
    const kept = outcomes.get(key);
    // Whoever does not ask for a fresh answer gets the old one, as at PostHog.
    if (kept !== undefined && (kept.version === version || request.refresh !== 'force_blocking'))
      return { outcome: kept.outcome, wasKept: true };
    const outcome = runSelect(
      parseSelect(query, values),
      store,
      context.clock.now().epochMilliseconds * 1000,
    );
    if (outcome.hours > LONG_HOURS && outcome.rows.length <= 5_000) outcomes.set(key, { version, outcome });
    for (const oldest of outcomes.keys()) if (outcomes.size > KEPT) outcomes.delete(oldest);
    return { outcome, wasKept: false };
  }

  return {
    asked,
    async answer(c) {
      const body = bodySchema.safeParse(await c.req.json().catch(() => undefined));
      if (!body.success) throw badQuery(z.prettifyError(body.error));
      const { query, refresh, name } = body.data;
      // A fault may be for queries of some name alone.
      const target = { account: c.req.param('project'), path: `${c.req.path} ${name}` };
      refuseByFault(context, target);
      const { outcome, wasKept } = run(body.data);
      refuseTooLarge(context, target, outcome);
      const rows = outcome.rows.map((row) => [...row]);
      const isCached = context.faults.take('posthog', 'cached_answer', target) !== undefined;
      spoil(context, target, outcome.columns, rows);
      const isCut = context.faults.take('posthog', 'truncated', target) !== undefined;
      if (isCut) rows.splice(Math.floor(rows.length / 2));
      asked.push({ name, query: query.query, values: query.values, rows: rows.length });
      return c.json({
        columns: outcome.columns,
        types: outcome.columns.map((column) => [column, 'String']),
        results: rows,
        hasMore: outcome.hasMore || isCut,
        limit: outcome.limit,
        hogql: query.query,
        timings: [],
        error: null,
        is_cached: isCached || (wasKept && refresh !== 'force_blocking'),
        last_refresh: context.clock.now().toString(),
      });
    },
  };
}

interface Target {
  readonly account: string | undefined;
  readonly path: string;
}

/** `too_large` with maxHours, maxRows or maxGroups: what is larger runs into PostHog's limits; without, everything does. */
function refuseTooLarge(context: VendorContext, target: Target, { hours, limit, groups }: Outcome): void {
  const fault = context.faults.take('posthog', 'too_large', target);
  if (fault === undefined) return;
  const { maxHours, maxRows, maxGroups, status = 504 } = readValue(fault.value);
  const isLarger =
    (maxHours ?? maxRows ?? maxGroups) === undefined ||
    hours > (maxHours ?? Infinity) ||
    limit > (maxRows ?? Infinity) ||
    groups > (maxGroups ?? Infinity);
  if (isLarger)
    throw new PostHogFailure(
      status,
      'server_error',
      'error',
      'Query has hit the max execution time before completing.',
    );
}

/** `invalid_record` sets cells of the first rows, `page_order` turns the rows round. */
function spoil(context: VendorContext, target: Target, columns: readonly string[], rows: unknown[][]): void {
  if (rows.length > 1) {
    if (context.faults.take('posthog', 'page_order', target) !== undefined) rows.reverse();
  }
  if (rows.length === 0) return;
  const fault = context.faults.take('posthog', 'invalid_record', target);
  const value = spoilSchema.safeParse(fault?.value).data;
  if (value === undefined) return;
  for (const row of rows.slice(0, value.rows))
    for (const [column, cell] of Object.entries(value.set)) {
      const at = columns.indexOf(column);
      if (at >= 0) row[at] = cell;
    }
}
