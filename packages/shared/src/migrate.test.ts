import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { connect, type Session } from './db.ts';
import { ConfigError, PipelineError } from './errors.ts';
import { migrate, pendingMigrations } from './migrate.ts';
import { createTestDatabase, type TestDatabase } from './testing/database.ts';

let database: TestDatabase;
let session: Session;
let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'floyo-migrations-'));
  database = await createTestDatabase({ empty: true });
  session = await connect(database.url);
});

afterEach(async () => {
  await session.end();
  await database.drop();
  await rm(dir, { recursive: true });
});

const write = (name: string, text: string): Promise<void> => writeFile(join(dir, name), text);

async function rows(query: string): Promise<unknown[]> {
  return (await sql.raw(query).execute(session.db)).rows;
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

const history =
  'select version, name, statements from supabase_migrations.schema_migrations order by version';

describe('migrate', () => {
  it('applies files in order and records them as the Supabase CLI does', async () => {
    await write('20260102000000_add_name.sql', 'alter table things add column name text;');
    await write(
      '20260101000000_create_things.sql',
      'create table things (id int); create index on things (id);',
    );
    expect(await pendingMigrations(session, { dir })).toEqual(['20260101000000', '20260102000000']);
    expect(await migrate(session, { dir })).toEqual({ applied: ['20260101000000', '20260102000000'] });
    expect(await pendingMigrations(session, { dir })).toEqual([]);
    expect(await rows(history)).toEqual([
      {
        version: '20260101000000',
        name: 'create_things',
        statements: ['create table things (id int); create index on things (id);'],
      },
      {
        version: '20260102000000',
        name: 'add_name',
        statements: ['alter table things add column name text;'],
      },
    ]);
    expect(await rows('select id, name from things')).toEqual([]);
  });

  it('does nothing the second time, and only what is new the third time', async () => {
    await write('20260101000000_create_things.sql', 'create table things (id int)');
    await migrate(database.url, { dir });
    expect(await migrate(database.url, { dir })).toEqual({ applied: [] });
    await write('20260102000000_fill.sql', 'insert into things values (1)');
    expect(await migrate(database.url, { dir })).toEqual({ applied: ['20260102000000'] });
    expect(await rows('select id from things')).toEqual([{ id: 1 }]);
  });

  it('goes on from a history that the Supabase CLI made', async () => {
    await rows(`create schema supabase_migrations;
      create table supabase_migrations.schema_migrations (version text not null primary key);
      insert into supabase_migrations.schema_migrations values ('20260101000000')`);
    await write('20260101000000_create_things.sql', 'create table things (id int)');
    await write('20260102000000_create_others.sql', 'create table others (id int)');
    expect(await migrate(session, { dir })).toEqual({ applied: ['20260102000000'] });
    expect(await rows("select to_regclass('things') as things")).toEqual([{ things: null }]);
  });

  it('rolls a failing file back whole, keeps those before it, and says where it failed', async () => {
    await write('20260101000000_create_things.sql', 'create table things (id int)');
    await write('20260102000000_half.sql', 'create table half (id int);\n\nselect nonsense from half;\n');
    const failure = await failureOf(migrate(session, { dir }));
    expect(failure).toBeInstanceOf(PipelineError);
    expect(failure).toMatchObject({
      message: '20260102000000_half.sql, line 3: column "nonsense" does not exist (SQLSTATE 42703)',
      context: { file: '20260102000000_half.sql', line: 3, sqlstate: '42703' },
    });
    expect(await rows("select to_regclass('things')::text as things, to_regclass('half') as half")).toEqual([
      { things: 'things', half: null },
    ]);
    expect(await pendingMigrations(session, { dir })).toEqual(['20260102000000']);

    await write('20260102000000_half.sql', 'create table half (id int);');
    expect(await migrate(session, { dir })).toEqual({ applied: ['20260102000000'] });
  });

  it('applies every file once when several processes migrate at once', async () => {
    await write('20260101000000_create_things.sql', 'create table things (id int)');
    await write('20260102000000_fill.sql', 'insert into things values (1)');
    const results = await Promise.all([1, 2, 3].map(() => migrate(database.url, { dir })));
    expect(results.flatMap((result) => result.applied).sort()).toEqual(['20260101000000', '20260102000000']);
    expect(await rows('select id from things')).toEqual([{ id: 1 }]);
  });

  it('refuses a file that ends its transaction itself', async () => {
    await write(
      '20260101000000_commit.sql',
      'create table things (id int); commit; create table others (id int);',
    );
    expect(await failureOf(migrate(session, { dir }))).toMatchObject({
      message: expect.stringContaining('ends its transaction itself') as unknown,
    });
    expect(await rows(history)).toEqual([]);
  });

  it('says which migrations the checkout lacks', async () => {
    await write('20260101000000_create_things.sql', 'create table things (id int)');
    await migrate(session, { dir });
    const older = join(dir, 'older');
    await mkdir(older);
    const failures = [
      await failureOf(migrate(session, { dir: older })),
      await failureOf(pendingMigrations(session, { dir: older })),
    ];
    for (const failure of failures) {
      expect(failure).toMatchObject({ message: expect.stringContaining('20260101000000') as unknown });
    }
  });

  it('refuses file names without a version and two files with the same', async () => {
    await write('create_things.sql', 'create table things (id int)');
    expect(await failureOf(migrate(session, { dir }))).toMatchObject({
      message: expect.stringContaining('create_things.sql is not named') as unknown,
    });
    await rm(join(dir, 'create_things.sql'));
    await write('20260101000000_one.sql', 'select 1');
    await write('20260101000000_two.sql', 'select 1');
    expect(await failureOf(migrate(session, { dir }))).toMatchObject({
      message: expect.stringContaining('20260101000000') as unknown,
    });
  });

  it('brings the roles of Supabase, the service role past row security, none of them with a login', async () => {
    await migrate(session, { dir });
    const found = await rows(`select rolname, rolcanlogin, rolbypassrls from pg_roles
      where rolname in ('anon', 'authenticated', 'service_role') order by rolname`);
    expect(found).toEqual([
      { rolname: 'anon', rolcanlogin: false, rolbypassrls: false },
      { rolname: 'authenticated', rolcanlogin: false, rolbypassrls: false },
      { rolname: 'service_role', rolcanlogin: false, rolbypassrls: true },
    ]);
  });
});

describe('migrate as a user with few rights', () => {
  it('says what is missing as a configuration error', async () => {
    await migrate(session, { dir });
    const user = `limited_${database.url.slice(-8)}`;
    await rows(`create role ${user} login`);
    try {
      const limited = new URL(database.url);
      limited.username = user;
      await rows('drop schema supabase_migrations cascade');
      const failure = await failureOf(migrate(limited.href, { dir }));
      expect(failure).toBeInstanceOf(ConfigError);
      expect(failure).toMatchObject({ problems: [{ variable: 'DATABASE_URL' }] });
    } finally {
      await rows(`drop role ${user}`);
    }
  });
});
