/**
 * Reads one window of one stream and commits it: pages -> schema -> rows -> stage, then one transaction with rows,
 * coverage and cursor. What fails validation is set aside page by page; more than 5 % of a window fails the window.
 */
import { retryConflicts } from './apply-loader.ts';
import type { Account, AnyConnector, AnyStream, Io } from './connector.ts';
import { writeCoverage } from './coverage.ts';
import type { Database, Transaction } from './db.ts';
import { readConfirmed } from './empty-window.ts';
import { PipelineError } from './errors.ts';
import { refuseForeignRows } from './foreign-rows.ts';
import type { LoadCounts, Loader, RecordKey } from './load.ts';
import { mapRecord } from './map-record.ts';
import {
  keptWarning,
  listOpenRejects,
  quarantine,
  type Reject,
  resolveRejects,
  resolveReplayed,
  standInId,
  tooManyRejects,
} from './rejects.ts';
import type { RunContext } from './runner.ts';
import type { ShapeTally } from './shape.ts';
import type { DayWindow, InstantWindow } from './window.ts';

/** What a stream's windows of a run add up to. */
export interface StreamCounts extends LoadCounts {
  read: number;
  rejected: number;
  metadata: Record<string, unknown>;
}

/** Work that has to commit with the window: its cursor. */
export type Alongside = (trx: Transaction<Database>) => Promise<void>;

export interface WindowReader {
  /**
   * Reads whole days: afterwards the account's rows of these days are exactly the vendor's. Rows of rejects stay as they
   * were; with a reject whose id can't be told any row may be its own, so that none is deleted, and a warning says so.
   * Days without any record empty what is stored only when that is confirmed (`empty-window.ts`).
   */
  readDays(window: DayWindow, timezone: string, alongside?: Alongside): Promise<void>;
  /** Reads what changed; `covers` are the days that are whole once this window is in. */
  readChanges(
    window: InstantWindow,
    options: {
      readonly covers: { readonly window: DayWindow; readonly timezone: string } | undefined;
      readonly alongside: Alongside;
    },
  ): Promise<void>;
  /** Reads records one by one, whatever their day; those of `gone` that do not come are deleted, as `readDays` does. */
  readRecords(
    pages: AsyncIterable<readonly unknown[]>,
    window: DayWindow,
    gone: readonly string[],
    alongside: Alongside,
  ): Promise<void>;
  /** Maps the records that were set aside again and merges those that are valid now; deletes nothing. */
  replay(): Promise<void>;
}

/** What reading the pages of a window came to; its rows are staged. */
interface ReadPages {
  readonly read: number;
  /** The rejects whose id can be told, and how many there are whose can't. */
  readonly rejected: readonly RecordKey[];
  readonly nameless: number;
}

