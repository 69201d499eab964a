import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { connect, type Session } from '../db.ts';
import { migrate } from '../migrate.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { findStale, generateFiles } from './generate.ts';
import { writeRowTypes } from './row-types.ts';
import { dumpSchema } from './schema-dump.ts';

const sample = `
  create type public.mood as enum ('sad', 'it''s fine');
  create table public.samples (
    id bigint generated always as identity primary key,
    day date not null,
    amount numeric not null default 0,
    mood public.mood,
    tags text[] not null,
    payload jsonb,
    doubled numeric generated always as (amount * 2) stored,
    check (amount >= 0)
  );
  comment on column public.samples.day is 'the shop''s day';
  create index on public.samples (day) where mood is not null;
  create view public.sample_days with (security_invoker = true) as
    select day, count(*) as samples from public.samples group by day;
  create function public.note() returns trigger language plpgsql as 'begin return null; end';
  revoke all on function public.note() from public;
  grant execute on function public.note() to service_role;
  create trigger note after insert on public.samples
    referencing new table as new_rows for each statement execute function public.note();
  alter table public.samples enable row level security;
  create policy read_all on public.samples for select to authenticated using (true);
  grant select on public.sample_days to authenticated;
  create schema other;
  create table other.things (at timestamptz not null default now());`;

let migrated: TestDatabase;
let empty: TestDatabase;
let root: string;
let session: Session;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'floyo-generated-'));
  empty = await createTestDatabase({ empty: true });
  session = await connect(empty.url);
  await migrate(session, { dir: root });
  await sql.raw(sample).execute(session.db);
});

afterAll(async () => {
  await session.end();
  await empty.drop();
  await rm(root, { recursive: true });
});

describe('the generated files', () => {
  it('agree with the migrations (when this fails: pnpm generate)', async () => {
    migrated = await createTestDatabase();
    const migratedSession = await connect(migrated.url);
    try {
      expect(await findStale(await generateFiles(migratedSession))).toEqual([]);
    } finally {
      await migratedSession.end();
      await migrated.drop();
    }
  });

  it('are stale when they are missing or differ, and not when they are the same', async () => {
    const files = await generateFiles(session);
    const paths = files.map((file) => file.path);
    expect(await findStale(files, root)).toEqual(paths);
    for (const { path, text } of files) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
    }
    expect(await findStale(files, root)).toEqual([]);
    await sql`alter table other.things add column note text`.execute(session.db);
    expect(await findStale(await generateFiles(session), root)).toEqual(paths);
    await sql`alter table other.things drop column note`.execute(session.db);
  });
});

describe('the schema dump', () => {
  it.each([
    "create type public.mood as enum ('sad', 'it''s fine');",
    '  id bigint generated always as identity not null,',
    '  amount numeric default 0 not null,',
    '  doubled numeric generated always as ((amount * (2)::numeric)) stored,',
    '  constraint samples_pkey PRIMARY KEY (id),',
    '  constraint samples_amount_check CHECK ((amount >= (0)::numeric))',
    "comment on column public.samples.day is 'the shop''s day';",
    'CREATE INDEX samples_day_idx ON public.samples USING btree (day) WHERE (mood IS NOT NULL);',
    'CREATE TRIGGER note AFTER INSERT ON public.samples REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT',
    'alter table public.samples enable row level security;',
    'create policy read_all on public.samples as permissive for select to authenticated using (true);',
    'create view public.sample_days with (security_invoker=true) as',
    'grant select on table public.sample_days to authenticated;',
    'revoke all on function public.note() from public;',
    'grant execute on function public.note() to service_role;',
    'create schema other;',
  ])('has %s', async (line) => {
    expect(await dumpSchema(session)).toContain(line);
  });

  it('leaves out what Postgres and the migrator bring', async () => {
    expect(await dumpSchema(session)).not.toMatch(/pg_toast|information_schema|schema_migrations/);
  });
});

describe('the row types', () => {
  it('map columns as the driver reads them', async () => {
    const types = await writeRowTypes(session);
    expect(types).toContain(`export interface Samples {
  id: GeneratedAlways<Int8>;
  day: string;
  amount: Generated<string>;
  mood: 'sad' | 'it\\'s fine' | null;
  tags: Array<string>;
  payload: Json | null;
  doubled: GeneratedAlways<string | null>;
}`);
    expect(types).toContain(`export interface SampleDays {
  day: string | null;
  samples: Int8 | null;
}`);
    expect(types).toContain(`export interface Database {
  sample_days: SampleDays;
  samples: Samples;
  'other.things': OtherThings;
}`);
  });

  it('refuse a type that the mapping does not know', async () => {
    await sql`alter table other.things add column place point`.execute(session.db);
    await expect(writeRowTypes(session)).rejects.toThrow('other.things.place has the type point');
    await sql`alter table other.things drop column place`.execute(session.db);
  });
});
