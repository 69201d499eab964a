/**
 * Shopify's own figures of whole days, to compare with what is stored: how many orders there are, and what its sales
 * report says where the app may read it. The report's days are the shop's, so that they compare only where that is the
 * reporting zone too; it leaves test orders out, which are stored, so these are added to it.
 */
import { Decimal } from 'decimal.js';
import { z } from 'zod';

import type { Io } from '@floyo/shared/connector';
import { PipelineError } from '@floyo/shared/errors';
import { addDays, type Day, type DayWindow, listDays } from '@floyo/shared/window';

import { countOrders } from './count-orders.ts';
import { ordersOf, refuseHiddenDays } from './days.ts';
import { reportQuery } from './queries.ts';
import { readOrders } from './read-orders.ts';
import type { ShopifySession } from './session.ts';
import { orderRecordSchema } from './streams/order-record.ts';
import { toOrderRows } from './streams/order-rows.ts';

const MEASURES = ['gross_sales', 'discounts'] as const;
type Measure = (typeof MEASURES)[number];
type Amounts = Partial<Record<Measure, string>>;

const reportSchema = z.object({
  shopifyqlQuery: z
    .object({
      parseErrors: z.array(z.string()),
      tableData: z
        .object({
          columns: z.array(z.object({ name: z.string() })),
          rows: z.array(z.union([z.record(z.string(), z.unknown()), z.array(z.unknown())])),
        })
        .nullable(),
    })
    .nullable(),
});

/** Every day of the window with its `rows`, and with amounts where they can be compared. */
export async function readTotals(
  session: ShopifySession,
  window: DayWindow,
  io: Io,
): Promise<ReadonlyMap<Day, Readonly<Record<string, string>>>> {
  refuseHiddenDays(session, window, io);
  const totals = new Map<Day, Record<string, string>>();
  const days = listDays(window);
  const counts = await countOrders(
    session,
    days.map((day) => ({ from: day, to: addDays(day, 1) })),
    io,
  );
  for (const [index, day] of days.entries()) totals.set(day, { rows: String(counts[index]) });
  if (!session.readsReports || session.timezone !== io.reporting.timezone) return totals;
  const report = await readReport(session, window, io);
  for (const [day, amounts] of report ?? []) Object.assign(totals.get(day) ?? {}, amounts);
  return totals;
}

/** Undefined when Shopify does not give the report: what is compared is less then, and nothing fails. */
async function readReport(
  session: ShopifySession,
  window: DayWindow,
  io: Io,
): Promise<Map<Day, Amounts> | undefined> {
  const text = `FROM sales SHOW gross_sales, discounts TIMESERIES day SINCE ${window.from} UNTIL ${addDays(window.to, -1)}`;
  const query = { operation: 'Report', document: reportQuery, variables: { query: text } };
  try {
    const { shopifyqlQuery: report } = await session.client.ask(io, query, reportSchema);
    if (report?.tableData == null || report.parseErrors.length > 0) {
      io.log.warn({ shop: session.id, errors: report?.parseErrors }, 'Shopify did not understand the report');
      return undefined;
    }
    const columns = report.tableData.columns.map((column) => column.name);
    const rows = report.tableData.rows.map((row) =>
      Array.isArray(row) ? Object.fromEntries(columns.map((name, index) => [name, row[index]])) : row,
    );
    const tests = await readTestOrders(session, window, io);
    return new Map(
      listDays(window).map((day) => {
        const told = rows.find((row) => String(row['day']).startsWith(day)) ?? {};
        const add = (measure: Measure): string =>
          // Discounts are negative in the report.
          amountOf(told[measure])
            .abs()
            .plus(tests.get(day)?.[measure] ?? 0)
            .toFixed();
        const grossSales = add('gross_sales');
        // Where prices include tax the cents of it are rounded elsewhere, which is much of a small discount.
        return [
          day,
          session.taxesIncluded
            ? { gross_sales: grossSales }
            : { gross_sales: grossSales, discounts: add('discounts') },
        ];
      }),
    );
  } catch (error) {
    if (!(error instanceof PipelineError) || error.type !== 'permission') throw error;
    io.log.warn({ shop: session.id }, 'the app may not read the sales report; only orders are counted');
    return undefined;
  }
}

function amountOf(value: unknown): Decimal {
  return new Decimal(typeof value === 'string' || typeof value === 'number' ? value : 0);
}

async function readTestOrders(
  session: ShopifySession,
  window: DayWindow,
  io: Io,
): Promise<Map<Day, Record<string, Decimal>>> {
  const sums = new Map<Day, Record<string, Decimal>>();
  const search = { query: `${ordersOf(window, io)} AND test:true`, sortKey: 'PROCESSED_AT' } as const;
  for await (const page of readOrders(session, search, io))
    for (const record of page) {
      const parsed = orderRecordSchema.safeParse(record);
      const row = parsed.success ? toOrderRows(parsed.data, session.id, io.reporting).orders?.[0] : undefined;
      if (row === undefined) continue;
      const day = row.date;
      const before = sums.get(day) ?? {};
      sums.set(
        day,
        Object.fromEntries(
          MEASURES.map((measure) => [measure, (before[measure] ?? new Decimal(0)).plus(row[measure])]),
        ),
      );
    }
  return sums;
}
