/**
 * Objects that can't be used as Stripe has them: of a shape that no mapping knows, refused by Stripe or by the database.
 * Each is wrong by itself, so that it is told and the others go on.
 */
import { sqlState } from '@floyo/shared/db';
import { PipelineError } from '@floyo/shared/errors';

import { MappingError } from '../mapping/read.ts';

/** One of them, and why. */
export interface OddObject {
  readonly account: string;
  readonly type: string;
  readonly id: string;
  readonly reason: string;
  /** Of an answer of Stripe's: its request_id, status, url. */
  readonly facts: Readonly<Record<string, unknown>>;
}

/** What the database says of a value that it can't hold or that breaks a constraint. */
const REFUSED_VALUE = /^2[23]/;
/** Named in a message, and in the context of an error. */
const MORE_IN_MESSAGE = 5;
const MORE_IN_CONTEXT = 50;

/** The object with what is wrong with it; undefined when the error is about more than this one object. */
export function toOdd(
  { account, type, id }: Pick<OddObject, 'account' | 'type' | 'id'>,
  error: unknown,
): OddObject | undefined {
  const concernsOne =
    error instanceof MappingError ||
    (error instanceof PipelineError && error.type === 'contract') ||
    REFUSED_VALUE.test(sqlState(error) ?? '');
  if (!concernsOne || !(error instanceof Error)) return undefined;
  const named = `${type} ${id}: `;
  const { message } = error;
  const reason = message.startsWith(named) ? message.slice(named.length) : message;
  return { account, type, id, reason, facts: error instanceof PipelineError ? error.context : {} };
}

/** One warning for each account and type: `told` begins it, `next` says what became of the rest, and what happens to these. */
export function oddWarnings(objects: readonly OddObject[], told: string, next: string): PipelineError[] {
  const kinds = Map.groupBy(objects, ({ account, type }) => `${account} ${type}`);
  return [...kinds.values()].flatMap((odd) => {
    const [first, ...others] = odd;
    if (first === undefined) return [];
    const ids = others.slice(0, MORE_IN_MESSAGE).map(({ id }) => id);
    const more = others.length === 0 ? '' : `, nor could ${others.length} more: ${ids.join(', ')}`;
    const etc = others.length > ids.length ? ', …' : '';
    const where = first.account === 'default' ? '' : ` of ${first.account}`;
    return [
      new PipelineError({
        type: 'contract',
        severity: 'P2',
        message: `${told}${first.type} ${first.id}${where} could not be used (${first.reason})${more}${etc}`,
        advice: `${next} Look at it in the Dashboard: if it is right there, the mapping has to learn its shape.`,
        context: { count: odd.length, objects: odd.slice(0, MORE_IN_CONTEXT) },
      }),
    ];
  });
}
