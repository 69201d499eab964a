/** The sandbox as a process of its own, so that its memory is not taken for the pipeline's. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

import { z } from 'zod';

import { repositoryRoot } from '@floyo/shared/paths';

const announcementSchema = z.object({ url: z.string(), env: z.record(z.string(), z.string()) });

export interface SandboxProcess extends AsyncDisposable {
  /** The variables that point the pipeline at it. */
  readonly env: Readonly<Record<string, string>>;
  /** Moves its clock, and forgets the requests so far. */
  setClock(now: string): Promise<void>;
}

/** Starts it on a free port. */
export async function startSandboxProcess(now: string): Promise<SandboxProcess> {
  const child = spawn(
    process.execPath,
    [join(repositoryRoot, 'packages/sandbox/src/main.ts'), '--port', '0', '--now', now, '--json'],
    { stdio: ['ignore', 'pipe', 'inherit'], env: {} },
  );
  const { url, env } = announcementSchema.parse(JSON.parse(await firstLine(child)));
  const ask = async (path: string, init: RequestInit) => {
    const response = await fetch(`${url}/_sandbox/${path}`, init);
    if (!response.ok) throw new Error(`The sandbox answered ${response.status} to ${path}`);
  };
  return {
    env,
    async setClock(instant) {
      await ask('clock', { method: 'POST', body: JSON.stringify({ now: instant }) });
      await ask('requests', { method: 'DELETE' });
    },
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('The sandbox has no output');
  let text = '';
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    text += String(chunk);
    if (text.includes('\n')) break;
  }
  return text;
}
