/** The webhook as a process of its own, as `start` runs it: for tests that kill it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { SECRET, sign } from './webhook.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

export interface WebhookProcess {
  readonly url: string;
  readonly child: ChildProcess;
  /** Everything it has logged so far. */
  log(): string;
  /** Sends the signal and waits for the end; the exit code, null after a kill. */
  stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null>;
}

/** Starts it on a free port, or on the one that another one had, and waits until it listens. */
export async function startWebhookProcess(databaseUrl: string, port = 0): Promise<WebhookProcess> {
  const child = spawn(process.execPath, [MAIN], {
    env: {
      PATH: process.env['PATH'],
      PORT: String(port),
      DATABASE_URL: databaseUrl,
      STRIPE_SECRET_KEY: 'sk_live_abcdef',
      STRIPE_WEBHOOK_SECRET: SECRET,
      FLOYO_ENV_FILE: '/nonexistent',
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  const listening = Promise.withResolvers<number>();
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    const found = /"port":(\d+).*"listening"/.exec(text)?.[1];
    if (found !== undefined) listening.resolve(Number(found));
  });
  child.once('exit', (code) =>
    listening.reject(new Error(`The webhook ended with ${String(code)}: ${text}`)),
  );
  listening.promise.catch(() => undefined);
  return {
    url: `http://127.0.0.1:${String(await listening.promise)}`,
    child,
    log: () => text,
    async stop(signal) {
      child.kill(signal);
      return ended;
    },
  };
}

/** Delivers one event; undefined when the connection broke. */
export async function deliver(url: string, event: unknown): Promise<number | undefined> {
  const body = JSON.stringify(event);
  try {
    const response = await fetch(`${url}/webhooks/stripe`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', 'stripe-signature': sign(body) },
      signal: AbortSignal.timeout(10_000),
    });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return undefined;
  }
}
