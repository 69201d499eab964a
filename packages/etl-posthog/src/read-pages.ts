/**
 * Pages by key: each begins after the last row of the one before, as PostHog returned it, because only PostHog knows its
 * order (it sorts UUIDs by their second half). A query that is too large is asked again for half as many
 * rows.
 */
import { PipelineError } from '@floyo/shared/errors';
import type { DayWindow } from '@floyo/shared/window';

import type { CallIo, PostHogClient, Query, Row, Values } from './client.ts';

/** Rows of a page at first. */
const FIRST_LIMIT = 10_000;
/** Below this many rows it is not the rows. */
const LEAST_LIMIT = 300;

export interface PagedQuery {
  readonly name: string;
  readonly columns: readonly string[];
  readonly values: Values;
  /** The query, `after` standing where the condition on the key belongs; without LIMIT. */
  readonly sql: (after: string) => string;
  /** The condition that a row comes after the last one of the page before, and its values. */
  readonly after: (last: Row) => { readonly sql: string; readonly values: Values };
  /** Below 0 when the first row comes before the second, above when after, 0 when they can't be told apart. */
  readonly compare: (left: Row, right: Row) => number;
  /** Whether this failure is met by fewer rows; otherwise it is thrown at once. */
  readonly halves: (error: unknown) => boolean;
}

/**
 * Every row of the query, a page at a time.
 * @throws PipelineError (contract) when rows come out of order: a page's end would not be where the next one begins.
 */
export async function* readPages(
  client: PostHogClient,
  io: CallIo,
  paged: PagedQuery,
): AsyncGenerator<Row[]> {
  let limit = FIRST_LIMIT;
  let last: Row | undefined;
  for (;;) {
    const after = last === undefined ? { sql: '', values: {} } : paged.after(last);
    const query: Query = {
      name: paged.name,
      columns: paged.columns,
      sql: paged.sql(after.sql),
      values: { ...paged.values, ...after.values },
      limit,
    };
    let page: Row[];
    try {
      page = await client.query(io, query);
    } catch (error) {
      if (!paged.halves(error) || limit <= LEAST_LIMIT) throw error;
      limit = Math.max(LEAST_LIMIT, Math.floor(limit / 2));
      continue;
    }
    refuseDisorder(paged, page, last);
    if (page.length > 0) yield page;
    // Only a page that is not full is the last one, whatever else the answer says.
    if (page.length < limit) return;
    last = page.at(-1);
  }
}

function refuseDisorder({ name, compare }: PagedQuery, page: readonly Row[], before: Row | undefined): void {
  let last = before;
  for (const row of page) {
    if (last !== undefined && compare(last, row) > 0)
      throw new PipelineError({
        type: 'contract',
        message: `PostHog's rows of ${name} do not come in the order that was asked for`,
        advice: 'Nothing of these days was loaded: pages that are not in order may leave rows out.',
      });
    last = row;
  }
}

/** Rows of other days than were asked for would stay when their day is replaced. */
export function refuseOtherDays(page: readonly Row[], window: DayWindow): void {
  const other = page.find(({ day }) => typeof day === 'string' && (day < window.from || day >= window.to));
  if (other !== undefined)
    throw new PipelineError({
      type: 'contract',
      message: `PostHog tells events of ${String(other['day'])} for ${window.from} to ${window.to}`,
      advice: 'PostHog begins that day at another instant than this pipeline: `floyo doctor` looks into it.',
      context: { window },
    });
}

/** The order of bytes, which is ClickHouse's of texts. */
export function compareText(left: unknown, right: unknown): number {
  const [a, b] = [String(left), String(right)];
  if (a === b) return 0;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
