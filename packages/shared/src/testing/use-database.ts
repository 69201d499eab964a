/** A test file's own database. */
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll } from 'vitest';

import { connect, type Session } from '../db.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';

/**
 * For the top of a test file: a database for all its tests and a session on it, which `assign` is given; after each test
 * the named tables are emptied.
 */
export function useDatabase(
  tables: readonly string[],
  assign: (opened: { readonly database: TestDatabase; readonly session: Session }) => void,
): void {
  let database: TestDatabase;
  let session: Session;
  beforeAll(async () => {
    database = await createTestDatabase();
    session = await connect(database.url);
    assign({ database, session });
  });
  afterAll(async () => {
    await session.end();
    await database.drop();
  });
  afterEach(async () => {
    if (tables.length > 0)
      await sql`truncate ${sql.join(tables.map((name) => sql.table(name)))} cascade`.execute(session.db);
  });
}
