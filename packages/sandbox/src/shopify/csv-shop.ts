/**
 * A shop whose orders come from a CSV of order lines. Shopify knows returns only on orders, so each returned line finds
 * the order that it came from, or gets one of its own on the day before the file begins: the days of the file stay
 * what the file says, orders, sales and returns alike. README.md tells the rules.
 */
import { Temporal } from 'temporal-polyfill';

import { type CsvInvoice, type CsvLine, readInvoices } from './csv-lines.ts';
import type { ShopWorld, WorldLine, WorldOrder, WorldRefund, WorldRefundLine, WorldShop } from './shop.ts';

const timezone = 'Europe/London';
/** Ids of orders that the file lacks; invoice numbers are below. */
const firstMadeUpId = 100_000_000;
const linesPerOrder = 10_000;
const refundsPerInvoice = 1_000;

export interface CsvShop {
  readonly world: ShopWorld;
  readonly summary: CsvSummary;
}

export interface CsvSummary {
  readonly orders: number;
  readonly refunds: number;
  /** Returned lines whose order is in the file, and those that got an order on the day before. */
  readonly returnedLines: { readonly matched: number; readonly unmatched: number };
  /** Invoices or lines that Shopify can't have. */
  readonly skipped: readonly {
    readonly reason: string;
    readonly lines: number;
    readonly invoices: readonly string[];
  }[];
}

interface Sold {
  readonly order: WorldOrder;
  readonly line: WorldLine;
  left: number;
}

/** Reads the file at once. Throws when it is missing or malformed. */
export function readCsvShop(domain: string, path: string): CsvShop {
  const shop: WorldShop = {
    domain,
    name: domain.replace('.myshopify.com', ''),
    currency: 'GBP',
    timezone,
    taxesIncluded: false,
    bucket: { maximum: 20_000, restoreRate: 1_000 },
  };
  const invoices = readInvoices(path, timezone);
  const isReturn = (invoice: CsvInvoice): boolean => invoice.number.startsWith('C');
  const skipped = new Map<string, { lines: number; invoices: Set<string> }>();
  const keep = (invoice: CsvInvoice): CsvLine[] =>
    invoice.lines.filter((line) => {
      const reason = refusal(line, isReturn(invoice));
      if (reason === undefined) return true;
      const entry = skipped.get(reason) ?? { lines: 0, invoices: new Set() };
      entry.lines += 1;
      entry.invoices.add(invoice.number);
      skipped.set(reason, entry);
      return false;
    });

  const sold = new Map<string, Sold[]>();
  const orders: WorldOrder[] = [];
  let madeUp = 0;
  for (const invoice of invoices.filter((candidate) => !isReturn(candidate))) {
    const lines = keep(invoice);
    if (lines.length === 0) continue;
    const id = /^\d+$/.test(invoice.number) ? Number(invoice.number) : firstMadeUpId + (madeUp += 1);
    const order = orderOf(
      shop,
      { id, name: invoice.number, at: invoice.at, customerId: invoice.customerId },
      lines,
    );
    orders.push(order);
    for (const line of order.lines) {
      const key = returnKey(invoice.customerId, line.sku ?? '', line.unitPrice);
      sold.set(key, [...(sold.get(key) ?? []), { order, line, left: line.quantity }]);
    }
  }
  const dayBefore = noonBefore(invoices[0]?.at ?? 0);
  const refunds = new Map<number, WorldRefund[]>();
  let matched = 0;
  let unmatched = 0;
  for (const invoice of invoices.filter(isReturn)) {
    const byOrder = new Map<number, { line: WorldLine; quantity: number }[]>();
    const strays: CsvLine[] = [];
    for (const line of keep(invoice)) {
      const origin = findOrigin(sold, invoice, line);
      if (origin === undefined) {
        strays.push(line);
        continue;
      }
      matched += 1;
      origin.left += line.quantity;
      byOrder.set(origin.order.id, [
        ...(byOrder.get(origin.order.id) ?? []),
        { line: origin.line, quantity: -line.quantity },
      ]);
    }
    if (strays.length > 0) {
      unmatched += strays.length;
      const bought = strays.map((line) => ({ ...line, quantity: -line.quantity }));
      const identity = {
        id: firstMadeUpId + (madeUp += 1),
        name: `before ${invoice.number}`,
        at: dayBefore,
        customerId: null,
      };
      const order = orderOf(shop, identity, bought);
      orders.push(order);
      byOrder.set(
        order.id,
        order.lines.map((line) => ({ line, quantity: line.quantity })),
      );
    }
    for (const [place, [orderId, lines]] of [...byOrder].entries())
      refunds.set(orderId, [...(refunds.get(orderId) ?? []), refundOf(invoice, place, lines)]);
  }
  const complete = orders.map((order) => ({ ...order, refunds: refunds.get(order.id) ?? [] }));
  return {
    world: worldOf(shop, complete),
    summary: {
      orders: complete.length,
      refunds: [...refunds.values()].flat().length,
      returnedLines: { matched, unmatched },
      skipped: [...skipped].map(([reason, entry]) => ({
        reason,
        lines: entry.lines,
        invoices: [...entry.invoices],
      })),
    },
  };
}

