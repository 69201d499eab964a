import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';

import { connect, type Session } from './db.ts';
import {
  AccountPausedError,
  LockLostError,
  PipelineError,
  ThrottledError,
  WindowTooLargeError,
} from './errors.ts';
import { acquireLock } from './lock.ts';
import { runSource } from './runner.ts';
import type { TestDatabase } from './testing/database.ts';
import { runTestSource, startTestRun } from './testing/test-run.ts';
import {
  type AdDay,
  createAdsSource,
  createWorld,
  type PageEvent,
  streamOf,
} from './testing/test-sources.ts';
import { useDatabase } from './testing/use-database.ts';
import { startTestVendor } from './testing/vendor.ts';
import { addDays, listDays } from './window.ts';

let database: TestDatabase;
let session: Session;
useDatabase(
  [
    'spend',
    'ops.runs',
    'ops.coverage',
    'ops.errors',
    'ops.agent_state',
    'ops.rejected_records',
    'ops.agent_results',
  ],
  (opened) => ({ database, session } = opened),
);

const now = '2026-11-21T09:00:00Z';
const later = '2026-11-21T15:00:00Z';
const run = (
  connector: Parameters<typeof runTestSource>[1],
  options: Partial<Parameters<typeof runTestSource>[2]> = {},
) => runTestSource(database.url, connector, { now, ...options });

/** Two ads on each of the last five days. */
const fewAds = (): AdDay[] =>
  listDays({ from: '2026-11-17', to: '2026-11-22' }).flatMap((day) => [
    { ad: '1', day, spend: '1.5' },
    { ad: '2', day, spend: '2' },
  ]);

/** `count` ads on one day. */
const manyAds = (count: number, day = '2026-11-21', from = 1): AdDay[] =>
  Array.from({ length: count }, (_, index) => ({ ad: String(from + index), day, spend: '1' }));

const spendRows = async () =>
  (
    await sql<{ row: string }>`
      select concat_ws(' ', account_id, external_id, date, spend, ad_name) as row from spend order by account_id, date, external_id`.execute(
      session.db,
    )
  ).rows.map(({ row }) => row);

const coveredDays = async (accountId = 'A') =>
  (
    await session.db
      .selectFrom('ops.coverage')
      .select('day')
      .where('account_id', '=', accountId)
      .orderBy('day')
      .execute()
  ).map(({ day }) => day);

const stateKeys = async () =>
  (
    await session.db
      .selectFrom('ops.agent_state')
      .select(['scope', 'key'])
      .orderBy('key')
      .orderBy('scope')
      .execute()
  ).map(({ scope, key }) => `${scope} ${key}`);

/** The backfills that are not done. */
const unfinished = async () =>
  (
    await sql<{ name: string }>`
      select distinct unfinished_backfill as name from ops.runs where unfinished_backfill is not null order by 1`.execute(
      session.db,
    )
  ).rows.map(({ name }) => name);

const rejects = async () =>
  (
    await session.db
      .selectFrom('ops.rejected_records')
      .select(['account_id', 'external_id', 'date', 'reasons', 'resolved_at'])
      .orderBy('external_id')
      .execute()
  ).map(({ resolved_at, ...reject }) => ({ ...reject, resolved: resolved_at !== null }));

async function kill(victim: Session): Promise<void> {
  const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(victim.db);
  await sql`select pg_terminate_backend(${rows[0]?.pid}, 5000)`.execute(session.db);
}

/** Does something when the n-th page (or end of pages) is asked for. */
function atPage(n: number, act: (event: PageEvent) => void | Promise<void>) {
  let count = 0;
  return (event: PageEvent) => (count++ === n ? act(event) : undefined);
}

const broken = () => {
  throw new PipelineError({ type: 'upstream', message: 'The vendor broke off' });
};

