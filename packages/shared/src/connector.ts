/**
 * What a source declares. A connector knows its vendor and no Postgres; the runner knows Postgres and no vendor.
 * Data flows one way: read (pages of unknown) -> schema -> toRows -> load -> cover.
 */
import type { Insertable, Kysely } from 'kysely';
import type { Temporal } from 'temporal-polyfill';
import type { z } from 'zod';

import type { ConfigSection } from './config.ts';
import type { Session as DatabaseSession } from './db.ts';
import type { Database, Json } from './db.types.ts';
import type { PipelineError } from './errors.ts';
import type { HttpClient } from './http.ts';
import type { LoadCounts } from './load.ts';
import type { Write } from './lock.ts';
import type { Logger } from './log.ts';
import type { Day, DayWindow, InstantWindow } from './window.ts';

/** The sources, in the order in which a run takes them. */
export const SOURCES = ['fx', 'meta', 'tiktok', 'shopify', 'stripe', 'posthog'] as const;
export type SourceName = (typeof SOURCES)[number];

/** Tables that connectors may load. */
export type LoadTable =
  | 'spend'
  | 'orders'
  | 'order_items'
  | 'refunds'
  | 'fx_rates'
  | 'events'
  | 'event_user_days'
  | 'billing_events'
  | 'billing_objects';

/** A row to load; who loaded it and when is the loader's to write. */
export type LoadRow<T extends LoadTable> = Omit<
  Insertable<Database[T]>,
  'synced_at' | 'run_id' | JsonColumn<T>
> & {
  readonly [C in JsonColumn<T>]: object;
};

/** Columns of JSON: the loader writes them from objects, so that it can take out what Postgres can't store. */
type JsonColumn<T extends LoadTable> = {
  [C in keyof Database[T]]: Database[T][C] extends Json ? C : never;
}[keyof Database[T]];

/** What one record becomes: rows by table, or changes that the stream's function applies. */
export type LoadRows = { readonly [T in LoadTable]?: readonly LoadRow<T>[] } & {
  readonly changes?: readonly LoadChange[];
};

/** A change that a function of the database takes whole (`ParentTable.applyWith`). */
export interface LoadChange {
  readonly externalId: string;
  /** What it locks: a page is applied in the order of these, so that it and another transaction don't wait for each other. */
  readonly lock: string;
  readonly change: object;
}

/** The stream's main table. */
export interface ParentTable {
  readonly table: LoadTable;
  /** The columns of the grain: the conflict target of the upsert. */
  readonly key: readonly string[];
  /** The columns that say whose row it is, e.g. `{source: 'meta', account_id: '123'}`: nothing outside is ever touched. */
  readonly scope: (accountId: string) => Readonly<Record<string, string>>;
  /** A row whose stored value in this column is newer is left alone, with its children. */
  readonly newerThan?: string;
  /**
   * A function of the database that takes each change of the records (`LoadRows.changes`) and decides what becomes of it,
   * such as `ops.stripe_load`. Changes stand by themselves, so that each page commits when it is in; coverage and the
   * cursor commit after the last one.
   */
  readonly applyWith?: string;
}

/** A table whose rows belong to a row of the parent table and are replaced with it, as a whole. */
export interface ChildTable {
  readonly table: LoadTable;
  readonly key: readonly string[];
  /** The column that holds the parent's external_id. */
  readonly parentColumn: string;
}

/** One account as the vendor describes it. */
export interface Account {
  /** As in design §2: ad account number, advertiser id, `name.myshopify.com`, `ecb`. */
  readonly id: string;
  /** IANA name of the calendar in which the vendor reports this account's days. */
  readonly timezone: string;
  readonly currency: string | null;
  /** For people, when the vendor tells one. */
  readonly name?: string;
}

/** The zone and currency that the stored days and values are made with. */
export interface Reporting {
  readonly timezone: string;
  readonly currency: string;
}

/**
 * Keeps for one account what its vendor replaces while we use it, such as a rotating refresh token. The connector seals
 * what it stores: the database sees no secret.
 */
export interface SecretStore {
  /** What was stored last, as this process sees it now; undefined when nothing was. */
  load(key: string): Promise<string | undefined>;
  /**
   * Stores `next`, durably before it returns, if what stands there is still `previous`.
   * @returns false when somebody else stored in between; nothing is stored then
   */
  replace(key: string, previous: string | undefined, next: string): Promise<boolean>;
}