export function createWindowReader(options: {
  readonly run: RunContext;
  readonly connector: AnyConnector;
  readonly stream: AnyStream;
  readonly account: Account;
  readonly io: Io;
  readonly counts: StreamCounts;
  readonly loader: Loader;
  readonly shape: ShapeTally | undefined;
}): WindowReader {
  const { run, connector, stream, account, io, counts, loader, shape } = options;
  const scope = stream.parent.scope(account.id);
  const rejectKey = { agent: connector.agent, accountId: account.id, stream: stream.name };
  const streamKey = {
    source: connector.source,
    accountId: account.id,
    stream: stream.coversAs ?? stream.name,
  };
  const { runId } = run.ledger;

  async function readPages(
    pages: AsyncIterable<readonly unknown[]>,
    window: DayWindow | InstantWindow,
    wholeDays?: DayWindow,
  ): Promise<ReadPages> {
    const rejected: RecordKey[] = [];
    let read = 0;
    let nameless = 0;
    await loader.clear();
    for await (const page of pages) {
      const rejects: Reject[] = [];
      for (const record of page) {
        shape?.count(record);
        const mapped = mapRecord(stream, record, account, run.reporting);
        if (mapped.ok) {
          await loading(loader.add(mapped.rows));
          continue;
        }
        const key = stream.identify(record);
        if (key === undefined) nameless++;
        else rejected.push(key);
        rejects.push({
          ...(key ?? { externalId: standInId(record, wholeDays) }),
          reasons: mapped.reasons,
          payload: record,
        });
      }
      if (stream.parent.applyWith !== undefined) await applyPage();
      read += page.length;
      counts.read += page.length;
      counts.rejected += rejects.length;
      if (rejects.length > 0) await runWrite((trx) => quarantine(trx, rejectKey, rejects, runId));
      run.progress({
        agent: connector.agent,
        accountId: account.id,
        stream: stream.name,
        window,
        rowsRead: counts.read,
      });
    }
    await loading(loader.flush());
    return { read, rejected, nameless };
  }

  /** Changes stand by themselves: a page of them commits at once, so that the webhook never waits for a whole window. */
  async function applyPage(): Promise<void> {
    await loading(loader.flush());
    const stage = `stage_${stream.parent.table}`;
    run.signal.throwIfAborted();
    const apply = () =>
      run.write(async (trx) => {
        await resolveRejects(trx, rejectKey, { runId, stage });
        return loader.apply(trx, { scope, runId });
      });
    addCounts(await loading(retryConflicts(apply)));
    await loader.clear();
  }

  async function commit(
    pages: ReadPages,
    window: DayWindow | InstantWindow,
    work: {
      readonly replace: DayWindow | undefined;
      readonly covers: { readonly window: DayWindow; readonly timezone: string } | undefined;
      readonly readAt: string;
      readonly alongside: Alongside | undefined;
      readonly gone?: { readonly ids: readonly string[]; readonly window: DayWindow };
    },
  ): Promise<void> {
    const { read, rejected, nameless } = pages;
    const loaded = await runWrite(async (trx) => {
      const foreign = await refuseForeignRows(trx, loader, { scope, rejectKey, runId });
      counts.rejected += foreign;
      // Of records that were asked for one by one a share says nothing: the same bad one would fail every sweep.
      const refusal =
        work.gone === undefined
          ? tooManyRejects(stream.name, { window, read, rejected: rejected.length + nameless + foreign })
          : undefined;
      // Returned, not thrown: what was set aside is committed all the same.
      if (refusal !== undefined) return refusal;
      await resolveRejects(trx, rejectKey, {
        runId,
        stage: `stage_${stream.parent.table}`,
        ...(work.replace ? { window: work.replace } : {}),
      });
      const applied = await loader.apply(trx, {
        scope,
        runId,
        ...(work.replace
          ? { replace: { window: work.replace, keep: nameless > 0 ? ('all' as const) : rejected } }
          : {}),
        ...(work.gone && nameless === 0 ? { gone: withoutRejected(work.gone.ids, rejected) } : {}),
      });
      if (work.covers)
        await writeCoverage(trx, streamKey, {
          ...work.covers,
          readAt: work.readAt,
          restatementDays: stream.restatementDays,
          runId,
          // Changes do not read what else there is of a day.
          settings: work.replace && stream.settings?.(account),
        });
      await work.alongside?.(trx);
      return applied;
    });
    if (loaded instanceof PipelineError) throw loaded;
    addCounts(loaded);
    // Changes that a function applies delete nothing.
    const deletesIn = stream.parent.applyWith === undefined ? (work.replace ?? work.gone?.window) : undefined;
    if (nameless > 0 && deletesIn !== undefined) {
      const key = { source: connector.source, ...rejectKey };
      await warn(keptWarning(key, { window: deletesIn, read, nameless }));
    }
  }

  async function warn(warning: PipelineError): Promise<void> {
    run.warn(`${connector.agent} ${account.id}: ${warning.message}`);
    await run.ledger.writeError({ agent: connector.agent, accountId: account.id }, warning);
  }

  function addCounts(loaded: LoadCounts): void {
    counts.inserted += loaded.inserted;
    counts.updated += loaded.updated;
    counts.unchanged += loaded.unchanged;
    counts.deleted += loaded.deleted;
  }

  async function runWrite<T>(work: (trx: Transaction<Database>) => Promise<T>): Promise<T> {
    run.signal.throwIfAborted();
    return loading(run.write(work));
  }

  /** What the database refuses is a failure of loading, whatever the driver calls it. */
  async function loading<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (error instanceof PipelineError || run.session.lost.aborted) throw error;
      throw new PipelineError({
        type: 'load',
        message: `Loading ${stream.name} into ${stream.parent.table} failed: ${error instanceof Error ? error.message : String(error)}`,
        advice:
          'Nothing of this window was written. Check the database (`floyo migrate`, free space, locks); the next run reads the window again.',
        context: { table: stream.parent.table },
        cause: error,
      });
    }
  }

  return {
    async readDays(window, timezone, alongside) {
      const readAt = run.now().toString();
      const read = () => readPages(stream.readDays(account, window, io), window, window);
      const days = { connector, stream, account, window };
      const { pages, warning } = await readConfirmed(days, { db: run.session.db, io, read });
      await commit(pages, window, { replace: window, covers: { window, timezone }, readAt, alongside });
      if (warning !== undefined) await warn(warning);
    },
    async readChanges(window, { covers, alongside }) {
      if (stream.changes === undefined) throw new TypeError(`${stream.name} tells no changes`);
      const pages = await readPages(stream.changes.read(account, window, io), window);
      await commit(pages, window, { replace: undefined, covers, readAt: window.to, alongside });
    },
    async readRecords(records, window, gone, alongside) {
      const readAt = run.now().toString();
      const pages = await readPages(records, window);
      await commit(pages, window, {
        replace: undefined,
        covers: undefined,
        readAt,
        alongside,
        gone: { ids: gone, window },
      });
    },
    async replay() {
      await loader.clear();
      const still: Reject[] = [];
      const open = await listOpenRejects(run.session.db, rejectKey);
      const mappedIds: string[] = [];
      for (const { id, external_id, date, payload } of open) {
        const mapped = mapRecord(stream, payload, account, run.reporting);
        if (mapped.ok) {
          await loading(loader.add(mapped.rows));
          mappedIds.push(id);
        } else
          still.push({
            externalId: external_id,
            ...(date === null ? {} : { date }),
            reasons: mapped.reasons,
            payload,
          });
      }
      await loading(loader.flush());
      counts.read += open.length;
      counts.rejected += still.length;
      await runWrite(async (trx) => {
        await quarantine(trx, rejectKey, still, runId);
        counts.rejected += await refuseForeignRows(trx, loader, { scope, rejectKey, runId });
        await resolveReplayed(trx, rejectKey, { runId, ids: mappedIds });
        addCounts(await loader.apply(trx, { scope, runId }));
      });
    },
  };
}

/** A record that came but was rejected exists at the vendor. */
function withoutRejected(gone: readonly string[], rejected: readonly RecordKey[]): string[] {
  const came = new Set(rejected.map(({ externalId }) => externalId));
  return gone.filter((externalId) => !came.has(externalId));
}
