/**
 * Once a day: everything that Stripe lists against everything that is stored. What differs is told with numbers, and read
 * again singly, as is what a list no longer has: it is marked as gone when Stripe says so of it by its id. Nothing is
 * compared with a version newer than the list.
 */
import type { Desk, Io, Tended } from '@floyo/shared/connector';

import { compareList, type Comparison } from './compare-list.ts';
import { oddWarnings } from './odd-objects.ts';
import { STATE_LISTS } from './read-state.ts';
import { createBooks } from './reconcile-books.ts';
import { createSeen } from './reconcile-store.ts';
import { driftWarnings, hasDrifted, isOff, notBelieved, otherAccount } from './reconcile-warnings.ts';
import { type DirtyObject, rereadDirty } from './reread.ts';
import type { StripeSession } from './session.ts';
import { createStore } from './store.ts';

/** Objects re-read in one night: what is left is found again the next one. */
const REREADS = 2_000;
/** More vanished objects than this share of a type are not believed: a list that came short must not mark all as gone. */
const MAX_GONE_SHARE = 0.05;
/** Below this many a share says nothing. */
const MAX_GONE_ALWAYS = 10;
/**
 * A type whose list leaves out part of what there is: inline prices. https://docs.stripe.com/api/prices/list
 * There may be one for each sale, events tell what changes of them, and nothing can be sold at one that is gone: so only a
 * few a night are asked for.
 */
const PARTLY_LISTED = { type: 'price', asked: 100 } as const;
/**
 * By which type an account is told from another, the first of which anything is stored: nobody can choose a subscription's
 * id and nobody can delete one, while coupons, products and prices may be named alike in two accounts.
 */
const TELLING = ['subscription', 'customer', 'price', 'product', 'coupon'] as const;

export async function reconcileBilling(session: StripeSession, desk: Desk, io: Io): Promise<Tended> {
  const books = createBooks();
  const compared: Comparison[] = [];
  await createSeen(desk.db);
  for (const list of STATE_LISTS) compared.push(await compareList(session, desk, io, list, books));
  const results = compared.map(({ result }) => result);
  const warnings = oddWarnings(
    compared.flatMap(({ odd }) => odd),
    'Not all that Stripe lists could be compared: ',
    'Everything else was; this stays as it was, and is compared again tomorrow.',
  );
  const stranger = findStranger(compared);
  if (stranger !== undefined)
    return {
      metadata: { reconciled: { lists: results, subscriptions: books.list(), read_again: 0 }, drift: [] },
      warnings: [...warnings, otherAccount(stranger.result.type, stranger.known, stranger.unseen)],
    };
  const again = compared.flatMap(({ result, again: ids }) => toDirty(session, result.type, ids));
  for (const { result, unseen } of compared) {
    const asked = believable(result.type, unseen, result.listed);
    if (asked === undefined) warnings.push(notBelieved(result, unseen.length));
    else again.push(...toDirty(session, result.type, asked));
  }
  // Each one is asked for singly before anything is believed: a list is no snapshot.
  const reread = await rereadDirty({
    client: session.client,
    io,
    store: {
      ...createStore(desk),
      listDirty: (_livemode, limit) => Promise.resolve(again.slice(0, limit)),
    },
    limit: REREADS,
  });
  for (const { result, unseen } of compared) {
    const ids = new Set(unseen);
    result.missing_there = reread.vanished.filter(
      ({ type, id }) => type === result.type && ids.has(id),
    ).length;
  }
  return {
    metadata: {
      reconciled: { lists: results, subscriptions: books.list(), read_again: reread.read },
      drift: [...results.filter(hasDrifted), ...books.list().filter(isOff)],
    },
    warnings: [...warnings, ...driftWarnings(results, books.list()), ...reread.failures],
  };
}

/**
 * The list by which the account is not the one that is stored: it lacks most of what was stored before this run, which has
 * taken over the events of whatever account it was given.
 */
function findStranger(compared: readonly Comparison[]): Comparison | undefined {
  for (const type of TELLING) {
    const found = compared.find(({ result }) => result.type === type);
    if (found === undefined || found.known + found.unseen.length === 0) continue;
    return found.unseen.length > found.known ? found : undefined;
  }
  return undefined;
}

/** Which of the objects that a list lacks are asked for; undefined when the list is not believed. */
function believable(type: string, unseen: readonly string[], listed: number): readonly string[] | undefined {
  if (type === PARTLY_LISTED.type) return unseen.slice(0, PARTLY_LISTED.asked);
  const isMany = unseen.length > MAX_GONE_ALWAYS && unseen.length > (listed + unseen.length) * MAX_GONE_SHARE;
  return isMany ? undefined : unseen;
}

function toDirty({ id: account }: StripeSession, type: string, ids: readonly string[]): DirtyObject[] {
  return ids.map((id) => ({ account, type, id }));
}
