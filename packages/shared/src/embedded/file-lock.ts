/**
 * Locks between processes that need no cleaning up: SQLite's file locks, which the kernel drops the moment a process
 * ends, however it ends. So there are no stale lock files, no process ids that may have been reused, and no clocks.
 */
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';

import { PipelineError } from '../errors.ts';

export interface FileLock {
  release(): void;
}

/** How often a waiting process looks again. */
const pollMs = 20;
/** SQLITE_BUSY: another connection, here or in another process, holds the lock. */
const busyCode = 5;

/** Open files, kept from the garbage collector: collected, a file is closed and its lock gone. */
const open = new Set<DatabaseSync>();

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === busyCode;
}

function lock(path: string, take: (file: DatabaseSync) => void): FileLock | undefined {
  let file: DatabaseSync | undefined;
  try {
    file = new DatabaseSync(path, { timeout: 0 });
    take(file);
  } catch (error) {
    file?.close();
    if (isBusy(error)) return undefined;
    throw new PipelineError({
      type: 'lock',
      message: `The lock file ${path} can't be used.`,
      advice:
        'Give its folder to the user that runs the commands, or set DATABASE_URL to a Postgres of your own.',
      cause: error,
    });
  }
  const held = file;
  open.add(held);
  return {
    release() {
      if (open.delete(held)) held.close();
    },
  };
}

/** Takes `path` alone; undefined when anyone holds it, shared or alone. */
export function tryExclusive(path: string): FileLock | undefined {
  return lock(path, (file) => {
    file.exec('begin exclusive');
  });
}

/** Takes `path` together with other sharers; undefined when someone holds it alone. */
export function tryShared(path: string): FileLock | undefined {
  return lock(path, (file) => {
    file.exec('begin');
    // A read is what takes the shared lock; it is held until the transaction ends.
    file.prepare('select count(*) from sqlite_master').get();
  });
}

/** Waits until `path` can be taken alone; `onWait` is called once, when someone else has it. */
export async function waitExclusive(path: string, onWait: () => void): Promise<FileLock> {
  for (let first = true; ; first = false) {
    const taken = tryExclusive(path);
    if (taken !== undefined) return taken;
    if (first) onWait();
    await pause(pollMs);
  }
}
