import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { connect } from './db.ts';
import { acquireEmbedded, type EmbeddedPostgres, removeEmbedded } from './embedded.ts';
import { PipelineError } from './errors.ts';

const isRoot = process.getuid?.() === 0;
const children: ChildProcess[] = [];
let base = '';

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'floyo-embedded-'));
  await chmod(base, 0o755);
});

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await rm(base, { recursive: true, force: true });
});

const acquire = (home: string): Promise<EmbeddedPostgres> => acquireEmbedded({ home, durable: false });

/** Another command: uses the home's server until its stdin ends. Prints the URL first. */
async function startUser(
  home: string,
): Promise<{ url: string; child: ChildProcess; end: () => Promise<void> }> {
  const program = `
    import { acquireEmbedded } from ${JSON.stringify(new URL('./embedded.ts', import.meta.url).href)};
    const server = await acquireEmbedded({ home: process.argv[1], durable: false });
    console.log(server.url);
    process.stdin.on('end', () => void server.release()).resume();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, home], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const exited = once(child, 'exit');
  const [line] = await Promise.race([once(child.stdout, 'data'), exited.then(() => [''])]);
  return {
    url: String(line).trim(),
    child,
    async end() {
      child.stdin.end();
      await exited;
    },
  };
}

async function answers(url: string): Promise<boolean> {
  try {
    await (await connect(url)).end();
    return true;
  } catch {
    return false;
  }
}

async function read(url: string, expression: string): Promise<unknown> {
  const session = await connect(url);
  try {
    return (await sql<{ value: unknown }>`select ${sql.raw(expression)} as value`.execute(session.db)).rows[0]
      ?.value;
  } finally {
    await session.end();
  }
}

describe('the embedded Postgres', () => {
  it('keeps its data from one command to the next, in UTC and UTF8', async () => {
    const home = join(base, 'one', '.floyo');
    const first = await acquireEmbedded({ home });
    const session = await connect(first.url);
    await sql`create table kept as select 'Zürich' as place`.execute(session.db);
    await session.end();
    await first.release();
    expect(await answers(first.url)).toBe(false);

    const second = await acquireEmbedded({ home });
    expect(await read(second.url, '(select place from kept)')).toBe('Zürich');
    expect(await read(second.url, "current_setting('server_encoding') || current_setting('fsync')")).toBe(
      'UTF8on',
    );
    expect(await read(second.url, "current_setting('listen_addresses')")).toBe('127.0.0.1');
    expect(new URL(second.url).pathname).toBe('/floyo');
    await second.release();
    await second.release();
  });

  it('is one server for commands that start at once, and the last of them stops it', async () => {
    const home = join(base, 'shared');
    const [one, two, here] = await Promise.all([startUser(home), startUser(home), acquire(home)]);
    expect(new Set([one.url, two.url, here.url]).size).toBe(1);
    await one.end();
    await here.release();
    expect(await answers(two.url)).toBe(true);
    await two.end();
    expect(await answers(two.url)).toBe(false);
  });

  it('is not held up by a command that was killed, and its server is used again', async () => {
    const home = join(base, 'killed');
    const victim = await startUser(home);
    const gone = once(victim.child, 'exit');
    victim.child.kill('SIGKILL');
    await gone;
    const next = await acquire(home);
    expect(next.url).toBe(victim.url);
    await next.release();
    expect(await answers(next.url)).toBe(false);
  });

  it('starts after a crash of the machine whose postmaster.pid now names another program', async () => {
    const home = join(base, 'crashed');
    const first = await acquire(home);
    const data = String(await read(first.url, "current_setting('data_directory')"));
    const pidFile = join(data, 'postmaster.pid');
    const [, ...rest] = (await readFile(pidFile, 'utf8')).split('\n');
    await first.release();
    const { uid, gid } = await stat(data);
    // Of the server's own user, as Postgres takes such a process for a running server.
    const other = spawn('/bin/sh', ['-c', 'read -r line'], isRoot ? { uid, gid } : {});
    children.push(other);
    await writeFile(pidFile, [other.pid, ...rest].join('\n'));
    await chown(pidFile, uid, gid);

    const second = await acquire(home);
    expect(await answers(second.url)).toBe(true);
    expect(other.exitCode ?? other.signalCode).toBeNull();
    await second.release();
    expect(await answers(second.url)).toBe(false);
  });

  it('says what to do when it can’t start', async () => {
    const home = join(base, 'broken');
    await (await acquire(home)).release();
    await writeFile(join(home, 'postgres', 'data', 'postgresql.conf'), 'no_such_setting = 1\n');
    const failure: unknown = await acquire(home).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(PipelineError);
    expect(failure).toMatchObject({ message: expect.stringContaining('no_such_setting') as unknown });
    expect(failure).toMatchObject({ advice: expect.stringContaining('DATABASE_URL') as unknown });
  });

  it('is not removed under a command that uses it', async () => {
    const home = join(base, 'in-use');
    const server = await acquire(home);
    await removeEmbedded(home);
    expect(await answers(server.url)).toBe(true);
    await server.release();
    await removeEmbedded(home);
    await expect(stat(home)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it.runIf(isRoot)('works for root in a folder that is closed to others', async () => {
    const closed = join(base, 'closed');
    await mkdir(closed, { mode: 0o700 });
    const home = join(closed, 'clone', '.floyo');
    const first = await acquire(home);
    const data = String(await read(first.url, "current_setting('data_directory')"));
    expect(data.startsWith(base)).toBe(false);
    expect(await readFile(join(home, 'postgres-is-elsewhere.txt'), 'utf8')).toContain(dirname(data));
    await first.release();
    const second = await acquire(home);
    expect(await read(second.url, "current_setting('data_directory')")).toBe(data);
    await second.release();
    await removeEmbedded(home);
    await expect(stat(dirname(data))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(stat(home)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
