/** Order records to rows: money with and without included tax, refunds, cancellations, days. */
import { describe, expect, it } from 'vitest';

import { type OrderRecord, orderRecordSchema } from './order-record.ts';
import { toOrderRows } from './order-rows.ts';

type Money = OrderRecord['totalPriceSet'];
const shop = 'floyo-eu.myshopify.com';
const reporting = { timezone: 'Europe/Berlin', currency: 'EUR' };

function money(amount: string, currencyCode = 'EUR'): Money {
  return { shopMoney: { amount, currencyCode } };
}

interface LineFacts {
  readonly total: string;
  readonly quantity?: number;
  readonly currentQuantity?: number;
  readonly discounts?: readonly string[];
  readonly tax?: string;
  readonly rate?: number;
  readonly isGiftCard?: boolean;
}

let lastId = 0;
function line(facts: LineFacts): OrderRecord['lineItems'][number] {
  lastId += 1;
  return {
    id: `gid://shopify/LineItem/${lastId}`,
    sku: 'SKU',
    title: 'Thing',
    quantity: facts.quantity ?? 1,
    currentQuantity: facts.currentQuantity ?? facts.quantity ?? 1,
    isGiftCard: facts.isGiftCard ?? false,
    product: { id: 'gid://shopify/Product/71' },
    variant: null,
    originalTotalSet: money(facts.total),
    discountAllocations: (facts.discounts ?? []).map((amount) => ({ allocatedAmountSet: money(amount) })),
    taxLines: facts.tax === undefined ? [] : [{ rate: facts.rate ?? null, priceSet: money(facts.tax) }],
  };
}

function refund(
  id: number,
  lines: readonly {
    subtotal: string;
    tax?: string;
    isGiftCard?: boolean;
    lineId?: string;
    quantity?: number;
  }[],
  rest: Partial<OrderRecord['refunds'][number]> = {},
): OrderRecord['refunds'][number] {
  return {
    id: `gid://shopify/Refund/${id}`,
    createdAt: '2026-11-10T10:00:00Z',
    processedAt: '2026-11-10T10:00:00Z',
    totalRefundedSet: money('0.0'),
    refundLineItems: lines.map(({ subtotal, tax = '0.0', isGiftCard = false, lineId, quantity = 1 }) => ({
      quantity,
      lineItem: { id: lineId ?? 'gid://shopify/LineItem/0', isGiftCard },
      subtotalSet: money(subtotal),
      totalTaxSet: money(tax),
    })),
    refundShippingLines: [],
    ...rest,
  };
}

function order(facts: Partial<OrderRecord>): OrderRecord {
  return orderRecordSchema.parse({
    id: 'gid://shopify/Order/5001',
    name: '#1001',
    createdAt: '2026-11-01T22:30:00Z',
    processedAt: '2026-11-01T23:30:00Z',
    updatedAt: '2026-11-02T08:00:00Z',
    cancelledAt: null,
    test: false,
    edited: false,
    attributionGivenUp: false,
    displayFinancialStatus: 'PAID',
    currencyCode: 'EUR',
    taxesIncluded: false,
    sourceName: 'web',
    attribution: { handle: 'online_store' },
    customer: { id: 'gid://shopify/Customer/9001' },
    customerJourneySummary: null,
    totalPriceSet: money('0.0'),
    totalTaxSet: money('0.0'),
    totalRefundedSet: money('0.0'),
    shippingLines: [],
    lineItems: [],
    refunds: [],
    edits: [],
    ...facts,
  });
}

function rowsOf(facts: Partial<OrderRecord>): {
  order: Record<string, unknown>;
  items: readonly object[];
  refunds: readonly object[];
} {
  const { orders = [], order_items: items = [], refunds = [] } = toOrderRows(order(facts), shop, reporting);
  return { order: { ...orders[0] }, items, refunds };
}

