/**
 * The sessions that a run reads with: a scheduled run has one, a backfill as many as its agents. Each window is read on
 * one of them at a time. Between windows the gate lets others have the lock, once nobody is in the middle of one.
 */
import PQueue from 'p-queue';

import type { Session } from './db.ts';
import type { Write } from './lock.ts';

/** A session with the fenced writes of the run. */
export interface Reader {
  readonly session: Session;
  readonly write: Write;
}

/** What happens between windows: a backfill gives the lock to whoever waits for it. */
export interface Gate {
  /** Whether somebody waits; asked after every window. */
  readonly wanted: () => Promise<boolean>;
  /** Called while no window is being read; reading goes on when it resolves. */
  readonly open: () => Promise<unknown>;
}

export interface ReaderPool {
  readonly size: number;
  /** Runs `work` on a free session, first come first served. */
  use<T>(work: (reader: Reader) => Promise<T>): Promise<T>;
}

/** A pool over these sessions, which stay the caller's to end. */
export function createReaderPool(readers: readonly Reader[], gate?: Gate): ReaderPool {
  const queue = new PQueue({ concurrency: readers.length });
  const free = [...readers];
  let opening: Promise<void> | undefined;

  async function openGate(): Promise<void> {
    if (gate === undefined || opening !== undefined || !(await gate.wanted())) return opening;
    opening ??= (async () => {
      queue.pause();
      try {
        await queue.onPendingZero();
        await gate.open();
      } finally {
        queue.start();
        opening = undefined;
      }
    })();
    return opening;
  }

  return {
    size: readers.length,
    async use(work) {
      const result = await queue.add(async () => {
        const reader = free.pop();
        if (reader === undefined) throw new Error('more windows are read at once than there are sessions');
        try {
          return await work(reader);
        } finally {
          free.push(reader);
        }
      });
      await openGate();
      return result;
    },
  };
}
