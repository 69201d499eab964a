/** Reads a CSV of order lines, plain or gzipped, into invoices. Owns the file's shape and knows no shop. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

import { parse } from 'csv-parse/sync';
import { Temporal } from 'temporal-polyfill';
import { z } from 'zod';

import { unitsOf } from './money.ts';
import type { Units } from './shop.ts';

export interface CsvLine {
  readonly stockCode: string;
  readonly description: string;
  readonly quantity: number;
  readonly unitPrice: Units;
}

export interface CsvInvoice {
  readonly number: string;
  /** Null for a sale without a customer: empty or NA in the file. */
  readonly customerId: number | null;
  /** The earliest time of its lines. */
  readonly at: number;
  readonly lines: readonly CsvLine[];
}

const rowsSchema = z.array(
  z.object({
    InvoiceNo: z.string().min(1),
    StockCode: z.string(),
    Description: z.string(),
    Quantity: z.string().regex(/^-?\d+$/, 'Quantity is no whole number'),
    InvoiceDate: z.string(),
    UnitPrice: z.string(),
    CustomerID: z.string(),
    Country: z.string(),
  }),
);

/** The invoices by time, then number. Throws with the file's name when a column is missing or a value is malformed. */
export function readInvoices(path: string, timezone: string): CsvInvoice[] {
  const bytes = readFileSync(path);
  const text = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
  const parsed = rowsSchema.safeParse(parse(text, { columns: true, skip_empty_lines: true, bom: true }));
  if (!parsed.success)
    throw new Error(`${path} is no CSV of order lines: ${z.prettifyError(parsed.error).slice(0, 300)}`);

  const invoices = new Map<
    string,
    { number: string; customerId: number | null; at: number; lines: CsvLine[] }
  >();
  const instants = new Map<string, number>();
  for (const row of parsed.data) {
    const at = instants.get(row.InvoiceDate) ?? instantOf(row.InvoiceDate, timezone);
    instants.set(row.InvoiceDate, at);
    const invoice = invoices.get(row.InvoiceNo) ?? {
      number: row.InvoiceNo,
      customerId: /^\d+$/.test(row.CustomerID) ? Number(row.CustomerID) : null,
      at,
      lines: [],
    };
    invoice.at = Math.min(invoice.at, at);
    invoice.lines.push({
      stockCode: row.StockCode,
      description: row.Description,
      quantity: Number(row.Quantity),
      unitPrice: unitsOf(row.UnitPrice),
    });
    invoices.set(row.InvoiceNo, invoice);
  }
  return [...invoices.values()].sort((a, b) => a.at - b.at || (a.number < b.number ? -1 : 1));
}

/** '2010-12-01 08:26:00' on the shop's clock. */
function instantOf(text: string, timezone: string): number {
  return Temporal.PlainDateTime.from(text.replace(' ', 'T')).toZonedDateTime(timezone).epochMilliseconds;
}
