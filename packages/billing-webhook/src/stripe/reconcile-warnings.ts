/** What people are told of the nightly comparison: what differed, and which answers of Stripe's are not believed. */
import { PipelineError } from '@floyo/shared/errors';

import type { ListResult } from './compare-list.ts';
import type { StatusBook } from './reconcile-books.ts';

/** How to have the pipeline believe, object by object, what it does not believe of a list. */
const ASK_SINGLY =
  'If they are really gone, set dirty_since of their rows in billing_objects to now(): the next run asks for each by its id.';

/** Whether the two sides of a book differ. */
export function isOff({ count, count_there: countThere, mrr, mrr_there: mrrThere }: StatusBook): boolean {
  return count !== countThere || mrr !== mrrThere;
}

/** Whether what is stored of a type was not as Stripe has it. */
export function hasDrifted({ missing_here: here, missing_there: there, differing }: ListResult): boolean {
  return here + there + differing > 0;
}

export function driftWarnings(results: readonly ListResult[], books: readonly StatusBook[]): PipelineError[] {
  const drifted = results.filter(hasDrifted);
  const off = books.filter(isOff);
  if (drifted.length === 0 && off.length === 0) return [];
  const kinds = drifted.map(
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

/** A list that came short. */
export function notBelieved({ type, listed }: ListResult, gone: number): PipelineError {
  return new PipelineError({
    type: 'contract',
    severity: 'P2',
    message: `Stripe's list of ${type} lacks ${gone} of the ${gone + listed} that are stored`,
    advice: `So many at once are not believed to be gone, and nothing was marked. ${ASK_SINGLY}`,
    context: { type, gone, listed },
  });
}

/** Lists of somebody else: `known` of what is stored of the type is in them, `unseen` is not. */
export function otherAccount(type: string, known: number, unseen: readonly string[]): PipelineError {
  const stored = known + unseen.length;
  return new PipelineError({
    type: 'contract',
    severity: 'P2',
    message: `Stripe lists ${known} of the ${stored} ${type}${stored === 1 ? '' : 's'} that are stored: the key is likely of another account`,
    advice: `Nothing was marked as gone, and nothing of these lists was taken over. Put a key of the account that was read before into STRIPE_SECRET_KEY; until then each run takes over the other account's events. ${ASK_SINGLY}`,
    context: { type, stored, listed: known, not_listed: unseen.slice(0, 20) },
  });
}
