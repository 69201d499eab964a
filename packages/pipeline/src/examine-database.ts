/** What `floyo doctor` finds out about the database: its version, its mode, its schema, the role, what it was reported in. */
import { sql } from 'kysely';

import type { Finding } from '@floyo/shared/connector';
import { connect, type Session } from '@floyo/shared/db';
import { acquireEmbedded } from '@floyo/shared/embedded';
import { ConfigError, type PipelineError, toPipelineError } from '@floyo/shared/errors';
import { assertSessionMode } from '@floyo/shared/lock';
import { pendingMigrations } from '@floyo/shared/migrate';

import type { PipelineConfig } from './sources.ts';

/** NULLS NOT DISTINCT came with 15. */
const OLDEST_POSTGRES = 15;

/** A check that found nothing wrong. */
export function fine(check: string, message: string): Finding {
  return { check, level: 'ok', message, fix: null };
}

/** A check that failed, with the failure's own advice. */
export function broken(check: string, error: PipelineError): Finding {
  return {
    check,
    level: 'error',
    message: error.message,
    fix: error.advice ?? 'Correct what the message names, then run `pnpm floyo doctor` again.',
  };
}

/** Opens two sessions that last as long as `cleanup`; the first also serves accounts whose credential is stored. */
export async function examineDatabase(
  config: PipelineConfig,
  cleanup: AsyncDisposableStack,
): Promise<{ readonly findings: Finding[]; readonly session?: Session }> {
  try {
    let url = config.databaseUrl;
    if (url === undefined) {
      const server = await acquireEmbedded({ home: config.home });
      cleanup.defer(() => server.release());
      url = server.url;
    }
    const first = await connect(url, { applicationName: 'floyo doctor' });
    cleanup.defer(() => first.end());
    const second = await connect(url, { applicationName: 'floyo doctor' });
    cleanup.defer(() => second.end());
    const findings = [
      fine(
        'database',
        config.databaseUrl === undefined ? `The embedded Postgres in ${config.home}` : 'DATABASE_URL answers',
      ),
      await examineMode(first, second),
      ...(await examineServer(first)),
      ...(await examineSchema(first, config)),
    ];
    return { findings, session: first };
  } catch (error) {
    return { findings: [broken('database', toPipelineError(error))] };
  }
}

async function examineMode(first: Session, second: Session): Promise<Finding> {
  try {
    await assertSessionMode(first, second);
    return fine('database session mode', 'The connection holds its session: it can hold the lock');
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return {
      check: 'database session mode',
      level: 'error',
      message: 'DATABASE_URL goes through a transaction-mode pooler, which can hold no lock',
      fix: 'Use the direct connection or the pooler in session mode (Supabase: port 5432 instead of 6543).',
    };
  }
}

async function examineServer({ db }: Session): Promise<Finding[]> {
  const { rows } = await sql<{ version: number; version_text: string; read_only: boolean }>`
    select current_setting('server_version_num')::int / 10000 as version, current_setting('server_version') as version_text,
      current_setting('transaction_read_only')::boolean as read_only`.execute(db);
  const server = rows[0];
  if (server === undefined) return [];
  return [
    server.version >= OLDEST_POSTGRES
      ? fine('database version', `PostgreSQL ${server.version_text}`)
      : {
          check: 'database version',
          level: 'error',
          message: `PostgreSQL ${server.version_text} is older than ${OLDEST_POSTGRES}`,
          fix: 'Upgrade the database (on Supabase: project settings, infrastructure).',
        },
    ...(server.read_only ? [READ_ONLY] : []),
  ];
}

const READ_ONLY: Finding = {
  check: 'database writes',
  level: 'error',
  message: 'The database takes no writes: every run fails',
  fix: 'Supabase makes it read-only when the disk is full: free space or enlarge it, then make it writable again.',
};

async function examineSchema(session: Session, config: PipelineConfig): Promise<Finding[]> {
  const pending = await pendingMigrations(session);
  if (pending.length > 0)
    return [
      {
        check: 'database schema',
        level: 'error',
        message: `${pending.length} migrations are not applied, the first is ${pending[0] ?? ''}`,
        fix: 'Run `pnpm floyo migrate`.',
      },
    ];
  const { rows } = await sql<{ hidden: boolean; writes: boolean; role: string }>`
    select row_security_active('public.spend') as hidden, current_user::text as role,
      has_table_privilege('public.spend', 'insert, update, delete') and has_table_privilege('ops.runs', 'insert') as writes`.execute(
    session.db,
  );
  const role = rows[0];
  const settings = await session.db
    .selectFrom('ops.settings')
    .select(['reporting_timezone', 'reporting_currency'])
    .executeTakeFirst();
  return [
    fine('database schema', 'Every migration is applied'),
    role === undefined || role.hidden || !role.writes
      ? {
          check: 'database role',
          level: 'error',
          message: `The role ${role?.role ?? ''} ${role?.hidden === true ? 'is subject to row level security: it sees no rows' : 'may not write the tables'}`,
          fix: 'Use the role that ran the migrations (Supabase: postgres), or grant it bypassrls and the rights of service_role.',
        }
      : fine('database role', `${role.role} reads and writes all tables`),
    settings === undefined ||
    (settings.reporting_timezone === config.reporting.timezone &&
      settings.reporting_currency === config.reporting.currency)
      ? fine(
          'reporting',
          `Business days in ${config.reporting.timezone}, amounts in ${config.reporting.currency}`,
        )
      : {
          check: 'reporting',
          level: 'error',
          message: `The environment says ${config.reporting.timezone} and ${config.reporting.currency}, the stored values were made with ${settings.reporting_timezone} and ${settings.reporting_currency}`,
          fix: 'Set REPORTING_TIMEZONE and REPORTING_CURRENCY back, or move what is stored with `pnpm floyo metrics --full --rezone`.',
        },
  ];
}
