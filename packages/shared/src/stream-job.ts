/** What is known of one stream of one account while it is read, and what comes of it. Shared by the steps of a reading. */
import { createApplyLoader } from './apply-loader.ts';
import type { Account, AnyStream, Io } from './connector.ts';
import type { Session } from './db.ts';
import type { PipelineError } from './errors.ts';
import { createLoader, type Loader } from './load.ts';
import type { Drift } from './reconcile.ts';
import type { RunContext } from './runner.ts';
import type { PlanInput } from './stream-plan.ts';
import type { StreamCounts, WindowReader } from './window-reader.ts';

/** What came of a stream, besides its rows. */
export interface StreamReading {
  readonly counts: StreamCounts;
  /** Over all windows that were read: half-open; null when none was. */
  readonly span: { from: string | null; to: string | null };
  /** What people should know although nothing failed: drift, changed fields, records set aside. */
  readonly warnings: PipelineError[];
}

/** The reading of one stream while it goes on. */
export interface Job extends StreamReading {
  readonly run: RunContext;
  readonly input: PlanInput & { readonly account: Account };
  readonly io: Io;
  /** Works with a window reader on a session of the pool. */
  readonly withReader: <T>(read: (reader: WindowReader, session: Session) => Promise<T>) => Promise<T>;
  /** What the comparison with the vendor's totals came to so far. */
  readonly totals: { days: number; readonly drift: Drift[]; failure?: PipelineError };
}

/** An empty reading, filled as the stream is read, so that a failure leaves what was done. */
export function createReading(): StreamReading {
  const counts = { read: 0, inserted: 0, updated: 0, unchanged: 0, deleted: 0, rejected: 0, metadata: {} };
  return { counts, span: { from: null, to: null }, warnings: [] };
}

/** Takes the window into what the reading spans. */
export function widen(
  span: StreamReading['span'],
  window: { readonly from: string; readonly to: string },
): void {
  if (span.from === null || window.from < span.from) span.from = window.from;
  if (span.to === null || window.to > span.to) span.to = window.to;
}

/** Loaders are made once a session and stream: their staging tables stay. */
const loaders = new WeakMap<Session, Map<AnyStream, Promise<Loader>>>();

/** The loader of a stream on a session. */
export function loaderOf(session: Session, stream: AnyStream): Promise<Loader> {
  const known = loaders.get(session) ?? new Map<AnyStream, Promise<Loader>>();
  loaders.set(session, known);
  const create = stream.parent.applyWith === undefined ? createLoader : createApplyLoader;
  const loader = known.get(stream) ?? create(session, stream);
  known.set(stream, loader);
  loader.catch(() => known.delete(stream));
  return loader;
}
