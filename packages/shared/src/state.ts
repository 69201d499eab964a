/**
 * What agents remember between runs: versioned values by (agent, scope, key), written by compare-and-set.
 * At most 10 KB an agent: it is for cursors and decisions, not for data.
 */
import { sql } from 'kysely';

import type { Database, Session, Transaction } from './db.ts';
import { PipelineError } from './errors.ts';

type Executor = Session['db'] | Transaction<Database>;

export interface StateKey {
  readonly agent: string;
  /** What it is about, e.g. an account and stream; '' for the agent as a whole. */
  readonly scope: string;
  readonly key: string;
}

export interface Memory {
  readonly value: unknown;
  readonly version: number;
}

const MAX_BYTES = 10_240;

/** What was remembered, with its version, or undefined. */
export async function recall(db: Executor, { agent, scope, key }: StateKey): Promise<Memory | undefined> {
  const row = await db
    .selectFrom('ops.agent_state')
    .select(['value', 'version'])
    .where('agent', '=', agent)
    .where('scope', '=', scope)
    .where('key', '=', key)
    .executeTakeFirst();
  return row && { value: row.value, version: row.version };
}

/**
 * Remembers a value. `expected` is the version that was recalled (0: nothing was there); when somebody else has
 * written since, nothing is written and this throws.
 * @returns the new version.
 * @throws PipelineError when the version moved on, or the agent would remember more than 10 KB.
 */
export async function remember(
  db: Executor,
  state: StateKey,
  value: unknown,
  expected: number,
): Promise<number> {
  const { agent, scope, key } = state;
  const json = JSON.stringify(value);
  const { rows: sizes } = await sql<{ bytes: number }>`
    select coalesce(sum(octet_length(value::text)), 0)::int as bytes from ops.agent_state
    where agent = ${agent} and (scope, key) <> (${scope}, ${key})`.execute(db);
  const bytes = (sizes[0]?.bytes ?? 0) + Buffer.byteLength(json);
  if (bytes > MAX_BYTES)
    throw new PipelineError({
      type: 'internal',
      message: `Agent ${agent} would remember ${bytes} bytes; the limit is ${MAX_BYTES}`,
      advice: 'State is for cursors and decisions. Put data into a table of its own, or forget old keys.',
      context: { agent, scope, key },
    });
  const { rows } = await (
    expected === 0
      ? sql<{ version: number }>`
          insert into ops.agent_state (agent, scope, key, value) values (${agent}, ${scope}, ${key}, ${json}::jsonb)
          on conflict (agent, scope, key) do nothing returning version`
      : sql<{ version: number }>`
          update ops.agent_state set value = ${json}::jsonb, version = version + 1, updated_at = now()
          where agent = ${agent} and scope = ${scope} and key = ${key} and version = ${expected} returning version`
  ).execute(db);
  const version = rows[0]?.version;
  if (version === undefined)
    throw new PipelineError({
      type: 'lock',
      severity: 'P1',
      message: `State ${agent}/${scope}/${key} was changed by somebody else since version ${expected} was read`,
      advice: 'Recall it again and decide anew.',
      retryable: true,
    });
  return version;
}

/** Forgets a value. */
export async function forget(db: Executor, { agent, scope, key }: StateKey): Promise<void> {
  await db
    .deleteFrom('ops.agent_state')
    .where('agent', '=', agent)
    .where('scope', '=', scope)
    .where('key', '=', key)
    .execute();
}
