/** A shop from a CSV: orders, returns that find their order, and what is left out. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type CsvShop, describeCsvShop, readCsvShop } from './csv-shop.ts';
import type { WorldOrder } from './shop.ts';

const header = 'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country';
const rows = [
  '100,A,"LANTERN, RED",6,2010-07-01 23:30:00,2.55,17850,United Kingdom',
  '100,A,"LANTERN, RED",2,2010-07-01 23:30:00,2.55,17850,United Kingdom',
  '100,G,GIFT,1,2010-07-01 23:30:00,0,17850,United Kingdom',
  '101,B,MUG,3,2010-07-02 10:00:00,1.5,NA,France',
  '102,A,BROKEN,-4,2010-07-02 11:00:00,0,,United Kingdom',
  '103,A,LANTERN,5,2010-07-03 09:00:00,2.55,17850,United Kingdom',
  // Of the latest order that has enough: 103.
  'C104,A,LANTERN,-4,2010-07-04 09:00:00,2.55,17850,United Kingdom',
  // 103 has one left: back to the first line of 100.
  'C105,A,LANTERN,-3,2010-07-05 09:00:00,2.55,17850,United Kingdom',
  // Another price, another customer, no customer: not in the file.
  'C105,A,LANTERN,-1,2010-07-05 09:00:00,1.95,17850,United Kingdom',
  'C106,B,MUG,-3,2010-07-05 10:00:00,1.5,NA,France',
];

let folder: string;
let csv: CsvShop;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'csv-shop-'));
  const path = join(folder, 'lines.csv.gz');
  writeFileSync(path, gzipSync([header, ...rows].join('\n')));
  csv = readCsvShop('retail.myshopify.com', path);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function order(name: string): WorldOrder | undefined {
  return csv.world.candidates([], Number.POSITIVE_INFINITY).find((candidate) => candidate.name === name);
}

describe('a shop from a CSV', () => {
  it('has an order for each invoice, in London time, with its lines as they are', () => {
    expect(order('100')).toMatchObject({
      id: 100,
      // Summer time: an hour before.
      createdAt: Date.parse('2010-07-01T22:30:00Z'),
      customerId: 17850,
      lines: [
        { sku: 'A', title: 'LANTERN, RED', quantity: 6, unitPrice: 25_500 },
        { sku: 'A', quantity: 2 },
        { sku: 'G', unitPrice: 0 },
      ],
    });
    expect(order('101')?.customerId).toBeNull();
  });

  it('gives returned goods back on the latest order that had enough of them at that price', () => {
    expect(order('103')?.refunds).toMatchObject([
      { at: Date.parse('2010-07-04T08:00:00Z'), total: 102_000, lines: [{ quantity: 4 }] },
    ]);
    expect(order('100')?.refunds).toMatchObject([
      { total: 76_500, lines: [{ quantity: 3, line: { id: 1_000_000 } }] },
    ]);
  });

  it('makes an order on the day before for what the file never sold', () => {
    expect(order('before C105')).toMatchObject({
      createdAt: Date.parse('2010-06-30T11:00:00Z'),
      customerId: null,
      lines: [{ sku: 'A', quantity: 1, unitPrice: 19_500 }],
      refunds: [{ total: 19_500 }],
    });
    expect(order('before C106')?.refunds).toMatchObject([{ total: 45_000 }]);
  });

  it('keeps the value of returns of each day and no id twice', () => {
    const orders = csv.world.candidates([], Number.POSITIVE_INFINITY);
    const refunds = orders.flatMap((candidate) => candidate.refunds);
    expect(refunds.reduce((sum, refund) => sum + refund.total, 0)).toBe(243_000);
    const ids = [
      ...refunds.map((refund) => refund.id),
      ...refunds.flatMap((refund) => refund.lines.map((line) => line.id)),
    ];
    expect(new Set(ids).size).toBe(ids.length);
    for (const refund of refunds) expect(csv.world.refund(refund.id)?.refund).toEqual(refund);
  });

  it('says what it left out', () => {
    expect(csv.summary).toEqual({
      orders: 5,
      refunds: 4,
      returnedLines: { matched: 2, unmatched: 2 },
      skipped: [{ reason: 'a sale of nothing or less', lines: 1, invoices: ['102'] }],
    });
    expect(describeCsvShop('retail.myshopify.com', csv.summary)).toContain(
      'skipped 1 lines: a sale of nothing or less (102)',
    );
  });

  it('refuses a file of another shape by its name', () => {
    const path = join(folder, 'other.csv');
    writeFileSync(path, 'a,b\n1,2\n');
    expect(() => readCsvShop('x.myshopify.com', path)).toThrow('other.csv is no CSV of order lines');
  });
});
