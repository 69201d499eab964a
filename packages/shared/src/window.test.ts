import { describe, expect, test } from 'vitest';

import {
  addDays,
  countDays,
  dayOf,
  halve,
  isDay,
  isTimezone,
  joinDays,
  listDays,
  splitNewestFirst,
  startOfDay,
  toInstants,
} from './window.ts';

describe('days of 23 and 25 hours', () => {
  test.each([
    ['2026-03-29', 23],
    ['2026-10-25', 25],
    ['2026-06-01', 24],
  ])('%s in Berlin lasts %d hours', (day, hours) => {
    const { from, to } = toInstants({ from: day, to: addDays(day, 1) }, 'Europe/Berlin');
    expect(Date.parse(to) - Date.parse(from)).toBe(hours * 3_600_000);
    expect(dayOf(from, 'Europe/Berlin')).toBe(day);
    expect(dayOf(to, 'Europe/Berlin')).toBe(addDays(day, 1));
  });

  test('a day without a midnight begins when it begins', () => {
    // Chile's clocks go from 24:00 to 01:00.
    expect(startOfDay('2026-09-06', 'America/Santiago').toString()).toBe('2026-09-06T04:00:00Z');
  });

  test('counting and listing days takes no notice of clocks', () => {
    expect(countDays({ from: '2026-03-28', to: '2026-03-31' })).toBe(3);
    expect(listDays({ from: '2028-02-28', to: '2028-03-01' })).toEqual(['2028-02-28', '2028-02-29']);
    expect(listDays({ from: '2026-01-02', to: '2026-01-01' })).toEqual([]);
  });
});

describe('cutting and joining', () => {
  test('pieces are no longer than asked, newest first, and lose no day', () => {
    const window = { from: '2026-01-01', to: '2026-01-11' };
    const pieces = splitNewestFirst(window, 4);
    expect(pieces[0]).toEqual({ from: '2026-01-07', to: '2026-01-11' });
    expect(pieces.flatMap(listDays).toSorted()).toEqual(listDays(window));
  });

  test('halves join to the whole; a single day has none', () => {
    expect(halve({ from: '2026-01-01', to: '2026-01-04' })).toEqual([
      { from: '2026-01-03', to: '2026-01-04' },
      { from: '2026-01-01', to: '2026-01-03' },
    ]);
    expect(halve({ from: '2026-01-01', to: '2026-01-02' })).toBeNull();
  });

  test('neighbours join, in whatever order they come and however often', () => {
    expect(joinDays(['2026-01-03', '2026-01-01', '2026-01-02', '2026-01-02', '2026-01-09'])).toEqual([
      { from: '2026-01-01', to: '2026-01-04' },
      { from: '2026-01-09', to: '2026-01-10' },
    ]);
  });
});

test('what is no day is refused, not moved to another', () => {
  expect(() => addDays('2026-02-30', 1)).toThrow(RangeError);
  expect(() => listDays({ from: '2026-02-01', to: '2026-2-30' })).toThrow(RangeError);
});

test('what is a day and a time zone', () => {
  expect(['2026-02-28', '2026-02-29', '2026-2-1', '26-02-01', '+002026-02-01', ''].map(isDay)).toEqual([
    true,
    ...[false, false, false, false, false],
  ]);
  expect(['Europe/Berlin', 'UTC', 'Mars/Base', ''].map(isTimezone)).toEqual([true, true, false, false]);
});

test.each(['+02:00', '-0500', '+05'])(
  '%s is no time zone: the database would read it the other way',
  (zone) => {
    expect(isTimezone(zone)).toBe(false);
  },
);
