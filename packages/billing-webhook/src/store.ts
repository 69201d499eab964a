/**
 * Where events go: one call an event, one transaction, the same Postgres function behind each way to reach it. Owns what
 * a failure of that call means.
 */

/** What `public.stripe_apply` says of a change. */
export type Applied = 'processed' | 'ignored' | 'duplicate' | 'stale' | 'unchanged' | 'failed';

export interface EventStore {
  /** Applies an encoded change. Throws StoreError. */
  apply(change: string): Promise<Applied>;
  /** Resolves when the database answers and has the function. Throws StoreError. */
  check(): Promise<void>;
}

/**
 * transient: the same call may succeed when it is made again. content: the JSON is nothing that Postgres can hold.
 * defect: ours (a constraint, a mapping that the function does not take); trying again at once would not help.
 */
export type StoreFailure = 'transient' | 'content' | 'defect';

export class StoreError extends Error {
  readonly failure: StoreFailure;
  /** The SQLSTATE, when the database has spoken. */
  readonly code: string | undefined;

  constructor(message: string, code: string | undefined, cause?: unknown) {
    super(message, { cause });
    this.name = 'StoreError';
    this.code = code;
    this.failure = judge(code);
  }
}

/** Invalid or unstorable JSON: text that is none, NUL and half characters, numbers out of range, nesting without end. */
const CONTENT = new Set(['22P02', '22P05', '22003', '22021', '54001', '54000']);
/**
 * Lost connections (08), resources (53), operators (57), deadlocks and conflicts (40), locks (55), an I/O error (58); a
 * function or table that is not there (42883, 42P01) or can't be seen (PGRST) is a database that is being migrated.
 */
const TRANSIENT = /^(08|40|53|55|57|58|PGRST|42883|42P01)/;

function judge(code: string | undefined): StoreFailure {
  if (code === undefined || TRANSIENT.test(code)) return 'transient';
  return CONTENT.has(code) ? 'content' : 'defect';
}

const APPLIED: readonly Applied[] = ['processed', 'ignored', 'duplicate', 'stale', 'unchanged', 'failed'];

/** The function's answer. Throws StoreError for anything else. */
export function toApplied(answer: unknown): Applied {
  const applied = APPLIED.find((one) => one === answer);
  if (applied === undefined) throw new StoreError(`stripe_apply answered ${String(answer)}`, 'XX000');
  return applied;
}
