/**
 * The webhook as a Supabase Edge Function: the handler that Node runs, over Supabase's own API. Knows no runtime: the
 * function's entry hands in environment, output and clock. Failed events are tried again by the scheduled run.
 */
import { type Env, readConfig } from '@floyo/shared/config';
import { ConfigError } from '@floyo/shared/errors';

import { createHandler, type HandlerLog } from './handler.ts';
import { createVerifier } from './signature.ts';
import { createSupabaseStore } from './store-supabase.ts';
import { webhookConfig } from './webhook-config.ts';

/** The function's name is where its URL begins. */
const BASE_PATH = '/stripe-webhook';

export interface EdgeWorld {
  readonly env: Env;
  /** One line of JSON of the log. */
  readonly write: (line: string) => void;
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
}

/**
 * The function's handler. Supabase gives it SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY by itself.
 * @throws ConfigError with every problem of the environment
 */
export function createEdgeHandler({
  env,
  write,
  now,
  sleep,
}: EdgeWorld): (request: Request) => Promise<Response> {
  // The database itself is for Node: here every call would open a connection.
  const config = readConfig(webhookConfig, { ...env, DATABASE_URL: undefined });
  if (config === undefined || !('supabase' in config.target))
    throw new ConfigError([{ variable: 'SUPABASE_URL', message: 'is not set' }]);
  const { secrets, livemode, target } = config;
  return createHandler({
    store: createSupabaseStore(target.supabase),
    verify: createVerifier(secrets),
    livemode,
    log: createLog(write, now),
    now,
    sleep,
    basePath: BASE_PATH,
  });
}

function createLog(write: (line: string) => void, now: () => number): HandlerLog {
  const at = (level: string) => (fields: object, msg: string) =>
    write(
      JSON.stringify({ level, ts: new Date(now()).toISOString(), pkg: 'billing-webhook', ...fields, msg }),
    );
  return { info: at('info'), warn: at('warn'), error: at('error') };
}