describe('an order', () => {
  it('lies on the business day of processed_at, with plain ids and its own currency', () => {
    const { order: row } = rowsOf({});
    expect(row).toMatchObject({
      external_id: 'shopify:5001',
      // 23:30 UTC is past midnight in Berlin.
      date: '2026-11-02',
      source: 'shopify',
      shop,
      customer_id: '9001',
      currency: 'EUR',
      channel: 'online_store',
    });
  });

  it('adds lines exactly and leaves gift cards out of sales', () => {
    const lineItems = [
      line({ total: '0.1', quantity: 2 }),
      line({ total: '0.2', discounts: ['0.05', '0.01'] }),
      line({ total: '50.0', isGiftCard: true }),
    ];
    const { order: row, items } = rowsOf({
      lineItems,
      totalTaxSet: money('0.02'),
      totalPriceSet: money('50.26'),
    });
    expect(row).toMatchObject({
      gross_sales: '0.3',
      discounts: '0.06',
      taxes: '0.02',
      total: '50.26',
      item_count: 4,
    });
    expect(items).toMatchObject([
      {
        quantity: 2,
        gross_sales: '0.1',
        discounts: '0',
        product_id: '71',
        variant_id: null,
        order_external_id: 'shopify:5001',
      },
      { gross_sales: '0.2', discounts: '0.06' },
      { gross_sales: '50', is_gift_card: true },
    ]);
  });

  it('takes included tax out of value, discount and shipping (119.00 less 10 % at 19 %: 100 and 10)', () => {
    const { order: row } = rowsOf({
      taxesIncluded: true,
      lineItems: [line({ total: '119.0', quantity: 2, discounts: ['11.9'], tax: '17.1', rate: 0.19 })],
      shippingLines: [{ discountedPriceSet: money('5.95'), taxLines: [{ priceSet: money('0.95') }] }],
      totalTaxSet: money('18.05'),
      totalPriceSet: money('113.05'),
    });
    expect(row).toMatchObject({
      gross_sales: '100',
      discounts: '10',
      shipping: '5',
      taxes: '18.05',
      total: '113.05',
    });
  });

  it('keeps net sales, shipping and taxes equal to the total where a tax was rounded', () => {
    const { order: row } = rowsOf({
      taxesIncluded: true,
      lineItems: [line({ total: '19.99', discounts: ['3.0'], tax: '2.71', rate: 0.19 })],
      totalTaxSet: money('2.71'),
      totalPriceSet: money('16.99'),
    });
    expect(Number(row['gross_sales']) - Number(row['discounts']) + Number(row['taxes'])).toBeCloseTo(
      16.99,
      10,
    );
    expect(Number(row['discounts'])).toBeCloseTo(3 / 1.19, 2);
  });

  it('takes the tax out of a line that was given away by its rate', () => {
    const { order: row } = rowsOf({
      taxesIncluded: true,
      lineItems: [line({ total: '11.9', discounts: ['11.9'], tax: '0.0', rate: 0.19 })],
    });
    expect(row).toMatchObject({ gross_sales: '10', discounts: '10' });
  });

  it('keeps a voided, a test and a guest order, and one without a status', () => {
    expect(rowsOf({ displayFinancialStatus: 'VOIDED', test: true, customer: null }).order).toMatchObject({
      financial_status: 'VOIDED',
      test: true,
      customer_id: null,
    });
    expect(
      rowsOf({ displayFinancialStatus: null, totalTaxSet: null, attribution: null, sourceName: 'pos' }).order,
    ).toMatchObject({
      financial_status: null,
      taxes: '0',
      channel: 'pos',
    });
  });

  it('is attributed to the last visit, else the first, without what addresses carry along', () => {
    const utm = (source: string): { source: string; medium: string; campaign: null } => ({
      source,
      medium: 'cpc',
      campaign: null,
    });
    const first = { landingPage: 'https://a.example/first', utmParameters: utm('first') };
    const last = {
      landingPage: 'https://a.example/sale?email=x@example.com#top',
      utmParameters: utm('last'),
    };
    expect(
      rowsOf({ customerJourneySummary: { ready: true, firstVisit: first, lastVisit: last } }).order,
    ).toMatchObject({
      landing_page: 'https://a.example/sale',
      utm_source: 'last',
      utm_medium: 'cpc',
      utm_campaign: null,
    });
    expect(
      rowsOf({ customerJourneySummary: { ready: true, firstVisit: first, lastVisit: null } }).order,
    ).toMatchObject({
      utm_source: 'first',
    });
  });

  it('waits for an attribution that is not there yet, until it is given up', () => {
    const waiting = { ready: false, firstVisit: null, lastVisit: null };
    expect(rowsOf({ customerJourneySummary: waiting }).order).toMatchObject({ attribution_ready: false });
    expect(rowsOf({ customerJourneySummary: { ...waiting, ready: true } }).order).toMatchObject({
      attribution_ready: true,
    });
    expect(rowsOf({ customerJourneySummary: null }).order).toMatchObject({ attribution_ready: true });
    expect(rowsOf({ customerJourneySummary: waiting, attributionGivenUp: true }).order).toMatchObject({
      attribution_ready: true,
    });
  });

  it('is rejected when a line, or all of them, have more units than a column holds', () => {
    const most = line({ total: '0.0', quantity: 2_147_483_647 });
    expect(rowsOf({ lineItems: [most] }).order).toMatchObject({ item_count: 2_147_483_647 });
    expect(() => rowsOf({ lineItems: [line({ total: '0.0', quantity: 3_000_000_000 })] })).toThrow(
      '<=2147483647',
    );
    expect(() => rowsOf({ lineItems: [most, line({ total: '0.0' })] })).toThrow('more units than');
  });

  it('is rejected when its amounts are of two currencies', () => {
    expect(() => rowsOf({ totalPriceSet: money('1.0', 'USD') })).toThrow(
      'an amount is in USD, the order in EUR',
    );
  });
});