/** What a connector may use of the world; everything else is an argument too. */
export interface Io {
  /** Counts calls, retries and waits for one account, and keeps the vendor's waits. */
  readonly http: HttpClient;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly now: () => Temporal.Instant;
  readonly reporting: Reporting;
  /** Absent where nothing can be kept, e.g. without a database. */
  readonly secrets?: SecretStore;
}

/**
 * Names of environment variables and their values in force, which decide what a stream's rows mean. People read them in
 * warnings: never a secret.
 */
export type Settings = Readonly<Record<string, string>>;

/** What a vendor has of a day, e.g. by event the number of records and the latest arrival. Compared as JSON. */
export type DayFigures = Readonly<Record<string, readonly (string | number)[] | string | number>>;

/**
 * One kind of record of a source.
 * `Session` is what `open` returned for the account; `Raw` is inferred from `schema`.
 */
export interface Stream<Session extends Account, Raw> {
  readonly name: string;
  /** The only kind of reading that takes this stream; both do unless told. */
  readonly only?: 'scheduled' | 'backfill';
  /** Under which stream's name the days that it reads are covered; its own unless told. */
  readonly coversAs?: string;
  readonly parent: ParentTable;
  readonly children: readonly ChildTable[];
  /** Whose calendar the days are: the account's own, or the reporting one. */
  readonly calendar: 'account' | 'reporting';
  /** Where a first run begins: so many days before today, or a fixed day. Older days are for a backfill. */
  readonly firstRun: { readonly daysBack: number } | { readonly since: Day };
  /** Days that go on changing after they ended; they are read again in every run until then. */
  readonly restatementDays: number;
  /** The longest window that one `readDays` may be asked for. Each window is one transaction. */
  readonly maxWindowDays: number;
  /**
   * The settings that its rows are made with. Whole days remember them (`ops.coverage.settings`); as long as some were
   * read with others than those in force, every run says which and what to do.
   */
  readonly settings?: (session: Session) => Settings;
  /** The first day that the vendor still tells on `today`, where it forgets days: nobody is asked to read older ones again. */
  readonly earliestDay?: (today: Day) => Day;
  /** The shape a record must have; what fails is quarantined, not loaded. */
  readonly schema: z.ZodType<Raw>;
  /** The row's external_id and, when its grain has one, day, read off a record that may be malformed; undefined when it can't be told. */
  readonly identify: (record: unknown) => { readonly externalId: string; readonly date?: Day } | undefined;
  /**
   * Reads whole days of the account, a page of records at a time. Returning normally says that the window is complete:
   * a cap, a truncation or a short page has to throw. Throws WindowTooLargeError to be asked for fewer days.
   */
  readonly readDays: (session: Session, window: DayWindow, io: Io) => AsyncIterable<readonly unknown[]>;
  /**
   * Reads every record that changed in a stretch of time, whatever its day. With it, scheduled runs read changes since
   * the cursor and `readDays` serves the first run and backfills.
   */
  readonly changes?: {
    readonly read: (session: Session, window: InstantWindow, io: Io) => AsyncIterable<readonly unknown[]>;
    /** How far a window reaches back behind the cursor: what the vendor's index shows late. */
    readonly overlapMs: number;
    /** How far a window stays behind now: what the vendor's index does not show yet. */
    readonly lagMs: number;
    /** The longest window that one `read` is asked for. */
    readonly maxWindowMs: number;
    /**
     * How far back the vendor tells changes, where it forgets them. A first run reads them from there on; when the cursor
     * is older, days are read whole again from where it stopped.
     */
    readonly reachMs?: number;
  };
  /** After a reading, replays left out: what the source has to look after itself in what is stored. */
  readonly tend?: (session: Session, desk: Desk, io: Io) => Promise<Tended>;
  /**
   * For a vendor that tells cheaply what it has of a day. Scheduled runs ask for it first and read only the days on which
   * it differs from what was told when their rows were read, or on which rows are missing here; days that are the same
   * are covered without reading.
   */
  readonly figures?: {
    /** By day; a day that is left out has no records. Throws WindowTooLargeError to be asked for fewer days. */
    readonly read: (session: Session, window: DayWindow, io: Io) => Promise<ReadonlyMap<Day, DayFigures>>;
  };
  /**
   * The vendor's own totals, to compare with what is stored of days that have ended, and to confirm that days without
   * records are empty, today included: `measures` are numeric columns of the parent table, or `rows` for their number. A
   * day that the vendor leaves out has a total of 0.
   */
  readonly totals?: {
    readonly measures: readonly string[];
    readonly read: (
      session: Session,
      window: DayWindow,
      io: Io,
    ) => Promise<ReadonlyMap<Day, Readonly<Record<string, string>>>>;
  };
  /** The fields that records have, to notice when the vendor adds or drops some. */
  readonly shape?: {
    /** Names (dotted when nested) of the fields that a record holds. */
    readonly fieldsOf: (record: unknown) => readonly string[];
    /** Those that are known; another one is told once. */
    readonly known: readonly string[];
    /** Those that every record has; a missing one is told once. */
    readonly always: readonly string[];
  };
  /** Told the windows of a backfill before they are read: may cut or join them, and start slow work ahead. */
  readonly prepareBackfill?: (
    session: Session,
    windows: readonly DayWindow[],
    io: Io,
  ) => Promise<readonly DayWindow[]>;
  /** Once a day: which records the vendor has, to find those that were missed, changed unseen, or deleted. */
  readonly sweep?: {
    /** How many days back, today included. */
    readonly days: number;
    /** Every record of whole days by its external_id and when it was last updated (an ISO instant). */
    readonly readIds: (
      session: Session,
      window: DayWindow,
      io: Io,
    ) => AsyncIterable<readonly { readonly externalId: string; readonly updatedAt: string }[]>;
    /** Whole records by external_id; one that is gone meanwhile is left out. */
    readonly readRecords: (
      session: Session,
      externalIds: readonly string[],
      io: Io,
    ) => AsyncIterable<readonly unknown[]>;
    /** A boolean column of the parent table: rows where it is false are read again however unchanged they look. */
    readonly unfinished?: string;
  };
  /** Pure: one record to rows. Throws to quarantine the record, its message being the reason. */
  readonly toRows: (record: Raw, session: Session, reporting: Reporting) => LoadRows;
}