/** Makes the database refuse to write the coverage of a day until disposed of. */
async function refuseCoverage(action: 'raise' | 'terminate'): Promise<AsyncDisposable> {
  const body =
    action === 'raise'
      ? sql`raise exception 'disk full'`
      : sql`perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(5)`;
  await sql`create function refuse() returns trigger language plpgsql as $$ begin ${body}; return new; end $$`.execute(
    session.db,
  );
  await sql`create trigger refuse before insert or update on ops.coverage for each row when (new.day = '2026-11-18') execute function refuse()`.execute(
    session.db,
  );
  return {
    async [Symbol.asyncDispose]() {
      await sql`drop function refuse cascade`.execute(session.db);
    },
  };
}

describe('scheduled runs', () => {
  test('I1: the second of two runs inserts, updates and deletes nothing and touches no row', async () => {
    const world = createWorld<AdDay>({ A: fewAds() });
    const ads = createAdsSource(world);
    const [first] = await run(ads);
    expect(first).toMatchObject({
      status: 'succeeded',
      rows_read: 8,
      rows_inserted: 8,
      window_from: '2026-11-18',
      window_to: '2026-11-22',
    });
    const physical = async () =>
      (
        await sql`select xmin::text, xmax::text, ctid::text, s.* from spend s order by external_id, date`.execute(
          session.db,
        )
      ).rows;
    const before = await physical();
    const [second] = await run(ads, { now: later });
    expect(second).toMatchObject({
      status: 'succeeded',
      rows_inserted: 0,
      rows_updated: 0,
      rows_deleted: 0,
      rows_unchanged: 8,
    });
    expect(await physical()).toEqual(before);
  });

  test('days that may still change are read again, others not; an outage is made up for', async () => {
    const world = createWorld<AdDay>({ A: fewAds() });
    const ads = createAdsSource(world);
    await run(ads);
    world.asked.splice(0);
    await run(ads, { now: '2026-12-20T09:00:00Z' });
    expect(world.asked.flatMap(listDays).toSorted()).toEqual(
      listDays({ from: '2026-11-18', to: '2026-12-21' }),
    );
    expect(await coveredDays()).toEqual(listDays({ from: '2026-11-18', to: '2026-12-21' }));
    world.asked.splice(0);
    await run(ads, { now: '2026-12-20T10:00:00Z' });
    expect(world.asked.flatMap(listDays).toSorted()).toEqual(
      listDays({ from: '2026-12-17', to: '2026-12-21' }),
    );
  });

  test("days are those of the account's own calendar, across a change of clocks", async () => {
    const world = createWorld<AdDay>({ A: [] }, { timezone: 'America/New_York' });
    await run(createAdsSource(world, { restatementDays: 0 }), { now: '2026-11-02T04:30:00Z' });
    expect(world.asked.flatMap(listDays).toSorted()).toEqual(
      listDays({ from: '2026-10-29', to: '2026-11-02' }),
    );
    const { rows } =
      await sql`select day, final_at, read_at >= final_at as final from ops.coverage order by day desc limit 2`.execute(
        session.db,
      );
    expect(rows).toEqual([
      // A day of 25 hours.
      { day: '2026-11-01', final_at: '2026-11-02T05:00:00Z', final: false },
      { day: '2026-10-31', final_at: '2026-11-01T04:00:00Z', final: true },
    ]);
  });

  test('I5: an account that fails does not keep the next one from its turn', async () => {
    const world = createWorld<AdDay>({ A: fewAds(), B: manyAds(3, '2026-11-21', 50) });
    world.onOpen = (id) => (id === 'A' ? broken() : undefined);
    const results = await run(createAdsSource(world));
    expect(results.map(({ account_id, status }) => `${account_id} ${status}`)).toEqual([
      'A failed',
      'B succeeded',
    ]);
    expect(await coveredDays('A')).toEqual([]);
    expect(await spendRows()).toHaveLength(3);
    expect(
      await session.db
        .selectFrom('ops.errors')
        .select(['account_id', 'error_type', 'severity', 'message'])
        .execute(),
    ).toEqual([{ account_id: 'A', error_type: 'upstream', severity: 'P1', message: 'The vendor broke off' }]);
  });
});

