/**
 * Applies supabase/migrations in order and keeps the Supabase CLI's own history table, so that `supabase db push`
 * and this command agree on what was applied. Owns nothing of the schema itself.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { sql } from 'kysely';

import { connect, type Database, type Session, sqlState, type Transaction } from './db.ts';
import { ConfigError, PipelineError } from './errors.ts';
import { migrationsFolder } from './paths.ts';

interface MigrationOptions {
  /** The folder of `<YYYYMMDDHHMMSS>_<name>.sql` files; supabase/migrations by default. */
  readonly dir?: string;
}

interface Migration {
  readonly version: string;
  readonly name: string;
  readonly file: string;
}

const fileName = /^(\d{14})_(\w+)\.sql$/;
const insufficientPrivilege = '42501';

/** Roles that Supabase brings and the policies name. They can't log in; the service role sees past row security. */
const roles = [
  { name: 'anon', sql: 'create role anon nologin' },
  { name: 'authenticated', sql: 'create role authenticated nologin' },
  { name: 'service_role', sql: 'create role service_role nologin bypassrls' },
];

/**
 * Brings the database up to date: each file in a transaction of its own, together with its row in
 * `supabase_migrations.schema_migrations`. Two at once are safe, and so is doing it again.
 *
 * Returns the versions applied now, oldest first. Throws a ConfigError when a role is missing and can't be made, a
 * PipelineError when a file fails (that file is rolled back whole, those before it stay) or when the database has a
 * migration that the folder lacks.
 */
export async function migrate(
  target: string | Session,
  options: MigrationOptions = {},
): Promise<{ applied: string[] }> {
  if (typeof target !== 'string') return applyAll(target, options.dir ?? migrationsFolder);
  const session = await connect(target, { applicationName: 'floyo migrate' });
  try {
    return await applyAll(session, options.dir ?? migrationsFolder);
  } finally {
    await session.end();
  }
}

/**
 * The versions that this database still lacks, oldest first; none means that it is up to date. Writes nothing.
 * Throws a PipelineError when the database has a migration that the folder lacks: then the checkout is too old for it.
 */
export async function pendingMigrations(session: Session, options: MigrationOptions = {}): Promise<string[]> {
  const migrations = await listMigrations(options.dir ?? migrationsFolder);
  const table = await sql<{ exists: boolean }>`
    select to_regclass('supabase_migrations.schema_migrations') is not null as exists`.execute(session.db);
  const recorded = table.rows[0]?.exists === true ? await readRecorded(session.db) : new Set<string>();
  return selectPending(migrations, recorded).map((migration) => migration.version);
}

async function applyAll(session: Session, dir: string): Promise<{ applied: string[] }> {
  const migrations = await listMigrations(dir);
  await inLockedTransaction(session, async (transaction) => {
    await createRoles(transaction);
    await createHistory(transaction);
  });
  const applied: string[] = [];
  for (const migration of selectPending(migrations, await readRecorded(session.db))) {
    if (await applyOne(session, dir, migration)) applied.push(migration.version);
  }
  return { applied };
}

async function listMigrations(dir: string): Promise<Migration[]> {
  const files = (await readdir(dir)).filter((file) => file.endsWith('.sql')).sort();
  const migrations = files.map((file) => {
    const [, version, name] = fileName.exec(file) ?? [];
    if (version !== undefined && name !== undefined) return { version, name, file };
    throw historyError(`${file} is not named <YYYYMMDDHHMMSS>_<name>.sql.`, 'Rename the file.');
  });
  const twin = migrations.find((migration, index) => migrations[index + 1]?.version === migration.version);
  if (twin !== undefined)
    throw historyError(
      `Two migrations have the version ${twin.version}.`,
      'Give one of them a later version.',
    );
  return migrations;
}

async function readRecorded(db: Session['db']): Promise<ReadonlySet<string>> {
  const recorded = await sql<{ version: string }>`
    select version from supabase_migrations.schema_migrations order by version`.execute(db);
  return new Set(recorded.rows.map((row) => row.version));
}

function selectPending(migrations: readonly Migration[], recorded: ReadonlySet<string>): Migration[] {
  const unknown = [...recorded].filter((version) => !migrations.some((known) => known.version === version));
  if (unknown.length > 0) {
    throw historyError(
      `The database has migrations that are not in this checkout: ${unknown.join(', ')}.`,
      'Update the checkout to the version that the database was migrated with.',
    );
  }
  return migrations.filter((migration) => !recorded.has(migration.version));
}