/** The summary for people. */
export function describeCsvShop(domain: string, summary: CsvSummary): string {
  const { matched, unmatched } = summary.returnedLines;
  return [
    `${domain}: ${summary.orders} orders, ${summary.refunds} refunds from the CSV`,
    `  ${matched} returned lines belong to orders of the file, ${unmatched} to orders made up on the day before it begins`,
    ...summary.skipped.map(
      ({ reason, lines, invoices }) =>
        `  skipped ${lines} lines: ${reason} (${invoices.slice(0, 5).join(', ')}${invoices.length > 5 ? ', …' : ''})`,
    ),
  ].join('\n');
}

function refusal(line: CsvLine, isReturn: boolean): string | undefined {
  if (line.unitPrice < 0) return 'negative price';
  if (isReturn) return line.quantity < 0 ? undefined : 'a return of nothing or less';
  return line.quantity > 0 ? undefined : 'a sale of nothing or less';
}

function returnKey(customerId: number | null, stockCode: string, unitPrice: number): string {
  return JSON.stringify([customerId, stockCode, unitPrice]);
}

/** The customer's latest earlier order with this article at this price and enough of it left. */
function findOrigin(sold: ReadonlyMap<string, Sold[]>, invoice: CsvInvoice, line: CsvLine): Sold | undefined {
  if (invoice.customerId === null) return undefined;
  return sold
    .get(returnKey(invoice.customerId, line.stockCode, line.unitPrice))
    ?.findLast((candidate) => candidate.order.createdAt <= invoice.at && candidate.left >= -line.quantity);
}

interface Identity {
  readonly id: number;
  readonly name: string;
  readonly at: number;
  readonly customerId: number | null;
}

function orderOf(shop: WorldShop, identity: Identity, lines: readonly CsvLine[]): WorldOrder {
  return {
    id: identity.id,
    name: identity.name,
    createdAt: identity.at,
    processedAt: identity.at,
    paidAt: identity.at,
    fulfilledAt: null,
    cancelledAt: null,
    isVoided: false,
    isTest: false,
    customerId: identity.customerId,
    presentment: { currency: shop.currency, rate: 1 },
    sourceName: 'web',
    channel: { handle: 'online_store', displayName: 'Online Store' },
    visit: null,
    discountCode: null,
    lines: lines.map((line, index) => ({
      id: identity.id * linesPerOrder + index,
      sku: line.stockCode,
      title: line.description,
      productId: null,
      variantId: null,
      quantity: line.quantity,
      unitPrice: line.unitPrice,
      discount: 0,
      tax: 0,
      taxRate: 0,
      isGiftCard: false,
    })),
    shipping: [],
    refunds: [],
    edits: [],
    attributedAt: identity.at,
    deletedAt: null,
  };
}

function refundOf(
  invoice: CsvInvoice,
  place: number,
  lines: readonly { readonly line: WorldLine; readonly quantity: number }[],
): WorldRefund {
  const id = Number(invoice.number.replaceAll(/\D/g, '')) * refundsPerInvoice + place;
  const refundLines: WorldRefundLine[] = lines.map(({ line, quantity }, index) => ({
    id: id * linesPerOrder + index,
    line,
    quantity,
    subtotal: line.unitPrice * quantity,
    tax: 0,
  }));
  const total = refundLines.reduce((sum, line) => sum + line.subtotal, 0);
  return { id, at: invoice.at, lines: refundLines, shipping: null, total };
}

function worldOf(shop: WorldShop, orders: readonly WorldOrder[]): ShopWorld {
  const byId = new Map(orders.map((order) => [order.id, order]));
  const byRefund = new Map(
    orders.flatMap((order) => order.refunds.map((refund) => [refund.id, { order, refund }])),
  );
  return {
    shop,
    candidates: (_ranges, now) => orders.filter((order) => order.createdAt <= now),
    order: (id) => byId.get(id),
    refund: (id) => byRefund.get(id),
  };
}

function noonBefore(at: number): number {
  const day = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timezone).toPlainDate();
  return day.subtract({ days: 1 }).toZonedDateTime({ timeZone: timezone, plainTime: '12:00' })
    .epochMilliseconds;
}