describe('I2: broken off anywhere', () => {
  test('I2: between pages, at whichever page: nothing of that window stays, and the next run ends in the same tables', async () => {
    await run(createAdsSource(createWorld<AdDay>({ A: fewAds() })));
    const expected = { rows: await spendRows(), days: await coveredDays() };
    // Two windows of four records in pages of two, and the end of each: six steps.
    for (let step = 0; step < 6; step++) {
      await sql`truncate spend, ops.coverage, ops.agent_state`.execute(session.db);
      const world = createWorld<AdDay>({ A: fewAds() }, { onPage: atPage(step, broken) });
      const [result] = await run(createAdsSource(world));
      const done = step < 3 ? 0 : 1;
      expect(result).toMatchObject({
        status: 'failed',
        rows_inserted: 4 * done,
        error: { error_type: 'upstream' },
      });
      expect(await spendRows()).toHaveLength(4 * done);
      expect(await coveredDays()).toEqual(done === 1 ? ['2026-11-20', '2026-11-21'] : []);
      expect(await stateKeys()).toEqual(done === 1 ? ['A/insights cursor'] : []);
      const [again] = await run(createAdsSource(createWorld<AdDay>({ A: fewAds() })), { now: later });
      expect(again?.status).toBe('succeeded');
      expect({ rows: await spendRows(), days: await coveredDays() }).toEqual(expected);
    }
  });

  test('I2: a statement that fails inside the commit leaves rows, coverage and cursor as they were', async () => {
    const world = createWorld<AdDay>({ A: fewAds() });
    const ads = createAdsSource(world, { maxWindowDays: 4 });
    await run(ads);
    const before = [
      await spendRows(),
      await sql`select * from ops.coverage order by day`.execute(session.db),
      await sql`select * from ops.agent_state`.execute(session.db),
    ];
    world.records['A'] = fewAds().map((row) => ({ ...row, spend: '99' }));
    {
      await using cleanup = new AsyncDisposableStack();
      cleanup.use(await refuseCoverage('raise'));
      const [result] = await run(ads, { now: later });
      expect(result).toMatchObject({
        status: 'failed',
        rows_updated: 0,
        error: { error_type: 'load', severity: 'P1' },
      });
      expect(result?.error?.message).toContain('disk full');
    }
    expect([
      await spendRows(),
      await sql`select * from ops.coverage order by day`.execute(session.db),
      await sql`select * from ops.agent_state`.execute(session.db),
    ]).toEqual(before);
    expect((await run(ads, { now: later }))[0]).toMatchObject({ status: 'succeeded', rows_updated: 8 });
  });

  test('I2: stopped between pages, nothing of the window is written and the reason comes out', async () => {
    const stop = new AbortController();
    const reason = new PipelineError({ type: 'internal', message: 'Stopped by SIGTERM' });
    const world = createWorld<AdDay>({ A: fewAds() }, { onPage: atPage(4, () => stop.abort(reason)) });
    await expect(run(createAdsSource(world), { signal: stop.signal })).rejects.toBe(reason);
    expect(await coveredDays()).toEqual(['2026-11-20', '2026-11-21']);
    expect(await spendRows()).toHaveLength(4);
  });

  test.each<[string, number, 'page' | 'commit']>([
    ['between pages', 4, 'page'],
    ['at the end of the pages', 5, 'page'],
    ['inside the commit', -1, 'commit'],
  ])(
    'I2: the database connection lost %s is a P0 out of the run; the next run works',
    async (_name, step, where) => {
      const world = createWorld<AdDay>({ A: fewAds() });
      {
        await using test = await startTestRun(database.url, { now });
        await using cleanup = new AsyncDisposableStack();
        if (where === 'commit') cleanup.use(await refuseCoverage('terminate'));
        world.onPage = atPage(step, () => kill(test.run.session));
        const error = await runSource(test.run, createAdsSource(world), {}, { kind: 'scheduled' }).catch(
          (thrown: unknown) => thrown,
        );
        expect(error).toMatchObject({
          type: 'load',
          severity: 'P0',
          message: 'The database connection was lost',
          retryable: true,
        });
      }
      expect(await coveredDays()).toEqual(['2026-11-20', '2026-11-21']);
      expect(await spendRows()).toHaveLength(4);
      expect((await run(createAdsSource(world), { now: later }))[0]).toMatchObject({
        status: 'succeeded',
        rows_inserted: 4,
      });
      expect(
        (await session.db.selectFrom('ops.runs').select('status').orderBy('started_at').execute()).map(
          ({ status }) => status,
        ),
      ).toEqual(['interrupted', 'succeeded']);
    },
  );

  test('I4: a run whose lock another one took writes nothing more and says so', async () => {
    const world = createWorld<AdDay>({ A: fewAds() });
    await using first = await startTestRun(database.url, { now });
    await using thieves = new AsyncDisposableStack();
    world.onPage = atPage(4, async () => {
      await kill(first.lockSession);
      const thief = await connect(database.url);
      thieves.defer(() => thief.end());
      expect(await acquireLock(thief, '00000000-0000-0000-0000-000000000009', 0)).not.toBeNull();
    });
    await expect(
      runSource(first.run, createAdsSource(world), {}, { kind: 'scheduled' }),
    ).rejects.toBeInstanceOf(LockLostError);
    expect(await spendRows()).toHaveLength(4);
    expect(await coveredDays()).toEqual(['2026-11-20', '2026-11-21']);
  });
});