describe('a refund', () => {
  it('gives goods back on the day it was processed, apart from its cash', () => {
    const { refunds } = rowsOf({
      lineItems: [line({ total: '30.0' })],
      refunds: [
        refund(
          4001,
          [
            { subtotal: '20.0', tax: '3.8' },
            { subtotal: '50.0', isGiftCard: true },
          ],
          {
            totalRefundedSet: money('23.0'),
            refundShippingLines: [{ subtotalAmountSet: money('4.0'), taxAmountSet: money('0.76') }],
          },
        ),
        refund(4002, [], {
          processedAt: null,
          createdAt: '2026-11-11T23:30:00Z',
          totalRefundedSet: money('5.0'),
        }),
      ],
    });
    expect(refunds).toEqual([
      {
        external_id: 'shopify:4001',
        date: '2026-11-10',
        processed_at: '2026-11-10T10:00:00Z',
        order_external_id: 'shopify:5001',
        currency: 'EUR',
        returns: '20',
        shipping: '4',
        taxes: '4.56',
        total: '23',
      },
      expect.objectContaining({ external_id: 'shopify:4002', date: '2026-11-12', returns: '0', total: '5' }),
    ]);
  });

  it('is without tax where prices include it', () => {
    const { refunds } = rowsOf({
      taxesIncluded: true,
      refunds: [
        refund(1, [{ subtotal: '107.1', tax: '17.1' }], {
          refundShippingLines: [{ subtotalAmountSet: money('5.95'), taxAmountSet: money('0.95') }],
        }),
      ],
    });
    expect(refunds).toMatchObject([{ returns: '90', shipping: '5', taxes: '18.05' }]);
  });

  it('without any date rejects its order', () => {
    expect(() => rowsOf({ refunds: [refund(7, [], { processedAt: null, createdAt: null })] })).toThrow(
      'refund 7 has no date',
    );
  });
});

describe('a cancellation', () => {
  const sold = {
    cancelledAt: '2026-11-03T23:30:00Z',
    lineItems: [line({ total: '40.0', discounts: ['4.0'], tax: '3.6' })],
    shippingLines: [{ discountedPriceSet: money('5.0'), taxLines: [] }],
    totalTaxSet: money('3.6'),
  };

  it('reverses on its day what no refund has given back', () => {
    expect(rowsOf(sold).refunds).toEqual([
      {
        external_id: 'shopify:cancel:5001',
        date: '2026-11-04',
        processed_at: '2026-11-03T23:30:00Z',
        order_external_id: 'shopify:5001',
        currency: 'EUR',
        returns: '36',
        shipping: '5',
        taxes: '3.6',
        total: '0',
      },
    ]);
    const partly = rowsOf({ ...sold, refunds: [refund(1, [{ subtotal: '16.0', tax: '1.6' }])] }).refunds;
    expect(partly).toMatchObject([
      { returns: '16' },
      { external_id: 'shopify:cancel:5001', returns: '20', shipping: '5', taxes: '2' },
    ]);
  });

  it('that was refunded whole needs no reversal', () => {
    const whole = refund(1, [{ subtotal: '36.0', tax: '3.6' }], {
      refundShippingLines: [{ subtotalAmountSet: money('5.0'), taxAmountSet: money('0.0') }],
    });
    expect(rowsOf({ ...sold, refunds: [whole] }).refunds).toHaveLength(1);
  });
});