/** What a stream that tends what is stored may use of the database. */
export interface Desk {
  readonly work: 'scheduled' | 'backfill';
  readonly runId: string;
  readonly session: DatabaseSession;
  readonly db: Kysely<Database>;
  /** A transaction of the run, which fails when the run no longer holds the lock. */
  readonly write: Write;
  /** Today in the stream's calendar. */
  readonly today: Day;
  /** Counted with the stream's rows. */
  readonly count: (counts: Partial<LoadCounts>) => void;
}

/** What came of it: for the result's metadata, and what people should know although nothing failed. */
export interface Tended {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly warnings: readonly PipelineError[];
}

/** A stream whose session and record types are closed over. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the only place where streams of different types meet
export type AnyStream = Stream<any, any>;

/** One source. */
export interface Connector<Config, Session extends Account> {
  readonly source: SourceName;
  readonly agent: string;
  readonly config: ConfigSection<Config>;
  /** The account ids of the configuration, in its order, without calling the vendor. */
  readonly accounts: (config: Config) => readonly string[];
  /** Asks the vendor about one account (zone, currency) and checks what must hold before reading it. */
  readonly open: (config: Config, accountId: string, io: Io) => Promise<Session>;
  readonly streams: readonly AnyStream[];
  /** Checks one account for `doctor` without reading its data; errors of the vendor become findings too. */
  readonly examine?: (config: Config, accountId: string, io: Io) => Promise<readonly Finding[]>;
}

/** What `doctor` found: `fix` says what to do, null when all is well. */
export interface Finding {
  readonly check: string;
  readonly level: 'ok' | 'warning' | 'error';
  readonly message: string;
  readonly fix: string | null;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the only place where connectors of different types meet
export type AnyConnector = Connector<any, any>;

/** Gives a stream literal its types, `Raw` from its schema. */
export function defineStream<Session extends Account, Raw>(
  stream: Stream<Session, Raw>,
): Stream<Session, Raw> {
  return stream;
}

/** Gives a connector literal its types. */
export function defineConnector<Config, Session extends Account>(
  connector: Connector<Config, Session>,
): Connector<Config, Session> {
  return connector;
}