describe('backfill', () => {
  const work = { kind: 'backfill', window: { from: '2026-10-01', to: '2026-10-07' } } as const;
  const october = () => listDays(work.window).map((day): AdDay => ({ ad: '1', day, spend: '1' }));

  test('I2: goes on where it broke off, skips the days that are done, and forgets itself when it is done', async () => {
    const world = createWorld<AdDay>({ A: october() }, { onPage: atPage(4, broken) });
    const ads = createAdsSource(world);
    expect((await run(ads, { work, kind: 'backfill' }))[0]?.status).toBe('failed');
    expect(await unfinished()).toEqual(['meta 2026-10-01..2026-10-07']);
    // The agent's 10 KB are for what does not grow with every attempt.
    expect(await stateKeys()).toEqual([]);
    expect(await coveredDays()).toEqual(listDays({ from: '2026-10-03', to: '2026-10-07' }));
    world.asked.splice(0);
    const [second] = await run(ads, { work, kind: 'backfill', now: later });
    expect(world.asked).toEqual([{ account: 'A', from: '2026-10-01', to: '2026-10-03' }]);
    expect(second).toMatchObject({
      status: 'succeeded',
      rows_inserted: 2,
      metadata: { resumes: [expect.any(String)] },
    });
    expect(await unfinished()).toEqual([]);
    expect(await spendRows()).toHaveLength(6);
    // Asked for anew it reads everything again.
    world.asked.splice(0);
    await run(ads, { work, kind: 'backfill', now: later });
    expect(world.asked.map(({ from }) => from)).toEqual(['2026-10-05', '2026-10-03', '2026-10-01']);
  });

  test('I2: accounts and streams that are done stay done until the whole command is', async () => {
    let isBroken = true;
    const world = createWorld<AdDay>(
      { A: october(), B: october().map((day) => ({ ...day, ad: '2' })) },
      { onPage: ({ account }) => (isBroken && account === 'B' ? broken() : undefined) },
    );
    const ads = createAdsSource(world, { maxWindowDays: 30 });
    const backfill = async (options: Partial<Parameters<typeof run>[1]> = {}) => {
      world.asked.splice(0);
      const results = await run(ads, { work, kind: 'backfill', ...options });
      return {
        asked: world.asked.map(({ account }) => account).toSorted(),
        statuses: results.map(({ status }) => status),
        resumed: results.map(({ metadata }) => 'resumes' in metadata),
      };
    };
    expect(await backfill()).toMatchObject({ statuses: ['succeeded', 'failed'], resumed: [false, false] });
    expect(await backfill()).toEqual({
      asked: ['B'],
      statuses: ['succeeded', 'failed'],
      resumed: [true, true],
    });
    isBroken = false;
    // For one account alone it is another command, which leaves this one as it is.
    expect((await backfill({ work: { ...work, accountId: 'B' } })).asked).toEqual(['B']);
    expect(await unfinished()).toEqual(['meta 2026-10-01..2026-10-07']);
    expect(await backfill()).toMatchObject({ asked: ['B'], statuses: ['succeeded', 'succeeded'] });
    expect((await backfill()).asked).toEqual(['A', 'B']);
    expect(await unfinished()).toEqual([]);
  });

  test('I2: a second stream that fails does not make the first one be read again', async () => {
    const world = createWorld<AdDay>({ A: october() });
    const ads = createAdsSource(world, { maxWindowDays: 30 });
    const other = { ...streamOf(ads), name: 'other', readDays: broken };
    const two = { ...ads, streams: [...ads.streams, other] };
    for (const resumed of [false, true]) {
      const results = await run(two, { work, kind: 'backfill' });
      expect(results.map(({ status }) => status)).toEqual(['succeeded', 'failed']);
      expect(results.map(({ metadata }) => 'resumes' in metadata)).toEqual([resumed, resumed]);
    }
    expect(world.asked).toHaveLength(1);
  });

  test('leaves nothing behind when it can not be read at all', async () => {
    const ads = createAdsSource(createWorld<AdDay>({ A: october() }));
    const stream = { ...streamOf(ads), prepareBackfill: broken };
    const [result] = await run({ ...ads, streams: [stream] }, { work, kind: 'backfill' });
    expect(result).toMatchObject({ status: 'failed', error: { message: 'The vendor broke off' } });
    expect(await unfinished()).toEqual([]);
    expect(await stateKeys()).toEqual([]);
  });

  test('leaves the scheduled runs where they are: no cursor, no gap up to them', async () => {
    const world = createWorld<AdDay>({ A: october() });
    const ads = createAdsSource(world);
    await run(ads, { work, kind: 'backfill' });
    world.asked.splice(0);
    await run(ads);
    expect(world.asked.flatMap(listDays).toSorted()).toEqual(
      listDays({ from: '2026-11-18', to: '2026-11-22' }),
    );
  });

  test('reads one account when asked to, and no day after today', async () => {
    const world = createWorld<AdDay>({ A: [], B: [] });
    await run(createAdsSource(world), {
      work: { kind: 'backfill', window: { from: '2026-11-20', to: '2026-12-01' }, accountId: 'B' },
    });
    expect(world.asked).toEqual([{ account: 'B', from: '2026-11-20', to: '2026-11-22' }]);
  });

  test('I4: lets a waiting run in between windows, and goes on with a new token', async () => {
    const world = createWorld<AdDay>({ A: october() });
    const tokens: string[] = [];
    await using tick = new AsyncDisposableStack();
    let waiting: Promise<unknown> | undefined;
    const [result] = await run(createAdsSource(world), {
      work,
      kind: 'backfill',
      betweenWindows: async (lock) => {
        if (waiting === undefined) {
          const other = await connect(database.url);
          tick.defer(() => other.end());
          waiting = acquireLock(other, '00000000-0000-0000-0000-000000000008', 10_000).then(
            async (theirs) => {
              tokens.push(theirs?.token ?? '');
              await theirs?.release();
            },
          );
          for (let queued = false; !queued;)
            queued =
              (
                await sql`select 1 from pg_locks where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database())`.execute(
                  session.db,
                )
              ).rows.length > 0;
        }
        await lock.yieldToWaiters();
        tokens.push(lock.token);
      },
    });
    await waiting;
    expect(result).toMatchObject({ status: 'succeeded', rows_inserted: 6 });
    expect(tokens).toHaveLength(4);
    expect(new Set(tokens).size).toBe(2);
  });
});

