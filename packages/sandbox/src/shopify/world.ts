/**
 * A seeded shop: two years of orders before the clock's now and whatever the clock brings, made a day at a time when
 * somebody asks and kept. An order never changes but by what the clock has reached of its life.
 */
import { Temporal } from 'temporal-polyfill';

import { createRandom } from '../core.ts';
import { dayNumber, dayText, weekdayOf } from '../world/days.ts';
import { longestLifeDays } from './order-life.ts';
import { isLargeOrder, makeOrder } from './order-maker.ts';
import type { OrderRange, ShopWorld, WorldOrder, WorldShop } from './shop.ts';

const dayMs = 86_400_000;
const ordersPerDayId = 1_000;
const firstIdDay = dayNumber('2015-01-01');
const weekdayFactor = [1.25, 0.95, 0.9, 0.92, 0.98, 1.05, 1.2];

export interface ShopWorldOptions {
  readonly seed: number;
  /** The first day with orders, in days since 1970. */
  readonly firstDay: number;
  /** Ids of shops must not meet: line and refund ids are made of the order's. */
  readonly firstId: number;
  /** On an ordinary day of January 2026; 18 unless told. */
  readonly ordersPerDay?: number;
}

export function createShopWorld(shop: WorldShop, options: ShopWorldOptions): ShopWorld {
  const { seed, firstDay, firstId, ordersPerDay = 18 } = options;
  const days = new Map<number, readonly WorldOrder[]>();

  const idOf = (day: number, index: number): number => firstId + (day - firstIdDay) * ordersPerDayId + index;

  function ordersOn(day: number): readonly WorldOrder[] {
    const known = days.get(day);
    if (known !== undefined) return known;
    const start = startOf(day, shop.timezone);
    const dayLength = startOf(day + 1, shop.timezone) - start;
    const made: WorldOrder[] = [];
    for (let index = 0; index < countOn(day); index += 1) {
      const place = { shop, seed, day, index, dayStart: start, dayLength, orderId: idOf(day, index) };
      made.push(makeOrder({ ...place, customerId: customerOf(day, index) }));
    }
    days.set(day, made);
    return made;
  }

  function countOn(day: number): number {
    if (day < firstDay) return 0;
    const random = createRandom(`${seed}:shopify:${shop.domain}:${day}`);
    const growth = Math.min(2, Math.max(0.6, 1 + 0.25 * ((day - dayNumber('2026-01-01')) / 365)));
    const month = new Date(day * dayMs).getUTCMonth();
    const season = month === 10 ? 1.25 : month === 11 ? 1.15 : 1;
    return Math.round(
      ordersPerDay * growth * season * (weekdayFactor[weekdayOf(day)] ?? 1) * (0.85 + random() * 0.3),
    );
  }

  /** A guest, somebody new, or somebody who ordered in the last months. */
  function customerOf(day: number, index: number): number | null {
    const random = createRandom(`${seed}:shopify:${shop.domain}:customer:${day}:${index}`);
    const draw = random();
    if (draw < 0.08 && !isLargeOrder(day, index)) return null;
    const earlier = day - 1 - Math.floor(random() ** 2 * 120);
    const count = countOn(earlier);
    const isNew = draw < 0.68 || count === 0;
    if (!isNew) return customerOf(earlier, Math.floor(random() * count)) ?? customerIdOf(day, index);
    return customerIdOf(day, index);
  }

  const customerIdOf = (day: number, index: number): number => idOf(day, index) + 1_000_000_000;

  function find(id: number): WorldOrder | undefined {
    const place = id - firstId;
    if (place < 0) return undefined;
    const day = Math.floor(place / ordersPerDayId) + firstIdDay;
    return day < firstDay || day > firstDay + 36_500 ? undefined : ordersOn(day)[place % ordersPerDayId];
  }

  return {
    shop,
    candidates(ranges, now) {
      const { from, to } = daysOf(ranges, now);
      const found: WorldOrder[] = [];
      for (let day = Math.max(from, firstDay); day <= to; day += 1)
        for (const order of ordersOn(day)) if (order.createdAt <= now) found.push(order);
      return found;
    },
    order: find,
    refund(id) {
      const order = find(Math.floor(id / 10));
      const refund = order?.refunds.find((candidate) => candidate.id === id);
      return order === undefined || refund === undefined ? undefined : { order, refund };
    },
  };
}

/** The days that can hold orders within the ranges; a change may come long after the order. */
function daysOf(ranges: readonly OrderRange[], now: number): { from: number; to: number } {
  let from = Number.NEGATIVE_INFINITY;
  let to = Math.floor(now / dayMs) + 1;
  for (const range of ranges) {
    const reach = range.field === 'updated_at' ? longestLifeDays : 1;
    if (range.from !== undefined) from = Math.max(from, Math.floor(range.from / dayMs) - reach);
    if (range.to !== undefined) to = Math.min(to, Math.floor(range.to / dayMs) + 1);
  }
  return { from, to };
}

function startOf(day: number, timezone: string): number {
  return Temporal.PlainDate.from(dayText(day)).toZonedDateTime(timezone).epochMilliseconds;
}
