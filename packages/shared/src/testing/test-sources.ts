/**
 * Two small sources over a vendor in memory, for tests of the engine: one like an ad platform (days of an account),
 * one like a shop (orders with lines and refunds, found by day or by change).
 */
import { Temporal } from 'temporal-polyfill';
import { z } from 'zod';

import { defineConfig } from '../config.ts';
import {
  type Account,
  type AnyConnector,
  type AnyStream,
  defineConnector,
  defineStream,
  type Io,
} from '../connector.ts';
import { dayOf, type DayWindow, type InstantWindow } from '../window.ts';

/** What the vendor has, and what happens while it is asked. Tests change it between and during runs. */
export interface TestVendorWorld<Entry> {
  /** By account id, in the order in which the vendor answers. Anything may stand in for a record. */
  readonly records: Record<string, (Entry | Readonly<Record<string, unknown>> | string | number | null)[]>;
  readonly timezone?: string;
  readonly pageSize?: number;
  /** Before every page, and once more (with `last`) when there are no more: throw here to break off. */
  onPage?: (event: PageEvent) => void | Promise<void>;
  /** Before an account is opened. */
  onOpen?: (accountId: string, io: Io) => void | Promise<void>;
  /** What was asked for, oldest question first. */
  readonly asked: { readonly account: string; readonly from: string; readonly to: string }[];
}

export interface PageEvent {
  readonly account: string;
  readonly window: DayWindow | InstantWindow;
  readonly page: number;
  readonly last: boolean;
  readonly io: Io;
}

/** An ad's day as the vendor tells it. */
export interface AdDay {
  readonly ad: string;
  readonly day: string;
  readonly spend: string;
  readonly name?: string;
  readonly raw?: object;
}

/** An order as the vendor tells it. */
export interface TestOrder {
  readonly id: string;
  readonly processed_at: string;
  readonly updated_at: string;
  readonly lines: readonly { readonly id: string; readonly gross: string }[];
  readonly refunds?: readonly { readonly id: string; readonly at: string; readonly total: string }[];
}

export function createWorld<Entry>(
  records: TestVendorWorld<Entry>['records'],
  more: Partial<TestVendorWorld<Entry>> = {},
): TestVendorWorld<Entry> {
  return { asked: [], ...more, records };
}

/** The one stream of such a source. */
export function streamOf({ streams: [stream] }: AnyConnector): AnyStream {
  if (stream === undefined) throw new Error('The source has no stream.');
  return stream;
}

const nothing = defineConfig({ variables: {}, optional: false, build: () => ({}) });
const decimal = z.string().regex(/^-?\d+(\.\d+)?$/, 'is not a decimal number');
const adSchema = z.object({
  ad: z.string(),
  day: z.iso.date(),
  spend: decimal,
  name: z.string().optional(),
  raw: z.looseObject({}).optional(),
});
const orderSchema = z.object({
  id: z.string(),
  processed_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
  lines: z.array(z.object({ id: z.string(), gross: decimal })),
  refunds: z.array(z.object({ id: z.string(), at: z.iso.datetime(), total: decimal })).default([]),
});

/** Reads `spend` of ads, 28 days back and restated for as long unless told otherwise. */
export function createAdsSource(
  world: TestVendorWorld<AdDay>,
  options: {
    readonly daysBack?: number;
    readonly restatementDays?: number;
    readonly maxWindowDays?: number;
  } = {},
): AnyConnector {
  const { daysBack = 3, restatementDays = 3, maxWindowDays = 2 } = options;
  const insights = defineStream<Account, z.infer<typeof adSchema>>({
    name: 'insights',
    parent: {
      table: 'spend',
      key: ['external_id', 'date'],
      scope: (accountId) => ({ source: 'meta', account_id: accountId }),
    },
    children: [],
    calendar: 'account',
    firstRun: { daysBack },
    restatementDays,
    maxWindowDays,
    schema: adSchema,
    identify(record) {
      const known = adSchema.pick({ ad: true, day: true }).safeParse(record);
      return known.success ? { externalId: `meta:${known.data.ad}`, date: known.data.day } : undefined;
    },
    readDays: (account, window, io) =>
      readPages(world, account.id, window, io, (record) => isBetween(record?.['day'], window)),
    toRows: (record, account) => ({
      spend: [
        {
          external_id: `meta:${record.ad}`,
          date: record.day,
          source: 'meta',
          account_id: account.id,
          account_timezone: account.timezone,
          campaign_id: 'c1',
          campaign_name: null,
          ad_group_id: 'g1',
          ad_group_name: null,
          ad_id: record.ad,
          ad_name: record.name ?? null,
          currency: 'USD',
          spend: record.spend,
          impressions: '10',
          clicks: '1',
          link_clicks: null,
          reach: null,
          conversions: null,
          conversion_value: null,
          raw: record.raw ?? {},
        },
      ],
    }),
  });
  return connectorOf('meta', 'etl-meta', world, [insights]);
}