describe('I7: records that are not valid', () => {
  const good = () => manyAds(39);
  const bad = { ad: '77', day: '2026-11-21', spend: 'lots' };

  test('I7: up to 5 % are set aside with their reasons; the rest is loaded; their stored rows stay', async () => {
    const world = createWorld<AdDay>(
      { A: [...good(), { ad: '77', day: '2026-11-21', spend: '7' }] },
      { pageSize: 16 },
    );
    const ads = createAdsSource(world);
    await run(ads);
    world.records['A'] = [...good().slice(1), bad, { ad: '100', day: '2026-11-21', spend: '1' }];
    const [result] = await run(ads, { now: later });
    expect(result).toMatchObject({
      status: 'succeeded',
      rows_read: 40,
      rows_rejected: 1,
      rows_inserted: 1,
      rows_deleted: 1,
    });
    expect(await rejects()).toEqual([
      {
        account_id: 'A',
        external_id: 'meta:77',
        date: '2026-11-21',
        reasons: ['spend: is not a decimal number'],
        resolved: false,
      },
    ]);
    expect(await spendRows()).toContain('A meta:77 2026-11-21 7');
    expect(await spendRows()).not.toContain('A meta:1 2026-11-21 1');
    const warning = await session.db.selectFrom('ops.errors').select(['error_type', 'severity']).execute();
    expect(warning).toEqual([{ error_type: 'rejects', severity: 'P2' }]);
  });

  test('I7: exactly 5 % is still loaded', async () => {
    const world = createWorld<AdDay>({ A: [...manyAds(19), bad] });
    expect((await run(createAdsSource(world)))[0]).toMatchObject({ status: 'succeeded', rows_inserted: 19 });
  });

  test('I7: more than 5 % roll the window back; the rejects stay, the agent fails, the days are not covered', async () => {
    const world = createWorld<AdDay>({ A: good() });
    const ads = createAdsSource(world);
    await run(ads);
    const before = [
      await spendRows(),
      await sql`select * from ops.coverage order by day`.execute(session.db),
    ];
    world.records['A'] = [...good().map((row) => ({ ...row, spend: '5' })), bad, { ...bad, ad: '78' }, null];
    const [result] = await run(ads, { now: later });
    expect(result).toMatchObject({
      status: 'failed',
      rows_rejected: 3,
      rows_updated: 0,
      error: { error_type: 'rejects' },
    });
    expect([
      await spendRows(),
      await sql`select * from ops.coverage order by day`.execute(session.db),
    ]).toEqual(before);
    expect(await rejects()).toHaveLength(3);
  });

  test('I7: a later valid reading resolves them', async () => {
    const world = createWorld<AdDay>({ A: [...good(), bad] });
    const ads = createAdsSource(world);
    await run(ads);
    await run(ads, { now: later });
    expect((await rejects()).map(({ resolved }) => resolved)).toEqual([false]);
    world.records['A'] = [...good(), { ...bad, spend: '3' }];
    await run(ads, { now: later });
    expect((await rejects()).map(({ resolved }) => resolved)).toEqual([true]);
    expect(await spendRows()).toContain('A meta:77 2026-11-21 3');
    world.records['A'] = [...good(), bad];
    await run(ads, { now: later });
    expect((await rejects()).map(({ resolved }) => resolved)).toEqual([false]);
  });

  test('I7: a replay loads what a fix made valid, deletes nothing, and leaves the rest open', async () => {
    const odd = { advert: '88', when: '2026-11-21', cost: '8' };
    const world = createWorld<AdDay>(
      { A: [...manyAds(60), bad, odd, { ...bad, ad: '79', spend: 'free' }] },
      { pageSize: 100 },
    );
    const ads = createAdsSource(world, { maxWindowDays: 4 });
    await run(ads);
    expect(await rejects()).toHaveLength(3);
    // The fix: "lots" is 1000, and another format is known too.
    const stream = streamOf(ads);
    const schema = z.preprocess((record: { advert?: string; spend?: string }) => {
      if (record.advert !== undefined) return { ad: record.advert, day: '2026-11-21', spend: '8' };
      return record.spend === 'lots' ? { ...record, spend: '1000' } : record;
    }, stream.schema);
    const fixed = { ...ads, streams: [{ ...stream, schema }] };
    const asked = world.asked.length;
    const [result] = await run(fixed, { work: { kind: 'replay' }, now: later });
    expect(world.asked).toHaveLength(asked);
    expect(result).toMatchObject({
      status: 'succeeded',
      rows_read: 3,
      rows_inserted: 2,
      rows_rejected: 1,
      rows_deleted: 0,
    });
    expect(await spendRows()).toEqual(
      expect.arrayContaining(['A meta:77 2026-11-21 1000', 'A meta:88 2026-11-21 8']),
    );
    expect(
      (await rejects()).filter(({ resolved }) => !resolved).map(({ external_id }) => external_id),
    ).toEqual(['meta:79']);
  });

  test('rubbish that no database column takes is set aside like any other', async () => {
    const rubbish = [null, 7, 'text', { ad: '\0', day: '2026-11-21', spend: '\\u0000 \uD800 \0', 'k\0': 1 }];
    const world = createWorld<AdDay>({ A: [...manyAds(100), ...rubbish] }, { pageSize: 200 });
    expect((await run(createAdsSource(world, { maxWindowDays: 4 })))[0]).toMatchObject({
      status: 'succeeded',
      rows_rejected: 4,
      rows_inserted: 100,
    });
    expect(await rejects()).toHaveLength(4);
  });

  test('I3: an ad id that another account holds is set aside with the reason and not taken over', async () => {
    const world = createWorld<AdDay>({ A: manyAds(25), B: manyAds(25, '2026-11-20', 25) }, { pageSize: 50 });
    const results = await run(createAdsSource(world));
    expect(results.map(({ status, rows_rejected }) => [status, rows_rejected])).toEqual([
      ['succeeded', 0],
      ['succeeded', 1],
    ]);
    expect(await rejects()).toEqual([
      expect.objectContaining({
        account_id: 'B',
        external_id: 'meta:25',
        reasons: [expect.stringContaining('belongs to another account')],
      }),
    ]);
    expect((await spendRows()).filter((row) => row.includes('meta:25 '))).toEqual(['A meta:25 2026-11-21 1']);
    // Its holder's days are replaced as before, and the intruder's are no reason to delete anything.
    await run(createAdsSource(world), { now: later });
    expect(await spendRows()).toHaveLength(49);
  });
});

