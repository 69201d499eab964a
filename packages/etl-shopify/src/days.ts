/** The search for orders of whole days, and the days that an app may not see. */
import type { Io } from '@floyo/shared/connector';
import { PipelineError } from '@floyo/shared/errors';
import { type DayWindow, toInstants } from '@floyo/shared/window';

import type { ShopifySession } from './session.ts';

/** What Shopify shows without the scope read_all_orders. */
export const VISIBLE_DAYS = 60;
const DAY_MS = 86_400_000;

/** Instants in quotes and both bounds: Shopify's search takes nothing else for a stretch of time. */
export function between(field: 'processed_at' | 'updated_at', from: string, to: string): string {
  return `${field}:>='${from}' AND ${field}:<'${to}'`;
}

/** The orders that were processed on these business days. */
export function ordersOf(window: DayWindow, io: Io): string {
  const { from, to } = toInstants(window, io.reporting.timezone);
  return between('processed_at', from, to);
}

/** Shopify leaves older orders out without a word, which would look like days without sales. */
export function refuseHiddenDays(session: ShopifySession, window: DayWindow, io: Io): void {
  if (session.seesAllOrders) return;
  const begin = Date.parse(toInstants(window, io.reporting.timezone).from);
  if (begin >= io.now().epochMilliseconds - VISIBLE_DAYS * DAY_MS) return;
  throw new PipelineError({
    type: 'permission',
    message: `${session.id} hides orders older than ${VISIBLE_DAYS} days from the app, so the days from ${window.from} can't be read whole`,
    advice:
      'Ask for the scope read_all_orders in the app’s settings, install it again, or read later days only.',
    context: { shop: session.id, from: window.from, to: window.to },
  });
}