/** Reads orders with lines and refunds: whole days first, then changes with an overlap of 10 and a lag of 1 minute. */
export function createOrdersSource(
  world: TestVendorWorld<TestOrder>,
  options: {
    readonly daysBack?: number;
    readonly maxWindowDays?: number;
    readonly maxWindowMs?: number;
  } = {},
): AnyConnector {
  const orders = defineStream<Account, z.infer<typeof orderSchema>>({
    name: 'orders',
    parent: {
      table: 'orders',
      key: ['external_id'],
      scope: (shop) => ({ source: 'shopify', shop }),
      newerThan: 'updated_at',
    },
    children: [
      { table: 'order_items', key: ['external_id'], parentColumn: 'order_external_id' },
      { table: 'refunds', key: ['external_id'], parentColumn: 'order_external_id' },
    ],
    calendar: 'reporting',
    firstRun: { daysBack: options.daysBack ?? 3 },
    restatementDays: 0,
    maxWindowDays: options.maxWindowDays ?? 2,
    schema: orderSchema,
    identify(record) {
      const known = orderSchema.pick({ id: true }).safeParse(record);
      return known.success ? { externalId: `shopify:${known.data.id}` } : undefined;
    },
    readDays: (account, window, io) =>
      readPages(world, account.id, window, io, (record) =>
        isBetween(dayIn(record?.['processed_at'], io.reporting.timezone), window),
      ),
    changes: {
      read: (account, window, io) =>
        readPages(world, account.id, window, io, (record) => isBetween(record?.['updated_at'], window)),
      overlapMs: 600_000,
      lagMs: 60_000,
      maxWindowMs: options.maxWindowMs ?? 86_400_000,
    },
    toRows(order, account, reporting) {
      const external_id = `shopify:${order.id}`;
      const date = dayOf(order.processed_at, reporting.timezone);
      return {
        orders: [
          {
            external_id,
            date,
            source: 'shopify',
            shop: account.id,
            order_name: `#${order.id}`,
            created_at: order.processed_at,
            processed_at: order.processed_at,
            updated_at: order.updated_at,
            cancelled_at: null,
            customer_id: null,
            currency: 'USD',
            gross_sales: '10',
            discounts: '0',
            shipping: '0',
            taxes: '0',
            total: '10',
            refunded: '0',
            financial_status: 'PAID',
            test: false,
            channel: null,
            landing_page: null,
            utm_source: null,
            utm_medium: null,
            utm_campaign: null,
            item_count: order.lines.length,
            attribution_ready: true,
          },
        ],
        order_items: order.lines.map((line) => ({
          external_id: `shopify:${line.id}`,
          date,
          order_external_id: external_id,
          product_id: null,
          variant_id: null,
          sku: null,
          title: null,
          quantity: 1,
          gross_sales: line.gross,
          discounts: '0',
          is_gift_card: false,
        })),
        refunds: order.refunds.map((refund) => ({
          external_id: `shopify:${refund.id}`,
          date: dayOf(refund.at, reporting.timezone),
          order_external_id: external_id,
          currency: 'USD',
          returns: refund.total,
          shipping: '0',
          taxes: '0',
          total: refund.total,
        })),
      };
    },
  });
  return connectorOf('shopify', 'etl-shopify', world, [orders]);
}

function connectorOf<Entry>(
  source: 'meta' | 'shopify',
  agent: string,
  world: TestVendorWorld<Entry>,
  streams: AnyConnector['streams'],
): AnyConnector {
  return defineConnector<object, Account>({
    source,
    agent,
    config: nothing,
    accounts: () => Object.keys(world.records),
    async open(_config, id, io) {
      await world.onOpen?.(id, io);
      return { id, timezone: world.timezone ?? 'UTC', currency: 'USD' };
    },
    streams,
  });
}

async function* readPages<Entry>(
  world: TestVendorWorld<Entry>,
  account: string,
  window: DayWindow | InstantWindow,
  io: Io,
  belongs: (record: Readonly<Record<string, unknown>> | null) => boolean,
): AsyncGenerator<readonly unknown[]> {
  world.asked.push({ account, from: window.from, to: window.to });
  // What can't be placed in time is in every answer, as with a vendor that sends rubbish.
  const found = (world.records[account] ?? []).filter((record) => belongs(asRecord(record)));
  const size = world.pageSize ?? 2;
  let page = 0;
  for (let start = 0; start < found.length; start += size) {
    await world.onPage?.({ account, window, page: page++, last: false, io });
    yield found.slice(start, start + size);
  }
  await world.onPage?.({ account, window, page, last: true, io });
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> | null {
  return value !== null && typeof value === 'object' ? Object.fromEntries(Object.entries(value)) : null;
}

function isBetween(value: unknown, { from, to }: { readonly from: string; readonly to: string }): boolean {
  if (typeof value !== 'string') return true;
  if (!value.includes('T')) return value >= from && value < to;
  const at = Temporal.Instant.from(value);
  return Temporal.Instant.compare(at, from) >= 0 && Temporal.Instant.compare(at, to) < 0;
}

function dayIn(value: unknown, timezone: string): unknown {
  return typeof value === 'string' ? dayOf(value, timezone) : value;
}
