/** Opens the database that a command works on: the one of DATABASE_URL, or the embedded one, and checks what it is. */
import { sql } from 'kysely';

import { addDefinitions } from '@floyo/metrics';
import { connect, type Database as Tables, type Session, type Transaction } from '@floyo/shared/db';
import { acquireEmbedded } from '@floyo/shared/embedded';
import { ConfigError } from '@floyo/shared/errors';
import { assertSessionMode } from '@floyo/shared/lock';
import type { Logger } from '@floyo/shared/log';
import { migrate, pendingMigrations } from '@floyo/shared/migrate';

import type { Settings } from './sources.ts';

export interface Database extends AsyncDisposable {
  readonly url: string;
  readonly embedded: boolean;
  /** For everything but the lock. */
  readonly session: Session;
  /** The lock's own connection. */
  readonly lockSession: Session;
  /** What differs between the environment and what is stored, though commands go on. */
  readonly warnings: readonly string[];
}

export interface DatabaseOptions {
  readonly settings: Settings;
  readonly log: Logger;
  /** Name of the embedded server's database: the demo has one of its own. */
  readonly embeddedName?: string;
  /** `migrate` itself does not ask for a current schema. */
  readonly checkSchema?: boolean;
  /** Lets another reporting zone or currency in: the metrics run is about to move what is stored. */
  readonly rezone?: boolean;
}

/**
 * Opens the database and makes sure that a run can trust it: a session-mode connection, the current schema, and the
 * reporting zone and currency that the stored values were made with. On the database of DATABASE_URL it writes nothing:
 * a role that may only read serves every command that only reads.
 * @throws ConfigError (exit 2) saying what to set or run.
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { log } = options;
  const { config } = options.settings;
  await using cleanup = new AsyncDisposableStack();
  const embedded = config.databaseUrl === undefined;
  let url = config.databaseUrl ?? '';
  if (embedded) {
    const server = await acquireEmbedded({
      home: config.home,
      ...(options.embeddedName === undefined ? {} : { database: options.embeddedName }),
    });
    cleanup.defer(() => server.release());
    url = server.url;
  }
  const lockSession = await connect(url, { applicationName: 'floyo lock' });
  cleanup.defer(() => lockSession.end());
  const session = await connect(url, { applicationName: 'floyo' });
  cleanup.defer(() => session.end());
  await assertSessionMode(lockSession, session);
  const warnings: string[] = [];
  if (options.checkSchema !== false) {
    if (embedded) await migrateDatabase(url, session, options.settings, options.rezone);
    await requireSchema(session);
    warnings.push(...(await compareSettings(session, options.settings, options.rezone)));
  }
  for (const warning of warnings) log.warn(warning);
  log.debug({ embedded }, 'database open');
  const owned = cleanup.move();
  return { url, embedded, session, lockSession, warnings, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Applies the migrations, adds the metric definitions that are new and, the first time, the settings. */
export async function migrateDatabase(
  url: string,
  session: Session,
  settings: Settings,
  rezone = false,
): Promise<{ applied: string[] }> {
  const result = await migrate(url);
  await session.db.transaction().execute((trx) => addDefinitions(trx));
  await insertSettings(session.db, settings);
  await compareSettings(session, settings, rezone);
  return result;
}

async function requireSchema(session: Session): Promise<void> {
  const pending = await pendingMigrations(session);
  if (pending.length > 0)
    throw new ConfigError(
      [
        {
          variable: 'DATABASE_URL',
          message: `the database's schema is missing or older (${pending.length} migrations to apply): run \`pnpm floyo migrate\``,
        },
      ],
      'schema',
    );
  const { rows } = await sql<{ hidden: boolean; role: string }>`
    select row_security_active('public.spend') as hidden, current_user::text as role`.execute(session.db);
  if (rows[0]?.hidden === true)
    throw new ConfigError([
      {
        variable: 'DATABASE_URL',
        message: `the role ${rows[0].role} is subject to row level security and would see no rows: use the role that ran the migrations (Supabase: postgres)`,
      },
    ]);
}

/** The first time, the zone and currency that everything stored from now on is made with. */
export async function insertSettings(
  db: Session['db'] | Transaction<Tables>,
  { config, fixedRates }: Settings,
): Promise<void> {
  const { timezone, currency } = config.reporting;
  await sql`
    insert into ops.settings (reporting_timezone, reporting_currency, fixed_rates)
    values (${timezone}, ${currency}, ${JSON.stringify(fixedRates)}::jsonb) on conflict (singleton) do nothing`.execute(
    db,
  );
}

/**
 * The stored days and values belong to one zone and currency; another environment must not mix in its own. Writes
 * nothing: fixed rates are a run's to change, and that they differ is returned for people.
 */
async function compareSettings(session: Session, settings: Settings, rezone = false): Promise<string[]> {
  const { timezone, currency } = settings.config.reporting;
  const rates = JSON.stringify(settings.fixedRates);
  const { rows } = await sql<{ timezone: string; currency: string; rates: string[]; same: boolean }>`
    select reporting_timezone as timezone, reporting_currency as currency,
      array(select key || '=' || value from jsonb_each_text(fixed_rates) order by key) as rates,
      fixed_rates = ${rates}::jsonb as same
    from ops.settings`.execute(session.db);
  const stored = rows[0];
  if (stored === undefined) return [];
  const problems = [
    { variable: 'REPORTING_TIMEZONE', asked: timezone, has: stored.timezone },
    { variable: 'REPORTING_CURRENCY', asked: currency, has: stored.currency },
  ]
    .filter(({ asked, has }) => asked !== has)
    .map(({ variable, asked, has }) => ({
      variable,
      message: `is ${asked}, but the stored days and values were made with ${has}: set it back, or run \`pnpm floyo metrics --full --rezone\``,
    }));
  if (problems.length > 0 && !rezone) throw new ConfigError(problems, 'settings');
  return stored.same
    ? []
    : [
        `FX_FIXED_RATES differs here: the stored values were made with ${stored.rates.join(',') || 'none'}. Only a run changes that.`,
      ];
}
