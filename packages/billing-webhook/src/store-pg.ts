/**
 * The store over a pool of Postgres connections: one prepared statement an event, or one for several that arrived while
 * the last one was under way, in one transaction. Under a burst that saves most round trips and commits; a delivery that
 * comes alone never waits for others. One statement at a time also means that deliveries of one process don't deadlock.
 */
import { type Pool, sqlState } from '@floyo/shared/db';

import { type Applied, type EventStore, StoreError, toApplied } from './store.ts';

const MAX_BATCH = 50;
/** A statement that waits for a lock longer than this holds nobody else up: another one goes beside it. */
const STALLED_MS = 100;
const MAX_BESIDE = 7;

interface Job {
  readonly change: string;
  readonly done: PromiseWithResolvers<Applied>;
}

/** Tells a job's caller what became of it. */
type Answer = () => void;

export function createPgStore(pool: Pool): EventStore {
  const queue: Job[] = [];
  let running = 0;
  let allowed = 1;
  let latest = 0;

  async function ask(name: string, text: string, values: readonly string[]): Promise<unknown[]> {
    try {
      return (await pool.query(name, text, values)).map((row) => row['answer']);
    } catch (error) {
      throw new StoreError(error instanceof Error ? error.message : String(error), sqlState(error), error);
    }
  }

  async function applyOne({ change, done }: Job): Promise<Answer> {
    try {
      const [answer] = await ask('stripe_apply', 'select public.stripe_apply($1::jsonb) as answer', [change]);
      const applied = toApplied(answer);
      return () => done.resolve(applied);
    } catch (error) {
      return () => done.reject(error);
    }
  }

  async function applyAll(jobs: readonly Job[]): Promise<Answer[]> {
    const [first] = jobs;
    if (jobs.length === 1 && first !== undefined) return [await applyOne(first)];
    try {
      const answers = await ask(
        'stripe_apply_all',
        'select public.stripe_apply(e.value) as answer from jsonb_array_elements($1::jsonb) e',
        [`[${jobs.map(({ change }) => change).join(',')}]`],
      );
      const applied = answers.map(toApplied);
      return jobs.map(
        ({ done }, index) =>
          () =>
            done.resolve(applied[index] ?? toApplied(undefined)),
      );
    } catch {
      // Nothing of it was done. One of them is the cause: each has its own answer.
      const answers: Answer[] = [];
      for (const job of jobs) answers.push(await applyOne(job));
      return answers;
    }
  }

  /** Half of those under way: while the database works on one half, this process answers the other and reads what comes. */
  function takeBatch(): Job[] {
    return queue.splice(0, Math.min(MAX_BATCH, Math.ceil((queue.length + latest) / 2)));
  }

  function pump(): void {
    while (queue.length > 0 && running < allowed) {
      const jobs = takeBatch();
      latest = jobs.length;
      let stalled = false;
      running++;
      const timer = setTimeout(() => {
        if (allowed > MAX_BESIDE) return;
        stalled = true;
        allowed++;
        pump();
      }, STALLED_MS);
      void applyAll(jobs).then((answers) => {
        clearTimeout(timer);
        running--;
        if (stalled) allowed--;
        pump();
        const tell = () => {
          for (const answer of answers) answer();
        };
        // The next statement is on its way before these callers' work begins: it is sent when this turn of the loop ends.
        if (running > 0) setImmediate(tell);
        else tell();
      });
    }
  }

  return {
    apply(change) {
      const done = Promise.withResolvers<Applied>();
      queue.push({ change, done });
      pump();
      return done.promise;
    },
    async check() {
      const [found] = await ask(
        'stripe_check',
        "select to_regprocedure('public.stripe_apply(jsonb)') is not null as answer",
        [],
      );
      if (found !== true) throw new StoreError('The database lacks public.stripe_apply', '42883');
    },
  };
}
