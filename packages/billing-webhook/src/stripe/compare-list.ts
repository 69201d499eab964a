/** Compares one of Stripe's lists with what is stored: page by page, and at its end what it did not have. */
import type { Desk, Io } from '@floyo/shared/connector';

import type { Change } from '../mapping/change.ts';
import { mapObject } from '../mapping/map-object.ts';
import type { Page } from './client.ts';
import { MissingObjectError } from './errors.ts';
import { type OddObject, toOdd } from './odd-objects.ts';
import { completeObject, type Listed } from './read-state.ts';
import type { Books } from './reconcile-books.ts';
import { compareObjects, compareSubscriptions, countKnown, listUnseen, noteSeen } from './reconcile-store.ts';
import type { StripeSession } from './session.ts';

/** What one list came to. */
export interface ListResult {
  readonly type: string;
  listed: number;
  /** Listed, and of a shape that is not understood. */
  set_aside: number;
  /** Stored, and not listed: a list may leave out what is there all the same. */
  unlisted: number;
  /** Listed, and not stored. */
  missing_here: number;
  /** Stored, not listed, and gone when it was asked for by its id. */
  missing_there: number;
  /** Stored otherwise. */
  differing: number;
}

export interface Comparison {
  readonly result: ListResult;
  /** Listed objects that are not stored as they are listed. */
  readonly again: string[];
  readonly odd: OddObject[];
  /** Stored before this run, and listed. */
  readonly known: number;
  /** Stored, and not listed, in another order every day. */
  readonly unseen: readonly string[];
}

/** Reads the list to its end. An object that can't be understood is set aside, and counts as listed. */
export async function compareList(
  session: StripeSession,
  desk: Desk,
  io: Io,
  list: Listed,
  books: Books,
): Promise<Comparison> {
  const { type } = list;
  const result: ListResult = {
    type,
    listed: 0,
    set_aside: 0,
    unlisted: 0,
    missing_here: 0,
    missing_there: 0,
    differing: 0,
  };
  const again: string[] = [];
  const odd: OddObject[] = [];
  let begunAt: string | undefined;
  for await (const page of session.client.list(io, list.path, list.parameters)) {
    begunAt ??= page.fetchedAt;
    const read = await readPage(session, io, type, page);
    await noteSeen(desk.db, type, [...read.gone, ...read.odd.map(({ id }) => id)]);
    again.push(...read.gone);
    odd.push(...read.odd);
    result.listed += read.changes.length + read.odd.length;
    const compared =
      type === 'subscription'
        ? await compareSubscriptions(desk.db, session, page.fetchedAt, read.changes, books)
        : await compareObjects(desk.db, session, type, read.changes);
    for (const { id, state } of compared) {
      if (state === 'same') continue;
      if (state === 'missing') result.missing_here++;
      else result.differing++;
      again.push(id);
    }
  }
  // An empty list says as of when by the run's clock.
  const unseen = await listUnseen(desk.db, session, type, begunAt ?? io.now().toString(), desk.today);
  result.set_aside = odd.length;
  result.unlisted = unseen.length;
  return { result, again, odd, known: await countKnown(desk.db, session, type, desk.runId), unseen };
}

/** The objects of a page as changes; those that went away meanwhile, and those that can't be understood, by their ids. */
async function readPage(
  { client, id: account }: StripeSession,
  io: Io,
  type: string,
  { objects, fetchedAt }: Page,
): Promise<{ changes: Change[]; gone: string[]; odd: OddObject[] }> {
  const read: { changes: Change[]; gone: string[]; odd: OddObject[] } = { changes: [], gone: [], odd: [] };
  for (const object of objects)
    try {
      const whole = await completeObject(client, io, object);
      const change = mapObject(whole, { fetchedAt, account, livemode: client.livemode });
      if (change.object !== null) read.changes.push(change);
    } catch (error) {
      const one = toOdd({ account, type, id: object.id }, error);
      if (one !== undefined) read.odd.push(one);
      else if (error instanceof MissingObjectError) read.gone.push(object.id);
      else throw error;
    }
  return read;
}