describe('I8: incomplete is failed', () => {
  test('I8: an extractor that throws after its last page leaves no coverage and no rows', async () => {
    const world = createWorld<AdDay>({ A: manyAds(6) });
    world.onPage = ({ last }) => (last ? broken() : undefined);
    expect((await run(createAdsSource(world)))[0]?.status).toBe('failed');
    expect([await coveredDays(), await spendRows(), await stateKeys()]).toEqual([[], [], []]);
  });

  test('I8: a window that is too large is halved by days, down to a single one', async () => {
    const world = createWorld<AdDay>({ A: fewAds() });
    world.onPage = ({ window }) => {
      if (addDays(window.from, 1) !== window.to) throw new WindowTooLargeError({ message: 'Ask for less' });
    };
    const [result] = await run(createAdsSource(world, { maxWindowDays: 30 }));
    expect(result).toMatchObject({ status: 'succeeded', rows_inserted: 8 });
    expect(await coveredDays()).toEqual(listDays({ from: '2026-11-18', to: '2026-11-22' }));
    expect(world.asked.map(({ from, to }) => `${from}/${to.slice(8)}`)).toEqual([
      ...['2026-11-18/22', '2026-11-20/22', '2026-11-21/22', '2026-11-20/21'],
      ...['2026-11-18/20', '2026-11-19/20', '2026-11-18/19'],
    ]);
  });

  test('I8: a single day that is too large fails, and is not covered', async () => {
    const world = createWorld<AdDay>({ A: fewAds() });
    world.onPage = ({ window }) => {
      if (window.from <= '2026-11-19' && window.to > '2026-11-19')
        throw new WindowTooLargeError({ message: 'Ask for less' });
    };
    const [result] = await run(createAdsSource(world));
    expect(result).toMatchObject({ status: 'failed', error: { error_type: 'truncated' } });
    expect(await coveredDays()).toEqual(['2026-11-20', '2026-11-21']);
  });
});

