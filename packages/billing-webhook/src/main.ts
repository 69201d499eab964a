/** `pnpm --filter @floyo/billing-webhook start`: the webhook as a process, and its sweeper. Exit 2 for configuration. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import { readConfig, secretValues } from '@floyo/shared/config';
import { connect, openPool, type Session } from '@floyo/shared/db';
import { ConfigError } from '@floyo/shared/errors';
import { createLogger } from '@floyo/shared/log';
import { repositoryRoot } from '@floyo/shared/paths';
import { createRedactor } from '@floyo/shared/redact';

import { stripeConfig } from './config.ts';
import { createHandler } from './handler.ts';
import { startServer } from './server.ts';
import { createNodeVerifier } from './signature-node.ts';
import { type EventStore, StoreError } from './store.ts';
import { createPgStore } from './store-pg.ts';
import { createSupabaseStore } from './store-supabase.ts';
import { rereadInDoubt } from './stripe/in-doubt.ts';
import { sweepFailed } from './sweep.ts';
import { webhookConfig } from './webhook-config.ts';

const SWEEP_EVERY_MS = 60_000;
/** As many deliveries as are worked on at once; the others wait their turn. */
const CONNECTIONS = 10;

const dotenv = process.env['FLOYO_ENV_FILE'] ?? join(repositoryRoot, '.env');
if (existsSync(dotenv)) process.loadEnvFile(dotenv);

const redactor = createRedactor(secretValues([webhookConfig], process.env));
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

async function main(): Promise<void> {
  const config = readConfig(webhookConfig, process.env);
  if (config === undefined) return;
  const log = createLogger({ level: config.logLevel, redactor }).child({ pkg: 'billing-webhook' });
  await using cleanup = new AsyncDisposableStack();

  function openPgStore(url: string): EventStore {
    const pool = openPool(url, {
      applicationName: 'floyo webhook',
      max: CONNECTIONS,
      onLost: (error) => log.warn({ error: error.message }, 'a database connection was lost'),
    });
    cleanup.defer(() => pool.end());
    return createPgStore(pool);
  }

  const { target } = config;
  const store = 'supabase' in target ? createSupabaseStore(target.supabase) : openPgStore(target.databaseUrl);
  await requireSchema(store, log);
  const handler = createHandler({
    store,
    verify: createNodeVerifier(config.secrets),
    livemode: config.livemode,
    log,
    now: Date.now,
    sleep: wait,
  });
  const server = await startServer(handler, config.port);
  log.info({ port: server.port, livemode: config.livemode, secrets: config.secrets.length }, 'listening');
  const sweeping = 'supabase' in target ? undefined : sweepUntilStopped(target.databaseUrl, log);
  await new Promise((resolve) => stop.signal.addEventListener('abort', resolve, { once: true }));
  log.info({}, 'stopping');
  await server.close();
  await sweeping;
}

type Log = ReturnType<typeof createLogger>;

/** A database that is down may come back; one without the schema needs a person. */
async function requireSchema(store: EventStore, log: Log): Promise<void> {
  try {
    await store.check();
  } catch (error) {
    if (error instanceof StoreError && error.code !== undefined && /^(42|PGRST)/.test(error.code))
      throw new ConfigError([
        { variable: 'DATABASE_URL', message: `${error.message}: run \`pnpm floyo migrate\`` },
      ]);
    log.error(
      { error: String(error) },
      'the database does not answer; deliveries are answered 500 until it does',
    );
  }
}

/** Objects that events left in doubt are read from the API. Stripe being away is told, and no reason to stop. */
async function reread(session: Session, log: Log): Promise<void> {
  const key = readConfig(stripeConfig, process.env);
  if (key === undefined) return;
  try {
    const { read, gone, failures } = await rereadInDoubt({ session, key, signal: stop.signal });
    if (read > 0) log.info({ read, gone }, 'objects in doubt read again');
    for (const failure of failures)
      log.warn({ error: failure.message }, 'objects in doubt could not be read');
  } catch (error) {
    if (stop.signal.aborted) return;
    log.warn({ error: String(error) }, 'objects in doubt could not be read');
  }
}

/** Failed events are tried again as they come due, doubts settled; on the edge the scheduled run does it. */
async function sweepUntilStopped(url: string, log: Log): Promise<void> {
  while (!stop.signal.aborted) {
    try {
      const session = await connect(url, { applicationName: 'floyo webhook sweeper' });
      try {
        const retried = await sweepFailed(session);
        if (retried.length > 0)
          log.info(
            { tried: retried.length, failed: retried.filter(({ status }) => status === 'failed').length },
            'failed events tried again',
          );
        await reread(session, log);
      } finally {
        await session.end();
      }
    } catch (error) {
      log.error({ error: String(error) }, 'failed events could not be tried again');
    }
    await wait(SWEEP_EVERY_MS, undefined, { signal: stop.signal }).catch(() => undefined);
  }
}

try {
  await main();
} catch (error) {
  const problems = error instanceof ConfigError ? error.problems : undefined;
  if (problems === undefined) process.stderr.write(`${redactor.text(String(error))}\n`);
  for (const { variable, message } of problems ?? [])
    process.stderr.write(`✗ ${variable} ${redactor.text(message)}\n`);
  process.exitCode = problems === undefined ? 1 : 2;
}
