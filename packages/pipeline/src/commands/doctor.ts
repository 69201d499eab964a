/**
 * `floyo doctor`: configuration, database and every account, each finding with what to do about it. Reads no data and
 * writes nothing. It goes on past what is broken: one problem must not hide the next.
 */
import { sql } from 'kysely';

import type { Account, Finding, Io } from '@floyo/shared/connector';
import { connect, type Session } from '@floyo/shared/db';
import { acquireEmbedded } from '@floyo/shared/embedded';
import { ConfigError, type PipelineError, toPipelineError } from '@floyo/shared/errors';
import { createHttpClient } from '@floyo/shared/http';
import { assertSessionMode } from '@floyo/shared/lock';
import { createLogger } from '@floyo/shared/log';
import { pendingMigrations } from '@floyo/shared/migrate';
import { createRedactor } from '@floyo/shared/redact';
import { createSecretStore } from '@floyo/shared/secret-store';

import { print, type World } from '../app.ts';
import { formatTable, paint, type Terminal } from '../print/style.ts';
import { clockOf } from '../run.ts';
import { type ConfiguredSource, inspectSettings, type PipelineConfig, readSecrets } from '../sources.ts';

/** NULLS NOT DISTINCT came with 15. */
const OLDEST_POSTGRES = 15;

/** Prints what was found; 0 when nothing is an error, 2 when the configuration is one, else 1. */
export async function doctorCommand(world: World, json: boolean): Promise<number> {
  const redactor = createRedactor(readSecrets(world.env));
  const { config, sources, problems } = inspectSettings(world.env);
  const findings: Finding[] = problems.map(({ variable, message }) => ({
    check: `configuration ${variable}`,
    level: 'error',
    message: `${variable} ${message}`,
    fix: `Correct ${variable}; .env.example says what it is for.`,
  }));
  if (problems.length === 0) findings.push(fine('configuration', describeSources(sources)));
  if (config !== undefined) {
    await using cleanup = new AsyncDisposableStack();
    const database = await examineDatabase(config, cleanup);
    findings.push(...database.findings);
    for (const source of sources)
      findings.push(...(await examineSource(world, config, source, database.session)));
  }
  const told = findings.map((finding) => redactor.value(finding));
  const ok = told.every(({ level }) => level !== 'error');
  print({ json, streams: world.streams }, { ok, findings: told }, format(told, world.streams.stdout));
  if (problems.length > 0) return 2;
  return ok ? 0 : 1;
}

function describeSources(sources: readonly ConfiguredSource[]): string {
  const names = sources.map(
    ({ connector, config }) => `${connector.source} (${connector.accounts(config).length})`,
  );
  return `Configured: ${names.join(', ')}`;
}

function fine(check: string, message: string): Finding {
  return { check, level: 'ok', message, fix: null };
}

function broken(check: string, error: PipelineError): Finding {
  return {
    check,
    level: 'error',
    message: error.message,
    fix: error.advice ?? 'Correct what the message names, then run `pnpm floyo doctor` again.',
  };
}

/** Opens two sessions that last as long as `cleanup`; the first also serves accounts whose credential is stored. */
async function examineDatabase(
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
  const { rows } = await sql<{
    version: number;
    version_text: string;
    role: string;
    bypasses: boolean;
    read_only: boolean;
  }>`
    select current_setting('server_version_num')::int / 10000 as version, current_setting('server_version') as version_text,
      current_user::text as role, (select rolsuper or rolbypassrls from pg_roles where rolname = current_user) as bypasses,
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

async function examineSource(
  world: World,
  config: PipelineConfig,
  source: ConfiguredSource,
  session: Session | undefined,
): Promise<Finding[]> {
  const { connector } = source;
  const findings: Finding[] = [];
  for (const accountId of connector.accounts(source.config)) {
    const check = `${connector.source} ${accountId}`;
    const secrets =
      session &&
      createSecretStore(
        session,
        (work) => session.db.transaction().execute(work),
        connector.agent,
        accountId,
      );
    const io: Io = { ...createIo(world, config), ...(secrets ? { secrets } : {}) };
    try {
      if (connector.examine)
        findings.push(
          ...(await connector.examine(source.config, accountId, io)).map((finding) => ({
            ...finding,
            check: `${check}: ${finding.check}`,
          })),
        );
      else {
        const account = (await connector.open(source.config, accountId, io)) as Account;
        findings.push(
          fine(
            check,
            `Answers; days in ${account.timezone}${account.currency === null ? '' : `, amounts in ${account.currency}`}`,
          ),
        );
      }
    } catch (error) {
      if (world.signal.aborted) throw world.signal.reason;
      findings.push(broken(check, toPipelineError(error)));
    }
  }
  return findings;
}

/** One try a call and no long waits: a person is looking on. */
function createIo(world: World, config: PipelineConfig): Io {
  const now = clockOf(config.now);
  const redactor = createRedactor(readSecrets(world.env));
  return {
    http: createHttpClient({
      signal: world.signal,
      now: () => now().epochMilliseconds,
      retryBaseMs: config.http.retryBaseMs,
      waitBudgetMs: Math.min(config.http.waitBudgetMs, 10_000),
      retries: 1,
    }),
    log: createLogger({ level: config.logLevel ?? 'silent', redactor }),
    signal: world.signal,
    now,
    reporting: config.reporting,
  };
}

function format(findings: readonly Finding[], stdout: Terminal): string {
  const marks = {
    ok: paint('green', '✓', stdout),
    warning: paint('yellow', '!', stdout),
    error: paint('red', '✗', stdout),
  };
  const rows = findings.map(({ check, level, message, fix }) => [
    marks[level],
    check,
    fix === null ? message : `${message}\n→ ${fix}`,
  ]);
  const count = (level: Finding['level']) => findings.filter((finding) => finding.level === level).length;
  return [
    formatTable(['', 'check', 'finding'], rows),
    '',
    `${count('error')} errors, ${count('warning')} warnings, ${count('ok')} fine`,
  ].join('\n');
}