describe('I6: a paused account', () => {
  test('I6: is not called before the vendor said, does not stop others, and goes on afterwards', async () => {
    const vendor = await startTestVendor((_request, index) => ({
      status: index === 0 ? 429 : 200,
      body: {},
    }));
    try {
      const world = createWorld<AdDay>({ A: fewAds(), B: manyAds(2, '2026-11-21', 50) });
      world.onOpen = async (id, io) => {
        if (id !== 'A') return;
        await io.http.request({
          url: `${vendor.url}/me`,
          safeToRepeat: true,
          classify: ({ status }) =>
            status === 429 ? new ThrottledError({ message: 'Too many calls', waitMs: 3_600_000 }) : undefined,
        });
      };
      const ads = createAdsSource(world);
      const results = await run(ads, { waitBudgetMs: 300_000 });
      expect(results.map(({ status, api_calls }) => [status, api_calls])).toEqual([
        ['paused', 1],
        ['succeeded', 0],
      ]);
      expect(results[0]?.error).toMatchObject({ error_type: 'rate_limit', severity: 'P2' });
      expect((await run(ads, { now: '2026-11-21T09:59:00Z' }))[0]).toMatchObject({
        status: 'paused',
        api_calls: 0,
      });
      expect(vendor.requests).toHaveLength(1);
      expect((await run(ads, { now: '2026-11-21T10:01:00Z' }))[0]).toMatchObject({
        status: 'succeeded',
        rows_inserted: 8,
      });
      expect(await stateKeys()).toEqual(['A/insights cursor', 'B/insights cursor']);
    } finally {
      await vendor.close();
    }
  });

  test('I6: a pause for years, as older versions took it from a vendor, is not kept', async () => {
    await sql`insert into ops.agent_state (agent, scope, key, value) values ('etl-meta', 'A', 'paused_until', '"2030-01-01T00:00:00Z"')`.execute(
      session.db,
    );
    const world = createWorld<AdDay>({ A: fewAds() });
    expect(await run(createAdsSource(world))).toMatchObject([{ status: 'succeeded', rows_inserted: 8 }]);
    expect(await stateKeys()).toEqual(['A/insights cursor']);
  });

  test('I6: paused in the middle it keeps what it has and reads the rest later', async () => {
    const until = '2026-11-21T10:00:00Z';
    const pause = () => {
      throw new AccountPausedError({ message: 'Enough for now', until });
    };
    const world = createWorld<AdDay>({ A: fewAds() }, { onPage: atPage(4, pause) });
    expect((await run(createAdsSource(world)))[0]).toMatchObject({ status: 'paused', rows_inserted: 4 });
    expect(await coveredDays()).toEqual(['2026-11-20', '2026-11-21']);
    expect((await run(createAdsSource(world), { now: later }))[0]).toMatchObject({
      status: 'succeeded',
      rows_inserted: 4,
    });
    expect(await coveredDays()).toHaveLength(4);
  });
});