describe('an edit', () => {
  const sale = (
    lineId: string,
    facts: Partial<OrderRecord['edits'][number]['sales'][number]>,
  ): OrderRecord['edits'][number]['sales'][number] => ({
    id: 'gid://shopify/Sale/1',
    actionType: 'RETURN',
    lineType: 'PRODUCT',
    quantity: -1,
    totalAmount: money('-113.0'),
    totalTaxAmount: money('-13.0'),
    lineItem: { id: lineId },
    ...facts,
  });
  const editOf = (...sales: OrderRecord['edits'][number]['sales']): OrderRecord['edits'][number] => ({
    id: 'gid://shopify/SalesAgreement/88',
    happenedAt: '2026-11-04T23:30:00Z',
    sales,
  });
  // As recorded from a shop: the line and the total stay as ordered, 2 × 100 and 26 tax.
  const thing = line({ total: '200.0', quantity: 2, currentQuantity: 1, tax: '26.0' });
  const edited = {
    edited: true,
    lineItems: [thing],
    totalTaxSet: money('26.0'),
    totalPriceSet: money('226.0'),
  };

  it('that takes a unit off is a return of its day without cash; the order stays as ordered', () => {
    const { order: row, items, refunds } = rowsOf({ ...edited, edits: [editOf(sale(thing.id, {}))] });
    expect(row).toMatchObject({ gross_sales: '200', taxes: '26', total: '226', item_count: 2 });
    expect(items).toMatchObject([{ quantity: 2 }]);
    expect(refunds).toEqual([
      {
        external_id: 'shopify:edit:88',
        date: '2026-11-05',
        processed_at: '2026-11-04T23:30:00Z',
        order_external_id: 'shopify:5001',
        currency: 'EUR',
        returns: '100',
        shipping: '0',
        taxes: '13',
        total: '0',
      },
    ]);
  });

  it('counts nothing of what it adds, of changed prices, of shipping and of gift cards', () => {
    const edits = [
      editOf(
        sale(thing.id, { actionType: 'ORDER', quantity: 1 }),
        sale(thing.id, { actionType: 'UPDATE', quantity: 0 }),
        sale(thing.id, { lineType: 'SHIPPING', lineItem: null, quantity: null }),
        sale(thing.id, { lineType: 'GIFT_CARD', totalTaxAmount: money('0.0') }),
      ),
    ];
    const whole = { ...thing, currentQuantity: 2 };
    expect(rowsOf({ ...edited, lineItems: [whole], edits }).refunds).toEqual([]);
  });

  it('that no agreement tells of is valued by its line, on the day of the last change', () => {
    const discounted = line({
      total: '200.0',
      quantity: 4,
      currentQuantity: 1,
      discounts: ['20.0'],
      tax: '18.0',
    });
    const { refunds } = rowsOf({
      ...edited,
      lineItems: [discounted],
      updatedAt: '2026-11-06T12:00:00Z',
      edits: [editOf(sale(discounted.id, { totalAmount: money('-49.5'), totalTaxAmount: money('-4.5') }))],
      refunds: [refund(9, [{ subtotal: '45.0', tax: '4.5', lineId: discounted.id }])],
    });
    expect(refunds).toMatchObject([
      { external_id: 'shopify:9', returns: '45' },
      { external_id: 'shopify:edit:88', returns: '45', taxes: '4.5' },
      { external_id: 'shopify:edited:5001', date: '2026-11-06', returns: '45', taxes: '4.5', total: '0' },
    ]);
  });

  it('is not taken back a second time by a cancellation', () => {
    const { refunds } = rowsOf({
      ...edited,
      cancelledAt: '2026-11-07T12:00:00Z',
      lineItems: [{ ...thing, currentQuantity: 0 }],
      edits: [editOf(sale(thing.id, {}))],
    });
    expect(refunds).toMatchObject([
      { external_id: 'shopify:edit:88', returns: '100', taxes: '13' },
      { external_id: 'shopify:cancel:5001', date: '2026-11-07', returns: '100', taxes: '13' },
    ]);
  });
});
