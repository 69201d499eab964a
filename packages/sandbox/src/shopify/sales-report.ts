/**
 * Shopify's own sales report as its query language gives it: gross sales and discounts for each day of the shop, without
 * test and deleted orders, gift cards and tax; discounts are negative. Understands the one query that it documents.
 */
import { Temporal } from 'temporal-polyfill';

import { decimalText, roundToCents } from './money.ts';
import { type RequestScope, requireScope } from './scope.ts';
import type { WorldOrder } from './shop.ts';

const dayMs = 86_400_000;
const pattern =
  /^FROM sales SHOW gross_sales, discounts TIMESERIES day SINCE (\d{4}-\d{2}-\d{2}) UNTIL (\d{4}-\d{2}-\d{2})$/;

/** Also of orders that the app may not see. */
export function salesReport(text: string, scope: RequestScope): unknown {
  requireScope(scope, 'read_reports', 'shopifyqlQuery');
  const match = pattern.exec(text);
  if (match === null)
    return { parseErrors: [`The sandbox does not understand: ${text}`], parseWarnings: [], tableData: null };
  const { world, now } = scope;
  const first = Temporal.PlainDate.from(match[1] ?? '');
  const last = Temporal.PlainDate.from(match[2] ?? '');
  const start = (day: Temporal.PlainDate): number =>
    day.toZonedDateTime(world.shop.timezone).epochMilliseconds;
  const from = start(first);
  const to = start(last.add({ days: 1 }));
  const orders = world
    .candidates([{ field: 'processed_at', from: from - dayMs, to: to + dayMs }], now)
    .filter((order) => !order.isTest && (order.deletedAt === null || order.deletedAt > now));
  const rows: unknown[] = [];
  for (let day = first; Temporal.PlainDate.compare(day, last) <= 0; day = day.add({ days: 1 })) {
    const [begin, end] = [start(day), start(day.add({ days: 1 }))];
    const sales = orders
      .filter((order) => order.processedAt >= begin && order.processedAt < end)
      .map(salesOf);
    const sum = (pick: (sale: { gross: number; net: number }) => number): string =>
      decimalText(roundToCents(sales.reduce((total, sale) => total + pick(sale), 0)));
    rows.push({
      day: day.toString(),
      gross_sales: sum(({ gross }) => gross),
      discounts: sum(({ gross, net }) => net - gross),
    });
  }
  return {
    parseErrors: [],
    parseWarnings: [],
    tableData: {
      columns: ['day', 'gross_sales', 'discounts'].map((name) => ({
        name,
        displayName: name,
        shortDisplayName: name,
        dataType: name === 'day' ? 'DAY_TIMESTAMP' : 'MONEY',
        columnOrigin: 'REQUESTED',
      })),
      rows,
    },
  };

  function salesOf(order: WorldOrder): { gross: number; net: number } {
    const lines = order.lines.filter((line) => !line.isGiftCard);
    const parts = lines.map((line) => {
      const gross = line.unitPrice * line.quantity;
      const paid = gross - line.discount;
      const untaxed = world.shop.taxesIncluded ? 1 / (1 + line.taxRate) : 1;
      return { gross: gross * untaxed, net: world.shop.taxesIncluded ? paid - line.tax : paid };
    });
    return {
      gross: parts.reduce((sum, part) => sum + part.gross, 0),
      net: parts.reduce((sum, part) => sum + part.net, 0),
    };
  }
}