/** Applies one file; false when another process has done it in the meantime. */
async function applyOne(session: Session, dir: string, migration: Migration): Promise<boolean> {
  const { version, name, file } = migration;
  const text = await readFile(join(dir, file), 'utf8');
  return inLockedTransaction(session, async (transaction) => {
    const found = await sql`
      select 1 from supabase_migrations.schema_migrations where version = ${version}`.execute(transaction);
    if (found.rows.length > 0) return false;
    // A setting local to the transaction: gone afterwards if the file ended the transaction by itself.
    await sql`select set_config('floyo.migrating', ${version}, true)`.execute(transaction);
    try {
      await sql.raw(text).execute(transaction);
    } catch (error) {
      throw failedFile(file, text, error);
    }
    const marker = await sql<{ value: string | null }>`
      select current_setting('floyo.migrating', true) as value`.execute(transaction);
    if (marker.rows[0]?.value !== version) {
      throw historyError(
        `${file} ends its transaction itself, so it can't be applied whole or not at all.`,
        'Take commit, rollback and begin out of the file, and check what it left in this database.',
      );
    }
    // The whole file as one element: the CLI writes elements back to a file one after another.
    await sql`
      insert into supabase_migrations.schema_migrations (version, name, statements)
      values (${version}, ${name}, array[${text}])`.execute(transaction);
    return true;
  });
}

/** A lock of the transaction and not of the session, so that it also holds behind a transaction-mode pooler. */
async function inLockedTransaction<Result>(
  session: Session,
  work: (transaction: Transaction<Database>) => Promise<Result>,
): Promise<Result> {
  return session.db.transaction().execute(async (transaction) => {
    await sql`select pg_advisory_xact_lock(hashtextextended('floyo migrate', 0))`.execute(transaction);
    return work(transaction);
  });
}

async function createRoles(transaction: Transaction<Database>): Promise<void> {
  const found = await sql<{ rolname: string }>`select rolname from pg_roles`.execute(transaction);
  const present = new Set(found.rows.map((row) => row.rolname));
  const missing = roles.filter((role) => !present.has(role.name));
  try {
    for (const role of missing) {
      // Roles belong to the whole server and the lock to one database: another database's migrate may be first.
      await sql
        .raw(`do $$ begin ${role.sql}; exception when duplicate_object or unique_violation then null; end $$`)
        .execute(transaction);
    }
  } catch (error) {
    if (sqlState(error) !== insufficientPrivilege) throw error;
    const statements = missing.map((role) => `${role.sql};`).join(' ');
    throw new ConfigError([
      {
        variable: 'DATABASE_URL',
        message: `its user may not create roles; run as a superuser: ${statements}`,
      },
    ]);
  }
}

/** The history table as the Supabase CLI makes it. */
async function createHistory(transaction: Transaction<Database>): Promise<void> {
  try {
    await sql`create schema if not exists supabase_migrations`.execute(transaction);
    await sql`
      create table if not exists supabase_migrations.schema_migrations (version text not null primary key)
    `.execute(transaction);
    await sql`
      alter table supabase_migrations.schema_migrations
        add column if not exists statements text[], add column if not exists name text
    `.execute(transaction);
  } catch (error) {
    if (sqlState(error) !== insufficientPrivilege) throw error;
    throw new ConfigError([
      { variable: 'DATABASE_URL', message: 'its user may not create schemas and tables in this database' },
    ]);
  }
}

function historyError(message: string, advice: string): PipelineError {
  return new PipelineError({ type: 'config', severity: 'P0', message, advice });
}

/** Says which line of which file failed; the position that Postgres tells counts characters from 1. */
function failedFile(file: string, text: string, error: unknown): PipelineError {
  const state = sqlState(error);
  const position = error instanceof Error && 'position' in error ? Number(error.position) : Number.NaN;
  const line = position > 0 ? Array.from(text).slice(0, position).join('').split('\n').length : undefined;
  const message = error instanceof Error ? error.message : String(error);
  return new PipelineError({
    type: 'load',
    severity: 'P0',
    message: `${file}${line === undefined ? '' : `, line ${line}`}: ${message} (SQLSTATE ${state ?? 'none'})`,
    advice: 'Nothing of this file was applied. Correct it and run floyo migrate again.',
    context: { file, line, sqlstate: state },
    cause: error,
  });
}
