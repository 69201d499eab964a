/**
 * The embedded Postgres: what the commands use when DATABASE_URL is unset, and the tests always. Any number of
 * processes share one server per home; the last one to let go stops it.
 */
import { existsSync } from 'node:fs';
import { mkdir, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { sql } from 'kysely';

import { connect } from './db.ts';
import { chooseAccount } from './embedded/account.ts';
import type { Binaries } from './embedded/binaries.ts';
import { prepareBinaries } from './embedded/binaries.ts';
import type { FileLock } from './embedded/file-lock.ts';
import { tryExclusive, tryShared, waitExclusive } from './embedded/file-lock.ts';
import type { Place } from './embedded/place.ts';
import { preparePlace } from './embedded/place.ts';
import { ensureRunning, ensureStopped, superuser } from './embedded/server.ts';

/** Held alone while the server is started or stopped. */
const mutexFile = 'postgres.lock';
/** Held together by all processes that use the server. */
const usersFile = 'postgres.users';

interface EmbeddedOptions {
  /** The folder that the server belongs to, `.floyo` of the repository for the commands. Made when missing. */
  readonly home: string;
  /** The database to make when it is missing; `floyo` by default. */
  readonly database?: string;
  /** false trades safety in a crash of the machine for speed: only for data that are thrown away. */
  readonly durable?: boolean;
  /** Told what takes time: waiting for another command, starting. */
  readonly log?: (message: string) => void;
}

export interface EmbeddedPostgres {
  /** `postgres://postgres@127.0.0.1:<port>/<database>`; the user is a superuser. */
  readonly url: string;
  /** Lets go of the server and stops it when nobody else uses it. Harmless when called again. */
  release(): Promise<void>;
}

/**
 * Gives a running Postgres with an empty or already used database; UTC, UTF8, locale C.
 *
 * It listens on 127.0.0.1 only and asks for no password, so any user of this machine can read and change it: for
 * development, demos and tests. A process that is killed needs no cleaning up: its claim on the server ends with it,
 * and the server it leaves behind serves the next command, whose end stops it.
 * Throws a PipelineError with advice when the platform has no binaries or the server can't start.
 */
export async function acquireEmbedded(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { database = 'floyo', durable = true, log = () => undefined } = options;
  await mkdir(options.home, { recursive: true });
  const home = await realpath(options.home);
  const mutex = await waitExclusive(join(home, mutexFile), () => {
    log('waiting for another command that starts or stops the embedded Postgres');
  });
  let claim: FileLock | undefined;
  try {
    claim = tryShared(join(home, usersFile));
    const { place, binaries } = await prepareServer(home);
    const port = await ensureRunning(place, binaries, durable);
    const server = `postgres://${superuser}@127.0.0.1:${port}`;
    await ensureDatabase(`${server}/postgres`, database);
    let released: Promise<unknown> | undefined;
    return {
      url: `${server}/${database}`,
      async release() {
        claim?.release();
        released ??= whenUnused(home, ensureStopped);
        await released;
      },
    };
  } catch (error) {
    claim?.release();
    throw error;
  } finally {
    mutex.release();
  }
}

/**
 * Stops the home's server and deletes its data and the home, for homes that are made for one use.
 * @returns false, having done nothing, while another process uses the server.
 */
export async function removeEmbedded(home: string): Promise<boolean> {
  if (!existsSync(home)) return true;
  return whenUnused(home, async (place, binaries) => {
    await ensureStopped(place, binaries);
    await rm(place.folder, { recursive: true, force: true });
    await rm(home, { recursive: true, force: true });
  });
}

/** Runs `work` with the home's server if no living process uses it, and keeps new users waiting meanwhile. */
async function whenUnused(
  path: string,
  work: (place: Place, binaries: Binaries) => Promise<void>,
): Promise<boolean> {
  const home = await realpath(path);
  const mutex = await waitExclusive(join(home, mutexFile), () => undefined);
  try {
    const lastUser = tryExclusive(join(home, usersFile));
    if (lastUser === undefined) return false;
    try {
      const { place, binaries } = await prepareServer(home);
      await work(place, binaries);
      return true;
    } finally {
      lastUser.release();
    }
  } finally {
    mutex.release();
  }
}

async function prepareServer(home: string): Promise<{ place: Place; binaries: Binaries }> {
  const place = await preparePlace(home, await chooseAccount());
  return { place, binaries: await prepareBinaries(place.account) };
}

async function ensureDatabase(url: string, database: string): Promise<void> {
  const session = await connect(url);
  try {
    const found = await sql`select 1 from pg_database where datname = ${database}`.execute(session.db);
    if (found.rows.length === 0) await sql`create database ${sql.id(database)}`.execute(session.db);
  } finally {
    await session.end();
  }
}
