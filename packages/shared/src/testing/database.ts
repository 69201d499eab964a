/** A migrated database of its own for a test file: a clone of the template that the test run made. */
import { randomUUID } from 'node:crypto';

import { type RawBuilder, sql } from 'kysely';
import { inject } from 'vitest';

import { connect } from '../db.ts';
// For the type of what is injected.
import type {} from './global-setup.ts';

export interface TestDatabase {
  /** Of a superuser; a connection string like DATABASE_URL. */
  readonly url: string;
  /** Removes the database, open connections included. */
  drop(): Promise<void>;
}

/**
 * Clones the template: all migrations applied, no rows but theirs. Call it in `beforeAll` and `drop` in `afterAll`.
 * With `empty` the database has no schema at all, for tests of the migrations themselves.
 */
export async function createTestDatabase(options: { readonly empty?: boolean } = {}): Promise<TestDatabase> {
  const { templateUrl, problem } = inject('testServer');
  if (templateUrl === undefined || (problem !== undefined && options.empty !== true))
    throw new Error(`There is no database to test with: ${problem ?? ''}`);
  const template = new URL(templateUrl);
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const source = options.empty === true ? 'template0' : template.pathname.slice(1);
  await administer(template, sql`create database ${sql.id(name)} template ${sql.id(source)}`);
  return {
    url: new URL(`/${name}`, template).href,
    drop: () => administer(template, sql`drop database if exists ${sql.id(name)} with (force)`),
  };
}

/** Runs a statement from the database `postgres`: the template must have no connections while it is cloned. */
async function administer(server: URL, statement: RawBuilder<unknown>): Promise<void> {
  const session = await connect(new URL('/postgres', server).href, { applicationName: 'floyo test' });
  try {
    await statement.execute(session.db);
  } finally {
    await session.end();
  }
}
