import { Temporal } from 'temporal-polyfill';
import { expect, test } from 'vitest';

import type { VendorContext } from '../core.ts';
import { createClock, createFaults, createRequestLog } from '../core.ts';
import type { WorldAccount } from './accounts.ts';
import { metaAccounts, tiktokAccounts } from './accounts.ts';
import { statusOf } from './ads.ts';
import { dayNumber, localDay } from './days.ts';
import { addNumbers } from './numbers.ts';
import { isBusinessDay, rateOn } from './rates.ts';
import { createAdsWorld } from './world.ts';

function contextAt(now: string, seed = 7): VendorContext {
  return { clock: createClock(now), faults: createFaults(seed), log: createRequestLog(), seed };
}
function accountIn(timezone: string): WorldAccount {
  const account = metaAccounts.find((candidate) => candidate.timezone === timezone);
  if (account === undefined) throw new Error(timezone);
  return account;
}

test('a day is restated smoothly from 82 % of its conversions after a day to all of them after 28, then stays', () => {
  const context = contextAt('2026-10-01T12:00:00Z');
  const world = createAdsWorld(context, 'meta');
  const days = [1, 7, 14, 27, 28, 60, 200];
  const first = dayNumber('2026-09-01');
  // Fifty days, each read at the same age, so that chance averages out.
  const totals = days.map((age) => {
    const parts = Array.from({ length: 50 }, (_, index) => first + index).flatMap((day) => {
      context.clock.set(`${new Date((day + age) * 86_400_000).toISOString().slice(0, 10)}T12:00:00Z`);
      return world.adDays(accountIn('Europe/Berlin'), day, day).map((row) => row.numbers);
    });
    return addNumbers(parts);
  });
  const final = totals.at(-1);
  if (final === undefined) throw new Error('no totals');
  const shares = totals.map((total) => total.purchases / final.purchases);
  expect(shares[0]).toBeGreaterThan(0.78);
  expect(shares[0]).toBeLessThan(0.86);
  expect(shares).toEqual([...shares].sort((left, right) => left - right));
  expect(totals.slice(4)).toEqual([final, final, final]);
  const spendShare = (totals[0]?.spendCents ?? 0) / final.spendCents;
  expect(spendShare).toBeGreaterThan(0.98);
  expect(spendShare).toBeLessThan(1);
});

test('today grows, nothing is known of tomorrow, and two reads at the same clock are the same', () => {
  const context = contextAt('2026-11-21T06:00:00Z');
  const world = createAdsWorld(context, 'meta');
  const account = accountIn('Asia/Tokyo');
  const today = world.today(account);
  const read = (): number =>
    addNumbers(world.adDays(account, today, today).map((row) => row.numbers)).spendCents;
  const morning = read();
  expect(read()).toBe(morning);
  context.clock.set('2026-11-21T12:00:00Z');
  expect(read()).toBeGreaterThan(morning);
  expect(world.adDays(account, today + 1, today + 9)).toEqual([]);
});

test('each account has its own today', () => {
  const now = Temporal.Instant.from('2026-11-21T21:00:00Z');
  expect(localDay(now, 'Asia/Tokyo').day).toBe(dayNumber('2026-11-22'));
  expect(localDay(now, 'America/Los_Angeles').day).toBe(dayNumber('2026-11-21'));
  // A day of 25 hours is half over after 12 and a half.
  expect(localDay(Temporal.Instant.from('2026-10-25T10:30:00Z'), 'Europe/Berlin').elapsed).toBe(0.5);
});

test('at any clock every account has a deleted ad with spend in the last 28 days, and history is two years long', () => {
  for (const now of [
    '2026-11-21T12:00:00Z',
    '2026-12-13T12:00:00Z',
    '2027-03-05T12:00:00Z',
    '2011-01-03T12:00:00Z',
  ]) {
    for (const vendor of ['meta', 'tiktok'] as const) {
      const world = createAdsWorld(contextAt(now), vendor);
      for (const account of vendor === 'meta' ? metaAccounts : tiktokAccounts) {
        const today = world.today(account);
        const recent = world.adDays(account, today - 27, today);
        expect(recent.some((row) => statusOf(row.ad, today) === 'DELETED')).toBe(true);
        const all = world.adDays(account, today - 2000, today);
        const span = today - Math.min(...all.map((row) => row.day));
        expect(span).toBeGreaterThan(725);
        expect(span).toBeLessThan(770);
      }
    }
  }
});

test('history does not depend on when the sandbox was started, ids are unique and beyond 2^53', () => {
  const early = createAdsWorld(contextAt('2026-06-01T12:00:00Z'), 'tiktok');
  const late = createAdsWorld(contextAt('2027-06-01T12:00:00Z'), 'tiktok');
  const [from, to] = [dayNumber('2026-01-01'), dayNumber('2026-03-01')];
  const ids: string[] = [];
  for (const account of tiktokAccounts) {
    expect(early.adDays(account, from, to)).toEqual(late.adDays(account, from, to));
    ids.push(
      ...late.ads(account).flatMap((ad) => [...new Set([ad.id, ...ad.creatives.map((part) => part.id)])]),
    );
  }
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.every((id) => BigInt(id) > 2n ** 53n)).toBe(true);
});

test('rates come on TARGET days only and stay near the real ones', () => {
  const closed = [
    '2025-04-18',
    '2025-04-21',
    '2025-05-01',
    '2025-12-25',
    '2025-12-26',
    '2026-01-01',
    '2026-11-21',
  ];
  expect(closed.filter((day) => isBusinessDay(dayNumber(day)))).toEqual([]);
  expect(isBusinessDay(dayNumber('2025-04-22'))).toBe(true);
  expect(Number(rateOn(7, 'USD', dayNumber('2010-12-01')))).toBeCloseTo(1.34, 1);
  expect(Number(rateOn(7, 'GBP', dayNumber('2010-12-01')))).toBeCloseTo(0.86, 1);
  expect(rateOn(7, 'HRK', dayNumber('2022-12-30'))).toBeDefined();
  expect(rateOn(7, 'HRK', dayNumber('2023-01-02'))).toBeUndefined();
});