test('I12: secrets of errors, causes, contexts and URLs reach neither the ledger nor the results', async () => {
  const secret = 'EAAG-very/secret+token';
  const world = createWorld<AdDay>({ A: fewAds() });
  world.onPage = () => {
    throw new PipelineError({
      type: 'auth',
      message: `GET https://x.example/?access_token=unknown123&limit=1 with ${secret} failed\0`,
      advice: `Not ${secret}`,
      context: {
        request: {
          headers: { authorization: 'opaque123' },
          urls: [`https://x.example/?y=${encodeURIComponent(secret)}`],
        },
        big: 1n,
      },
      cause: new Error(`inner ${secret}`, { cause: new Error('Bearer unknown123') }),
    });
  };
  const results = await run(createAdsSource(world), { secrets: [secret] });
  expect(results[0]?.status).toBe('failed');
  const { rows } = await sql<{ text: string }>`
    select row_to_json(e)::text as text from ops.errors e union all select row_to_json(r)::text from ops.agent_results r`.execute(
    session.db,
  );
  const all = JSON.stringify(results) + rows.map(({ text }) => text).join('\n');
  expect(rows).toHaveLength(2);
  expect(all).toContain('caused by');
  for (const hidden of ['very/secret', 'secret%2Btoken', 'unknown123', 'opaque123'])
    expect(all).not.toContain(hidden);
});
