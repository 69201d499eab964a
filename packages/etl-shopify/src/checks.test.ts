/** What the connector tells beside orders: ids for the sweep, totals, findings for `doctor`. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import type { Finding, Io } from '@floyo/shared/connector';
import { collect } from '@floyo/shared/testing/vendor';
import type { DayWindow } from '@floyo/shared/window';

import { countOrders } from './count-orders.ts';
import { shopify } from './index.ts';
import { orderRecordSchema } from './streams/order-record.ts';
import { toOrderRows } from './streams/order-rows.ts';
import { orders } from './streams/orders.ts';
import { euShop, type Harness, startHarness, usShop } from './testing/harness.ts';

const { sweep, totals } = orders;
if (sweep === undefined || totals === undefined) throw new Error('the stream has no sweep or no totals');
const week = { from: '2026-11-01', to: '2026-11-08' };

let harness: Harness;
let io: Io;
beforeAll(async () => {
  harness = await startHarness();
});
afterEach(() => harness.faults.clear());
afterAll(() => harness.close());

async function rowsOf(shop: string, window: DayWindow): Promise<Record<string, unknown>[]> {
  const session = await harness.open(shop, io);
  const records = await collect(orders.readDays(session, window, io));
  return records.map((record) => ({
    ...toOrderRows(orderRecordSchema.parse(record), shop, io.reporting).orders?.[0],
  }));
}

describe('the sweep', () => {
  it('lists exactly the orders of the days, at 13 points a page', async () => {
    io = harness.createIo();
    const session = await harness.open(usShop, io);
    const listed = await collect(sweep.readIds(session, week, io));
    const rows = await rowsOf(usShop, week);
    expect(listed).toEqual(
      rows.map((row) => ({ externalId: row['external_id'], updatedAt: row['updated_at'] })),
    );
    const calls = io.http.counts.apiCalls;
    await collect(sweep.readIds(session, week, io));
    expect(io.http.counts.apiCalls - calls).toBe(1);
  });

  it('reads orders by their ids as whole as by their days, and leaves out those that are gone', async () => {
    io = harness.createIo();
    const session = await harness.open(usShop, io);
    // One of these has 120 lines and a refund of 60.
    const window = { from: '2026-11-08', to: '2026-11-13' };
    const whole = (await collect(orders.readDays(session, window, io))).map((record) =>
      orderRecordSchema.parse(record),
    );
    const ids = whole.map((record) => `shopify:${record.id.replace(/\D/g, '')}`);
    const byId = await collect(sweep.readRecords(session, ['shopify:1', ...ids], io));
    expect(byId.map((record) => orderRecordSchema.parse(record))).toEqual(whole);
    harness.faults.add({ vendor: 'shopify', kind: 'vanished_ad' });
    expect(await collect(sweep.readRecords(session, ids.slice(0, 1), io))).toEqual([]);
  });

  it('asks for fewer ids at once when Shopify finds them too much', async () => {
    io = harness.createIo();
    const session = await harness.open(usShop, io);
    const gids: string[] = [];
    for await (const page of sweep.readIds(session, week, io))
      gids.push(...page.map(({ externalId }) => externalId));
    gids.splice(30);
    const calm = await collect(sweep.readRecords(session, gids, io));
    harness.faults.add({
      vendor: 'shopify',
      kind: 'permission',
      times: 2,
      value: { code: 'MAX_COST_EXCEEDED' },
    });
    expect(await collect(sweep.readRecords(session, gids, io))).toEqual(calm);
  });

  it('never takes hidden orders for deleted ones', async () => {
    harness.faults.add({ vendor: 'shopify', kind: 'missing_scope', times: -1 });
    io = harness.createIo();
    const session = await harness.open(usShop, io);
    const hidden = sweep.readIds(session, { from: '2026-09-20', to: '2026-10-01' }, io);
    await expect(collect(hidden)).rejects.toMatchObject({ type: 'permission' });
    // Its own reach is seen whole, whatever the time of day and of the year.
    expect(sweep.days).toBe(59);
  });

  it('finds late attribution by reading the order again: nothing else tells', async () => {
    io = harness.createIo();
    const day = { from: '2026-11-20', to: '2026-11-21' };
    const before = await rowsOf(usShop, day);
    const waiting = before.filter((row) => row['attribution_ready'] === false);
    expect(waiting.length).toBeGreaterThan(0);
    expect(waiting.every((row) => row['utm_source'] === null && row['landing_page'] === null)).toBe(true);
    harness.clock.set('2026-11-22T21:00:00Z');
    const after = new Map((await rowsOf(usShop, day)).map((row) => [row['external_id'], row]));
    harness.clock.set('2026-11-21T09:00:00Z');
    const late = waiting.map((row) => after.get(row['external_id']));
    expect(late.every((row) => row?.['attribution_ready'] === true && row['landing_page'] !== null)).toBe(
      true,
    );
    const unseen = waiting.filter(
      (row) => after.get(row['external_id'])?.['updated_at'] === row['updated_at'],
    );
    expect(unseen.length).toBeGreaterThan(0);
  });
});

describe('totals', () => {
  it('count beyond the 10,000 at which Shopify stops unless told', async () => {
    io = harness.createIo();
    const session = await harness.open(usShop, io);
    const [count] = await countOrders(session, [{ from: '2024-11-01', to: '2026-11-21' }], io);
    expect(count).toBeGreaterThan(12_000);
  });

  it('are the stored orders of each day, counted by Shopify', async () => {
    io = harness.createIo();
    const window = { from: '2026-10-10', to: '2026-11-08' };
    const session = await harness.open(usShop, io);
    const told = await totals.read(session, window, io);
    const days = new Map<string, number>();
    for (const row of await rowsOf(usShop, window))
      days.set(String(row['date']), (days.get(String(row['date'])) ?? 0) + 1);
    expect(new Map([...told].map(([day, { rows }]) => [day, Number(rows)]))).toEqual(days);
    // The shop's days are New York's: its report is of other days than these.
    expect([...told.values()].some((total) => 'gross_sales' in total)).toBe(false);
  });

  it.each([euShop, usShop])(
    "include the sales of %s's own report where its days are the reporting zone's",
    async (shop) => {
      io = { ...harness.createIo() };
      const session = await harness.open(shop, io);
      io = { ...io, reporting: { timezone: session.timezone, currency: 'USD' } };
      const window = { from: '2026-09-20', to: '2026-11-08' };
      const told = await totals.read(session, window, io);
      const rows = await rowsOf(shop, window);
      expect(rows.some((row) => row['test'] === true)).toBe(true);
      for (const [day, total] of told)
        for (const measure of shop === euShop ? ['gross_sales'] : ['gross_sales', 'discounts']) {
          const ours = rows
            .filter((row) => row['date'] === day)
            .reduce((sum, row) => sum + Number(row[measure]), 0);
          expect(Math.abs(ours - Number(total[measure])), `${day} ${measure}`).toBeLessThanOrEqual(
            ours * 0.001,
          );
        }
    },
  );

  it('are counts alone without the scope read_reports, and when the report is denied', async () => {
    io = { ...harness.createIo(), reporting: { timezone: 'America/New_York', currency: 'USD' } };
    harness.faults.add({
      vendor: 'shopify',
      kind: 'missing_scope',
      times: -1,
      value: { scopes: ['read_reports'] },
    });
    const without = await totals.read(await harness.open(usShop, io), week, io);
    harness.faults.clear();
    const session = await harness.open(usShop, io);
    harness.faults.add({
      vendor: 'shopify',
      kind: 'missing_scope',
      times: -1,
      value: { scopes: ['read_reports'] },
    });
    const denied = await totals.read(session, week, io);
    for (const told of [without, denied]) {
      expect([...told.keys()]).toHaveLength(7);
      expect([...told.values()].every((total) => 'rows' in total && !('gross_sales' in total))).toBe(true);
    }
  });
});

describe('examining a shop', () => {
  async function examine(shop: string): Promise<readonly Finding[]> {
    io = harness.createIo();
    return (await shopify.examine?.(harness.configOf(shop), shop, io)) ?? [];
  }
  const of = (findings: readonly Finding[], check: string): Finding[] =>
    findings.filter((finding) => finding.check === check);

  it('finds nothing wrong with a shop in the reporting zone', async () => {
    const findings = await examine(euShop);
    expect(findings.map(({ check, level }) => [check, level])).toEqual([
      ['access', 'ok'],
      ['scopes', 'ok'],
      ['api version', 'ok'],
      ['time zone', 'ok'],
      ['currency', 'ok'],
      ['rate limit', 'ok'],
    ]);
    expect(of(findings, 'rate limit')[0]?.message).toContain('20000 points, 1000');
    expect(findings.every(({ fix }) => fix === null)).toBe(true);
  });

  it('tells what differs from the reports', async () => {
    const findings = await examine(usShop);
    expect(of(findings, 'time zone')).toMatchObject([{ level: 'warning' }]);
    expect(of(findings, 'currency')[0]?.message).toContain('USD; it is converted to EUR');
  });

  it.each([
    ['read_orders', 'error'],
    ['read_customers', 'error'],
    ['read_all_orders', 'error'],
    ['read_products', 'warning'],
    ['read_reports', 'warning'],
  ])('misses the scope %s', async (scope, level) => {
    harness.faults.add({ vendor: 'shopify', kind: 'missing_scope', value: { scopes: [scope] } });
    const wrong = of(await examine(usShop), 'scopes').filter((finding) => finding.level !== 'ok');
    expect(wrong).toMatchObject([{ level }]);
    expect(wrong[0]?.message).toContain(scope);
    expect(wrong[0]?.fix).toContain(scope);
  });

  it('makes what Shopify refuses a finding that says what to do', async () => {
    harness.faults.add({ vendor: 'shopify', kind: 'wrong_token' });
    expect(await examine(usShop)).toMatchObject([{ check: 'access', level: 'error' }]);
    harness.faults.add({ vendor: 'shopify', kind: 'server_error', value: { status: 402 } });
    const [frozen] = await examine(usShop);
    expect(frozen?.message).toContain('frozen');
    expect(frozen?.fix).not.toBeNull();
    harness.faults.add({ vendor: 'shopify', kind: 'wrong_version' });
    expect((await examine(usShop))[0]?.message).toContain('2026-01');
  });

  it('warns before the API version ends', async () => {
    const later = { ...harness.createIo() };
    const soon = { ...later, now: () => later.now().add({ hours: 24 * 280 }) };
    const findings = (await shopify.examine?.(harness.configOf(euShop), euShop, soon)) ?? [];
    expect(of(findings, 'api version')).toMatchObject([{ level: 'warning' }]);
  });
});
