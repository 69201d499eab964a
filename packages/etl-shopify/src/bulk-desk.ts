/**
 * The bulk operations of one backfill: as many at once as Shopify takes, in the order in which their windows are read.
 * Operations run at Shopify by themselves; the desk starts the next ones whenever it is asked for one, so that while a
 * result is read those after it are made.
 */
import { performance } from 'node:perf_hooks';

import type { Io } from '@floyo/shared/connector';
import { PipelineError } from '@floyo/shared/errors';
import type { DayWindow } from '@floyo/shared/window';

import { type BulkOperation, cancelBulk, pollBulk, startBulk } from './bulk-operations.ts';
import { bulkQuery } from './bulk-query.ts';
import { ordersOf } from './days.ts';
import { pause } from './pause.ts';
import type { ShopifySession } from './session.ts';

/** Shopify runs five of an app at a shop at once. */
const MOST_AT_ONCE = 5;
const MOST_POLL_FACTOR = 15;

export interface BulkLimits {
  /** Backfills of more orders than this are read in bulk: paging reads 20 to 45 a second on the smallest plan. */
  readonly threshold: number;
  /** Between the first looks at an operation; they become fewer. */
  readonly pollMs: number;
  /** An operation that takes longer is stopped and its window halved: it may be stuck, or too much. */
  readonly longestMs: number;
  /** How long others may hold all slots before the window is paged. */
  readonly slotWaitMs: number;
}

export const bulkLimits: BulkLimits = {
  threshold: 50_000,
  pollMs: 1_000,
  longestMs: 2 * 3_600_000,
  slotWaitMs: 30 * 60_000,
};

/** How the operation of a window ended. */
export type BulkOutcome =
  | { readonly kind: 'completed'; readonly operation: BulkOperation }
  /** `isTooMuch`: fewer days may go through. */
  | { readonly kind: 'failed'; readonly reason: string; readonly isTooMuch: boolean };

export interface BulkDesk {
  has(window: DayWindow): boolean;
  /** Puts windows before those that wait. */
  putFirst(windows: readonly DayWindow[]): void;
  /** Starts what fits into the slots. */
  pump(io: Io): Promise<void>;
  /** Waits for the window's operation; afterwards the desk no longer has the window. */
  finish(window: DayWindow, io: Io): Promise<BulkOutcome>;
}

interface Order {
  readonly window: DayWindow;
  id: string | undefined;
}

export function createBulkDesk(
  session: ShopifySession,
  windows: readonly DayWindow[],
  limits: BulkLimits,
  startedAt: string,
): BulkDesk {
  let orders: Order[] = windows.map((window) => ({ window, id: undefined }));
  const find = (window: DayWindow): Order | undefined =>
    orders.find((order) => order.window.from === window.from && order.window.to === window.to);

  /** One after the other: windows may be read beside each other, and none may be started twice. */
  let pumping: Promise<void> = Promise.resolve();
  function pump(io: Io): Promise<void> {
    const next = (): Promise<void> => startNext(io);
    pumping = pumping.then(next, next);
    return pumping;
  }

  async function startNext(io: Io): Promise<void> {
    for (const order of orders.slice(0, MOST_AT_ONCE).filter(({ id }) => id === undefined)) {
      const text = bulkQuery(order.window, {
        search: ordersOf(order.window, io),
        withProducts: session.seesProducts,
        startedAt,
      });
      const operation = await startBulk(session, text, io);
      if (operation === undefined) return;
      order.id = operation.id;
    }
  }

  /** The id of the window's operation, or undefined when others held all slots for too long. */
  async function waitForSlot(order: Order, io: Io): Promise<string | undefined> {
    const begun = performance.now();
    for (let waits = 0; ; waits++) {
      if (order.id === undefined) await pump(io);
      if (order.id !== undefined) return order.id;
      if (performance.now() - begun > limits.slotWaitMs) return undefined;
      if (waits === 0)
        io.log.info({ shop: session.id }, 'all bulk operations of the app are taken; waiting for one');
      await pause(pollDelay(waits, limits), io.signal);
    }
  }

  async function waitForEnd(id: string, io: Io): Promise<BulkOutcome> {
    const begun = performance.now();
    for (let looks = 0; ; looks++) {
      const operation = await pollBulk(session, id, io);
      if (operation === undefined) return failed('Shopify no longer knows it', false);
      switch (operation.status) {
        case 'COMPLETED':
          return { kind: 'completed', operation };
        case 'FAILED':
          return failedOperation(session, operation);
        case 'CANCELED':
        case 'EXPIRED':
          return failed(`it was ${operation.status.toLowerCase()}`, false);
      }
      if (performance.now() - begun > limits.longestMs) {
        await cancelBulk(session, id, io);
        return failed('it took too long and was stopped', true);
      }
      await pause(pollDelay(looks, limits), io.signal);
    }
  }

  return {
    has: (window) => find(window) !== undefined,
    putFirst(more) {
      orders = [...more.map((window) => ({ window, id: undefined })), ...orders];
    },
    pump,
    async finish(window, io) {
      const order = find(window);
      if (order === undefined) throw new TypeError(`There is no bulk operation from ${window.from}`);
      const id = await waitForSlot(order, io);
      const outcome =
        id === undefined
          ? failed('other processes held all bulk operations', false)
          : await waitForEnd(id, io);
      orders = orders.filter((other) => other !== order);
      return outcome;
    },
  };
}

function failed(reason: string, isTooMuch: boolean): BulkOutcome {
  return { kind: 'failed', reason, isTooMuch };
}

function failedOperation(session: ShopifySession, { id, errorCode }: BulkOperation): BulkOutcome {
  if (errorCode === 'ACCESS_DENIED')
    throw new PipelineError({
      type: 'permission',
      message: `${session.id} denies a bulk operation access to orders`,
      advice: 'Give the app the scopes read_orders, read_customers and read_all_orders in this shop.',
      context: { shop: session.id, bulk_operation: id },
    });
  return failed(`it failed with ${errorCode ?? 'no code'}`, true);
}

/** Grows to 15 times the first pause. */
function pollDelay(count: number, { pollMs }: BulkLimits): number {
  return pollMs * Math.min(MOST_POLL_FACTOR, 1 + count / 2);
}
