/**
 * One Postgres server in one folder: makes its data, starts it, finds it running, stops it. The caller holds the
 * home's lock, so nobody else starts or stops it meanwhile.
 */
import { execFile } from 'node:child_process';
import { readFile, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';

import { PipelineError } from '../errors.ts';
import { runAs } from './account.ts';
import type { Binaries } from './binaries.ts';
import type { Place } from './place.ts';

export const superuser = 'postgres';

const pollMs = 20;
/** The port is free when chosen, yet someone may take it before Postgres does. */
const startAttempts = 3;

interface Postmaster {
  readonly pid: number;
  readonly port: number;
  readonly status: string;
}

const dataFolder = (place: Place): string => join(place.folder, 'data');
const logFile = (place: Place): string => join(place.folder, 'server.log');

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The command line of a process; undefined when there is no such process, empty when it is dead and not cleared up. */
export async function readCommandLine(pid: number): Promise<string | undefined> {
  if (process.platform === 'linux') return readOptional(`/proc/${pid}/cmdline`).catch(() => undefined);
  const shown = await promisify(execFile)('ps', ['-o', 'args=', '-p', String(pid)]).catch(() => undefined);
  return shown?.stdout;
}

/**
 * What postmaster.pid says about the server (line 1 pid, 4 port, 8 status), if that server is alive. After a crash
 * of the machine the file may be left over and its pid belong to any other program.
 */
async function findPostmaster(place: Place): Promise<Postmaster | undefined> {
  const data = dataFolder(place);
  const file = join(data, 'postmaster.pid');
  const lines = (await readOptional(file))?.split('\n');
  if (lines === undefined) return undefined;
  const pid = Number(lines[0]);
  const commandLine = await readCommandLine(pid);
  if (commandLine?.includes(data) === true)
    return { pid, port: Number(lines[3]), status: lines[7]?.trim() ?? '' };
  // A dead pid Postgres clears up itself, after looking for children left behind; another program's pid it would
  // take for a running server.
  if (commandLine !== undefined) await rm(file, { force: true });
  return undefined;
}

/** Waits until a server that is coming up or going down has done so. */
async function settle(place: Place): Promise<Postmaster | undefined> {
  for (;;) {
    const postmaster = await findPostmaster(place);
    if (postmaster === undefined || postmaster.status === 'ready') return postmaster;
    await pause(pollMs);
  }
}

function failure(place: Place, what: string, output: string): PipelineError {
  return new PipelineError({
    type: 'config',
    severity: 'P0',
    message: `The embedded Postgres in ${place.folder} ${what}: ${output}`,
    advice: `Look at ${logFile(place)}, or set DATABASE_URL to a Postgres of your own.`,
  });
}

async function makeData(place: Place, binaries: Binaries, durable: boolean): Promise<void> {
  const made = (await readOptional(join(dataFolder(place), 'PG_VERSION')))?.trim();
  if (made === binaries.major) return;
  if (made !== undefined) {
    throw failure(place, 'has data of another version', `PostgreSQL ${made} instead of ${binaries.major}`);
  }
  // Made under another name first: a process killed in the middle leaves nothing that looks like a database.
  const unfinished = join(place.folder, 'data.unfinished');
  await rm(unfinished, { recursive: true, force: true });
  const { code, output } = await runAs(place.account, binaries.initdb, [
    `--pgdata=${unfinished}`,
    `--username=${superuser}`,
    '--auth=trust',
    '--encoding=UTF8',
    '--locale=C',
    ...(durable ? [] : ['--no-sync']),
  ]);
  if (code !== 0) throw failure(place, 'could not be created', output);
  await rename(unfinished, dataFolder(place));
}

async function findFreePort(): Promise<number> {
  const probe = createServer();
  return new Promise((resolve, reject) => {
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => {
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
  });
}

/** Settings of the command line win over the files, so that old data get new settings too. */
function serverOptions(port: number, durable: boolean): string {
  const settings = [
    'listen_addresses=127.0.0.1',
    "unix_socket_directories=''",
    'timezone=UTC',
    'log_timezone=UTC',
    // Many short statements: compiling them costs more than it saves.
    'jit=off',
    ...(durable ? [] : ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off']),
  ];
  return [`-p ${port}`, ...settings.map((setting) => `-c ${setting}`)].join(' ');
}

async function start(place: Place, binaries: Binaries, durable: boolean): Promise<void> {
  let output = '';
  for (let attempt = 1; attempt <= startAttempts; attempt += 1) {
    const options = serverOptions(await findFreePort(), durable);
    // pg_ctl puts the server into a session of its own: it outlives the command that started it.
    const started = await runAs(place.account, binaries.pgCtl, [
      'start',
      '--silent',
      '--wait',
      `--pgdata=${dataFolder(place)}`,
      `--log=${logFile(place)}`,
      `--options=${options}`,
    ]);
    if (started.code === 0) return;
    output = started.output;
  }
  const log = (await readOptional(logFile(place))) ?? '';
  throw failure(place, 'did not start', `${output}\n${log.split('\n').slice(-10).join('\n')}`.trim());
}

/** Finds the server running or starts it, making its data first if there are none; returns its port. */
export async function ensureRunning(place: Place, binaries: Binaries, durable: boolean): Promise<number> {
  const running = await settle(place);
  if (running !== undefined) return running.port;
  await makeData(place, binaries, durable);
  await start(place, binaries, durable);
  const started = await settle(place);
  if (started === undefined) throw failure(place, 'stopped at once', 'it was there and is gone');
  return started.port;
}

/** Stops the server if it runs; connections still open are cut, committed work stays. */
export async function ensureStopped(place: Place, binaries: Binaries): Promise<void> {
  if ((await settle(place)) === undefined) return;
  const { code, output } = await runAs(place.account, binaries.pgCtl, [
    'stop',
    '--silent',
    '--wait',
    '--mode=fast',
    `--pgdata=${dataFolder(place)}`,
  ]);
  if (code !== 0 && (await settle(place)) !== undefined) throw failure(place, 'did not stop', output);
}
