/**
 * Once a day: everything that Stripe lists against everything that is stored. What differs is told with numbers, and read
 * again singly; what a whole list no longer has is marked as gone. Nothing is compared with a version newer than the list.
 */
import type { Desk, Io, Tended } from '@floyo/shared/connector';
import { PipelineError } from '@floyo/shared/errors';

import { mapObject } from '../mapping/map-object.ts';
import { type Listed, readListed, STATE_LISTS } from './read-state.ts';
import { createBooks, type StatusBook } from './reconcile-books.ts';
import { compareObjects, compareSubscriptions, createSeen, listUnseen } from './reconcile-store.ts';
import { type DirtyObject, rereadDirty } from './reread.ts';
import type { StripeSession } from './session.ts';
import { createStore } from './store.ts';

/** What one list came to. */
interface ListResult {
  readonly type: string;
  listed: number;
  /** Listed, and not stored. */
  missing_here: number;
  /** Stored, and no longer listed. */
  missing_there: number;
  /** Stored otherwise. */
  differing: number;
}

/** Objects re-read in one night: what is left is found again the next one. */
const REREADS = 2_000;
/** More vanished objects than this share of a type are not believed: a list that came short must not mark all as gone. */
const MAX_GONE_SHARE = 0.05;
/** Below this many a share says nothing. */
const MAX_GONE_ALWAYS = 10;

export async function reconcileBilling(session: StripeSession, desk: Desk, io: Io): Promise<Tended> {
  const { client } = session;
  const results: ListResult[] = [];
  const warnings: PipelineError[] = [];
  const again: DirtyObject[] = [];
  const books = createBooks();
  await createSeen(desk.db);
  for (const list of STATE_LISTS) {
    const result: ListResult = {
      type: list.type,
      listed: 0,
      missing_here: 0,
      missing_there: 0,
      differing: 0,
    };
    const begunAt = await compareList(session, desk, io, list, result, again, books);
    const unseen = await listUnseen(desk.db, session, list.type, begunAt);
    result.missing_there = unseen.length;
    if (unseen.length > MAX_GONE_ALWAYS && unseen.length > (result.listed + unseen.length) * MAX_GONE_SHARE)
      warnings.push(notBelieved(list.type, unseen.length, result.listed));
    else again.push(...unseen.map((id) => ({ account: session.id, type: list.type, id })));
    results.push(result);
  }
  // Each one is asked for singly before anything is believed: a list is no snapshot.
  const store = createStore(desk);
  const reread = await rereadDirty({
    client,
    io,
    store: { ...store, listDirty: (_livemode, limit) => Promise.resolve(again.slice(0, limit)) },
    limit: REREADS,
  });
  const drift = [
    ...results.filter((result) => result.missing_here + result.missing_there + result.differing > 0),
    ...books.list().filter(isOff),
  ];
  return {
    metadata: {
      reconciled: { lists: results, subscriptions: books.list(), read_again: reread.read },
      drift,
    },
    warnings: [...warnings, ...driftWarnings(results, books.list()), ...reread.failures],
  };
}

/** Compares the pages of one list; returns the instant as of which it begins. */
async function compareList(
  session: StripeSession,
  desk: Desk,
  io: Io,
  list: Listed,
  result: ListResult,
  again: DirtyObject[],
  books: ReturnType<typeof createBooks>,
): Promise<string> {
  const { client, id: account } = session;
  let begunAt: string | undefined;
  for await (const { objects, fetchedAt } of readListed(client, io, list)) {
    begunAt ??= fetchedAt;
    const changes = objects
      .map((object) => mapObject(object, { fetchedAt, account, livemode: client.livemode }))
      .filter(({ object }) => object !== null);
    result.listed += changes.length;
    const compared =
      list.type === 'subscription'
        ? await compareSubscriptions(desk.db, session, fetchedAt, changes, books)
        : await compareObjects(desk.db, session, list.type, changes);
    for (const { id, state } of compared) {
      if (state === 'same') continue;
      if (state === 'missing') result.missing_here++;
      else result.differing++;
      again.push({ account, type: list.type, id });
    }
  }
  // An empty list says as of when by the run's clock.
  return begunAt ?? io.now().toString();
}

function isOff({ count, count_there: countThere, mrr, mrr_there: mrrThere }: StatusBook): boolean {
  return count !== countThere || mrr !== mrrThere;
}

function driftWarnings(results: readonly ListResult[], books: readonly StatusBook[]): PipelineError[] {
  const objects = results.reduce(
    (sum, { missing_here, missing_there, differing }) => sum + missing_here + missing_there + differing,
    0,
  );
  const off = books.filter(isOff);
  if (objects === 0 && off.length === 0) return [];
  const kinds = results
    .filter((result) => result.missing_here + result.missing_there + result.differing > 0)
    .map(
      ({ type, missing_here, missing_there, differing }) =>
        `${type}: ${missing_here} missing here, ${missing_there} missing there, ${differing} different`,
    );
  const sums = off.map(
    ({ status, currency, count, count_there, mrr, mrr_there }) =>
      `${status} ${currency}: ${count} with ${mrr} here, ${count_there} with ${mrr_there} there`,
  );
  return [
    new PipelineError({
      type: 'drift',
      severity: 'P2',
      message: `stripe default: what is stored differed from Stripe (${[...kinds, ...sums].join('; ')})`,
      advice:
        'What differed was read again. If it happens daily, see `floyo doctor`: an event type may be missing at the webhook endpoint.',
      context: { lists: results, subscriptions: books },
    }),
  ];
}

function notBelieved(type: string, gone: number, listed: number): PipelineError {
  return new PipelineError({
    type: 'contract',
    severity: 'P2',
    message: `Stripe's list of ${type} lacks ${gone} of the ${gone + listed} that are stored`,
    advice:
      'So many at once are not believed to be gone, and nothing was marked. Check that STRIPE_SECRET_KEY is of the same account as before.',
    context: { type, gone, listed },
  });
}
