import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { encodeRow } from './copy-text.ts';
import { connect, type Session } from './db.ts';
import { createTestDatabase, type TestDatabase } from './testing/database.ts';

let database: TestDatabase;
let session: Session;

beforeAll(async () => {
  database = await createTestDatabase({ empty: true });
  session = await connect(database.url);
  await sql`create table rubbish (id int, plain text, doc jsonb, amount numeric, flag boolean)`.execute(
    session.db,
  );
});

afterAll(async () => {
  await session.end();
  await database.drop();
});

const COLUMNS = ['id', 'plain', 'doc', 'amount', 'flag'];

/** The table's rows after they went through COPY. */
async function roundTrip(rows: readonly Readonly<Record<string, unknown>>[]) {
  await sql`truncate rubbish`.execute(session.db);
  await session.copyFrom(
    `copy rubbish (${COLUMNS.join(', ')}) from stdin`,
    rows.map((row) => encodeRow(COLUMNS, row)).join(''),
  );
  const result = await sql<{
    id: number;
    plain: string | null;
    doc: unknown;
    amount: string | null;
    flag: boolean;
  }>`
    select * from rubbish order by id`.execute(session.db);
  return result.rows;
}

const TEXTS = [
  ...['tab\there', 'line\nbreak', 'carriage\rreturn', 'back\\slash', '\\N', '\\.', '\\', 'it\'s "quoted"'],
  ...[
    '',
    ' ',
    'emoji 👩‍👩‍👧 é ñ 漢字',
    '\b\f\v',
    '\\t is no tab',
    '\\u0000 is no NUL',
    '{"a": 1}',
    ',;|',
    'NULL',
  ],
  ...['\u2028\u2029', '\uFEFF', '\u0085', '\x7F\x01'],
];

test('any text comes back as it was, in text and in JSON, as value and as key', async () => {
  const rows = await roundTrip(
    TEXTS.map((text, id) => ({ id, plain: text, doc: { [text]: text, deep: [{ [text]: [text] }] } })),
  );
  expect(rows.map((row) => row.plain)).toEqual(TEXTS);
  expect(rows.map((row) => row.doc)).toEqual(
    TEXTS.map((text) => ({ [text]: text, deep: [{ [text]: [text] }] })),
  );
});

test('what Postgres can store nowhere is taken out, and only that', async () => {
  const [row] = await roundTrip([
    {
      id: 1,
      plain: 'a\0b \uD800 c \uDC00 😀',
      doc: { 'k\0ey \uDBFF': ['v\0alue \uD83D', { '\uDE00': '\\u0000' }], kept: 1.5 },
    },
  ]);
  expect(row?.plain).toBe('ab \uFFFD c \uFFFD 😀');
  expect(row?.doc).toEqual({ 'key \uFFFD': ['value \uFFFD', { '\uFFFD': '\\u0000' }], kept: 1.5 });
});

test('numbers stay the text they are, however long', async () => {
  const amounts = [
    '12345678901234567890.123456789012345678',
    '0.10',
    '-0.000000000000000000001',
    '1e3',
    9007199254740993n,
  ];
  const rows = await roundTrip(amounts.map((amount, id) => ({ id, amount, flag: id % 2 === 0 })));
  expect(rows.map((row) => row.amount)).toEqual([
    '12345678901234567890.123456789012345678',
    '0.10',
    '-0.000000000000000000001',
    '1000',
    '9007199254740993',
  ]);
  expect(rows[0]?.flag).toBe(true);
  expect(rows[1]?.flag).toBe(false);
});

test('null and a missing value are null; an empty text is not', async () => {
  const [row] = await roundTrip([{ id: 1, plain: null, doc: undefined, amount: null, flag: null }]);
  expect(row).toEqual({ id: 1, plain: null, doc: null, amount: null, flag: null });
  expect((await roundTrip([{ id: 1, plain: '' }]))[0]?.plain).toBe('');
});

test('a COPY that fails says why and leaves the session to go on', async () => {
  const bad = `${encodeRow(COLUMNS, { id: 1, plain: 'x'.repeat(3_000_000) })}${encodeRow(COLUMNS, { id: 2, amount: 'not a number' })}${encodeRow(COLUMNS, { id: 3, plain: 'y'.repeat(3_000_000) })}`;
  await expect(session.copyFrom(`copy rubbish (${COLUMNS.join(', ')}) from stdin`, bad)).rejects.toThrow(
    /invalid input syntax for type numeric/,
  );
  expect(await roundTrip([{ id: 7, plain: 'fine' }])).toMatchObject([{ id: 7, plain: 'fine' }]);
  expect(session.lost.aborted).toBe(false);
});
