/**
 * Reference rates per euro for every TARGET business day since 2009: real rates at the turn of each year, a line
 * between them and a seeded ripple on top. A pure function of seed and day, so a published rate never changes.
 */
import { createRandom } from '../core.ts';
import { dayNumber, dayText, weekdayOf } from './days.ts';

const dayMs = 86_400_000;
const firstYear = 2009;
/** The first day with a rate. */
export const firstRateDay = dayNumber('2009-01-02');

/** Rates about 1 January of 2009, 2010, …; the last one holds from then on. */
const yearRates: Record<string, readonly number[]> = {
  USD: [
    1.39, 1.43, 1.33, 1.29, 1.32, 1.37, 1.2, 1.085, 1.05, 1.2, 1.14, 1.12, 1.22, 1.13, 1.065, 1.1, 1.03, 1.17,
  ],
  JPY: [126, 133, 108.6, 100, 114, 144.7, 145, 131, 123, 135, 125.8, 121.8, 126.5, 130.4, 140, 156, 163, 184],
  BGN: [1.9558],
  CZK: [
    26.9, 26.5, 25.1, 25.8, 25.2, 27.4, 27.7, 27, 27, 25.5, 25.7, 25.4, 26.2, 24.9, 24.1, 24.7, 25.2, 24.2,
  ],
  DKK: [
    7.45, 7.442, 7.454, 7.434, 7.46, 7.46, 7.445, 7.462, 7.434, 7.445, 7.467, 7.472, 7.441, 7.437, 7.437,
    7.453, 7.458, 7.469,
  ],
  GBP: [
    0.955, 0.885, 0.858, 0.835, 0.815, 0.83, 0.78, 0.735, 0.855, 0.888, 0.9, 0.85, 0.895, 0.838, 0.886, 0.867,
    0.829, 0.872,
  ],
  HUF: [266, 270, 278, 314, 292, 297, 316, 316, 310, 310, 321, 330, 364, 369, 400, 383, 411, 385],
  PLN: [
    4.15, 4.1, 3.98, 4.46, 4.08, 4.15, 4.27, 4.26, 4.41, 4.18, 4.3, 4.26, 4.56, 4.6, 4.68, 4.34, 4.27, 4.21,
  ],
  SEK: [
    10.9, 10.25, 8.97, 8.91, 8.58, 8.86, 9.39, 9.19, 9.55, 9.84, 10.25, 10.45, 10.03, 10.25, 11.12, 11.1,
    11.46, 10.82,
  ],
  CHF: [
    1.49, 1.487, 1.25, 1.215, 1.207, 1.227, 1.2025, 1.084, 1.072, 1.17, 1.127, 1.085, 1.08, 1.033, 0.985,
    0.926, 0.941, 0.93,
  ],
  NOK: [
    9.75, 8.3, 7.8, 7.75, 7.35, 8.36, 9.04, 9.6, 9.09, 9.84, 9.95, 9.86, 10.47, 9.99, 10.51, 11.24, 11.8,
    11.84,
  ],
  HRK: [7.36, 7.3, 7.38, 7.54, 7.55, 7.63, 7.66, 7.64, 7.56, 7.44, 7.41, 7.44, 7.55, 7.52, 7.53],
  AUD: [
    1.99, 1.6, 1.31, 1.27, 1.27, 1.54, 1.48, 1.49, 1.46, 1.53, 1.62, 1.6, 1.59, 1.56, 1.57, 1.63, 1.67, 1.75,
  ],
  CAD: [
    1.7, 1.51, 1.33, 1.32, 1.31, 1.47, 1.41, 1.51, 1.42, 1.5, 1.56, 1.46, 1.56, 1.44, 1.44, 1.465, 1.495,
    1.61,
  ],
  NZD: [
    2.42, 1.98, 1.72, 1.67, 1.6, 1.67, 1.55, 1.59, 1.52, 1.685, 1.706, 1.665, 1.698, 1.658, 1.68, 1.75, 1.85,
    2.04,
  ],
  SGD: [
    2, 2.01, 1.72, 1.68, 1.61, 1.74, 1.61, 1.54, 1.52, 1.6, 1.56, 1.51, 1.62, 1.53, 1.43, 1.46, 1.416, 1.51,
  ],
};

/** The day after a currency's last rate: its column goes on with N/A. */
const endedOn: Record<string, number> = { HRK: dayNumber('2022-12-31'), BGN: dayNumber('2026-01-01') };
const pegged = new Set(['BGN']);

export const quoteCurrencies: readonly string[] = Object.keys(yearRates);

/** Units of `quote` for one euro, as the text that is published; undefined where the currency has none. */
export function rateOn(seed: number, quote: string, day: number): string | undefined {
  const anchors = yearRates[quote];
  if (anchors === undefined || day < firstRateDay || day >= (endedOn[quote] ?? Infinity)) return undefined;
  const base = lineBetween(anchors, day);
  if (pegged.has(quote)) return String(base);
  // The Danish krone is held within a hair of its central rate.
  const scale = quote === 'DKK' ? 0.0002 : 0.005;
  const phase = createRandom(`${seed}:ecb:${quote}`);
  let ripple = createRandom(`${seed}:ecb:${quote}:${day}`)() - 0.5;
  for (const periodDays of [23, 61, 151, 263]) ripple += Math.sin((day / periodDays + phase()) * 2 * Math.PI);
  return String(Number((base * (1 + ripple * scale)).toPrecision(5)));
}

/** Whether the ECB publishes on that day: weekdays but TARGET's closing days. */
export function isBusinessDay(day: number): boolean {
  const weekday = weekdayOf(day);
  if (weekday === 0 || weekday === 6) return false;
  const date = dayText(day);
  const monthDay = date.slice(5);
  if (['01-01', '05-01', '12-25', '12-26'].includes(monthDay)) return false;
  const easter = easterSunday(Number(date.slice(0, 4)));
  return day !== easter - 2 && day !== easter + 1;
}

function lineBetween(anchors: readonly number[], day: number): number {
  const year = Number(dayText(day).slice(0, 4));
  const start = Date.UTC(year, 0, 1) / dayMs;
  const part = (day - start) / (Date.UTC(year + 1, 0, 1) / dayMs - start);
  const index = year - firstYear;
  const last = anchors.at(-1) ?? 1;
  const from = anchors[index] ?? last;
  return from + ((anchors[index + 1] ?? last) - from) * part;
}

/** The Gregorian computus (Anonymous / Meeus). */
function easterSunday(year: number): number {
  const a = year % 19;
  const b = Math.floor(year / 100);
  const c = year % 100;
  const d = Math.floor(b / 4);
  const e = b % 4;
  const g = Math.floor((8 * b + 13) / 25);
  const h = (19 * a + b - d - g + 15) % 30;
  const j = Math.floor(c / 4);
  const k = c % 4;
  const m = Math.floor((a + 11 * h) / 319);
  const r = (2 * e + 2 * j - k - h + m + 32) % 7;
  const month = Math.floor((h - m + r + 90) / 25);
  const dayOfMonth = (h - m + r + month + 19) % 32;
  return Date.UTC(year, month - 1, dayOfMonth) / dayMs;
}
