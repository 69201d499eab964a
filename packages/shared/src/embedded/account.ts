/**
 * Which user the server runs as, and running a program as that user. Postgres refuses to run as root, so root hands
 * it to an unprivileged user that the machine already has; everybody else runs it as themselves.
 */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';

import { PipelineError } from '../errors.ts';

/** undefined stands for the user that runs this process. */
export type Account = { readonly uid: number; readonly gid: number } | undefined;

/** The ids of a user in the text of /etc/passwd. */
function findUser(passwd: string, name: string): Account {
  for (const line of passwd.split('\n')) {
    const [user, , uid, gid] = line.split(':');
    if (user === name && Number(uid) > 0 && Number(gid) > 0) return { uid: Number(uid), gid: Number(gid) };
  }
  return undefined;
}

/** The account for the server: for root `postgres`, else `nobody`; no user is ever created. */
export async function chooseAccount(): Promise<Account> {
  if (process.getuid?.() !== 0) return undefined;
  const passwd = await readFile('/etc/passwd', 'utf8');
  const account = findUser(passwd, 'postgres') ?? findUser(passwd, 'nobody');
  if (account !== undefined) return account;
  throw new PipelineError({
    type: 'config',
    message: 'Postgres does not run as root, and this machine has neither a user postgres nor nobody.',
    advice: 'Run the command as an ordinary user, or set DATABASE_URL to a Postgres of your own.',
  });
}

interface Finished {
  /** The exit code; -1 when the program could not be started or was killed. */
  readonly code: number;
  readonly output: string;
}

/** Runs a program as `account` in a process group of its own, so that Ctrl-C in the terminal does not reach it. */
export function runAs(account: Account, file: string, args: readonly string[]): Promise<Finished> {
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      ...account,
      cwd: '/',
      // Nothing of PG* or LD_* may leak in; LC_ALL=C keeps the server independent of the machine's locales.
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', (error) => {
      resolve({ code: -1, output: error.message });
    });
    child.on('close', (code) => {
      resolve({ code: code ?? -1, output: Buffer.concat(chunks).toString('utf8').trim() });
    });
  });
}

/**
 * Whether the account may go to `folder` through every folder above it, and write there if asked. Asked by trying,
 * because modes alone do not know access lists and mount options.
 */
export async function canUse(account: Account, folder: string, need: 'enter' | 'write'): Promise<boolean> {
  const test = need === 'write' ? '-w' : '-x';
  const { code } = await runAs(account, '/bin/sh', ['-c', `cd -- "$1" && test ${test} .`, 'sh', folder]);
  return code === 0;
}
