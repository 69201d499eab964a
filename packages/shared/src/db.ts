/**
 * Postgres sessions. Owns the driver: nothing else imports `pg`.
 * A session is one server connection of its own (not a pool), so that temporary tables, advisory locks and COPY
 * belong to it; calls on it are serialised. Dates, numerics and 64-bit integers arrive as text, never as a float or
 * a local-time Date.
 */
import { pipeline } from 'node:stream/promises';

import { Kysely, PostgresDialect, type Transaction } from 'kysely';
import pg from 'pg';
import { from as copyFromStatement } from 'pg-copy-streams';

import { withTls } from './database-url.ts';
import type { Database } from './db.types.ts';
import { PipelineError } from './errors.ts';

export type { Database, Transaction };

export interface Session {
  readonly db: Kysely<Database>;
  /** Runs a `COPY … FROM STDIN` statement with the given text. */
  copyFrom(statement: string, text: string): Promise<void>;
  /** Aborts when the server connection ends without having been asked to. */
  readonly lost: AbortSignal;
  end(): Promise<void>;
}

const TEXT_TYPES = new Set([pg.types.builtins.DATE, pg.types.builtins.NUMERIC, pg.types.builtins.INT8]);

const types: pg.CustomTypesConfig = {
  getTypeParser(oid, format) {
    if (format !== 'binary' && TEXT_TYPES.has(oid)) return (text: string) => text;
    if (format !== 'binary' && oid === pg.types.builtins.TIMESTAMPTZ) return toIsoText;
    return pg.types.getTypeParser(oid, format) as unknown;
  },
};

/** `2026-11-21 09:00:00.5+00` as `2026-11-21T09:00:00.5Z`: the session's time zone is UTC. Infinity stays as it is. */
function toIsoText(text: string): string {
  return text.replace(' ', 'T').replace(/\+00$/, 'Z');
}

/**
 * Opens a session.
 * @throws PipelineError (type `load`, P0, retryable) when the server can't be reached or refuses.
 */
export async function connect(
  url: string,
  options: { readonly applicationName?: string } = {},
): Promise<Session> {
  const client = new pg.Client({
    connectionString: withTls(url),
    application_name: options.applicationName ?? 'floyo',
    types,
    keepAlive: true,
    connectionTimeoutMillis: 15_000,
  });
  const lost = new AbortController();
  let ending = false;
  const onLost = (cause: unknown) => {
    if (!ending) lost.abort(new PipelineError({ ...CONNECTION_LOST, cause }));
  };
  client.on('error', onLost);
  client.on('end', () => onLost(undefined));
  try {
    await client.connect();
    // A limit that the role or the database sets is meant for people's queries: it would break off every large load.
    await client.query("set timezone = 'UTC'; set statement_timeout = 0");
  } catch (cause) {
    ending = true;
    await client.end().catch(() => undefined);
    throw connectionError(url, cause);
  }

  // An error that ends the session is told here first: the socket's end comes after the query has failed.
  const onError = (error: unknown) => {
    if (SESSION_ENDED.test(sqlState(error) ?? '')) onLost(error);
  };
  const queue = createQueue();
  const db = new Kysely<Database>({
    dialect: new PostgresDialect({
      pool: {
        // Kysely holds the "pooled" connection for the length of a query or a transaction: the queue keeps turns.
        async connect() {
          const release = await queue.take();
          return { query: client.query.bind<pg.PoolClient['query']>(client), release };
        },
        end: () => Promise.resolve(),
        options: {},
      },
    }),
    log: (event) => {
      if (event.level === 'error') onError(event.error);
    },
  });

  return {
    db,
    lost: lost.signal,
    async copyFrom(statement, text) {
      const release = await queue.take();
      try {
        await pipeline([text], client.query(copyFromStatement(statement)));
      } catch (error) {
        onError(error);
        throw error;
      } finally {
        release();
      }
    },
    async end() {
      ending = true;
      await client.end();
    },
  };
}

/** Several connections for short statements of many callers at once. */
export interface Pool {
  /** Runs a statement that each connection prepares once, under the name. Rejects with what the driver throws. */
  query(
    name: string,
    text: string,
    values: readonly string[],
  ): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Waits for the statements under way. */
  end(): Promise<void>;
}

/**
 * Opens a pool; connections are made when they are needed, and anew after they were lost. `onLost` is told of one that
 * broke while nobody used it.
 */
export function openPool(
  url: string,
  options: {
    readonly applicationName: string;
    readonly max: number;
    readonly onLost: (error: Error) => void;
  },
): Pool {
  const pool = new pg.Pool({
    connectionString: withTls(url),
    application_name: options.applicationName,
    max: options.max,
    keepAlive: true,
    connectionTimeoutMillis: 5_000,
    query_timeout: 15_000,
    types,
  });
  pool.on('error', options.onLost);
  return {
    async query(name, text, values) {
      const { rows } = await pool.query<Record<string, unknown>>({ name, text, values: [...values] });
      return rows;
    },
    end: () => pool.end(),
  };
}

/** SQLSTATEs with which the server ends a session: shutdown, terminated by an administrator, idle too long. */
const SESSION_ENDED = /^(57P0[1-5]|25P03|25P04)$/;

const CONNECTION_LOST = {
  type: 'load',
  severity: 'P0',
  retryable: true,
  message: 'The database connection was lost',
  advice: 'What was committed is kept. Check the database, then run it again: it goes on where it stopped.',
} as const;

function connectionError(url: string, cause: unknown): PipelineError {
  const { hostname, port, pathname } = URL.canParse(url)
    ? new URL(url)
    : { hostname: '?', port: '', pathname: '' };
  return new PipelineError({
    type: 'load',
    severity: 'P0',
    retryable: true,
    message: `The database ${hostname}:${port || '5432'}${pathname} can't be reached: ${cause instanceof Error ? cause.message : String(cause)}`,
    advice:
      'Check DATABASE_URL (host, port, password) and that the database is up; one that speaks no TLS takes `?sslmode=disable`.',
    cause,
  });
}

interface Queue {
  /** Resolves when it is the caller's turn; the result gives the turn back. */
  take(): Promise<() => void>;
}

function createQueue(): Queue {
  let tail: Promise<undefined> = Promise.resolve(undefined);
  return {
    take() {
      const turn = Promise.withResolvers<undefined>();
      const before = tail;
      tail = turn.promise;
      return before.then(() => () => turn.resolve(undefined));
    },
  };
}

/** The SQLSTATE of a database error, or undefined for anything else. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}
