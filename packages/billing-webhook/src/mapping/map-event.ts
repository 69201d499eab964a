/** One event, as Stripe delivers or lists it, to a change. Pure; knows every API version and no database. */
import type { Change, LedgerEvent, ObjectType } from './change.ts';
import { kindOf, mapVersion } from './objects.ts';
import { type Fields, idAt, isFields, objectAt, requiredInstant, requiredText, textAt } from './read.ts';

/** What was signed is no event of Stripe's. */
export class NotAnEventError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NotAnEventError';
  }
}

/** What every event says of itself. */
export interface EventHead {
  readonly account: string;
  readonly livemode: boolean;
  readonly ledger: Omit<LedgerEvent, 'status'>;
  /** A thin event names its object; a snapshot holds it. */
  readonly thin: boolean;
  readonly object: Fields;
}

/** The platform's own account: an event without `account`. */
export const PLATFORM = 'default';

/** Reads what every event has. Throws NotAnEventError, saying what is missing. */
export function readEvent(event: unknown): EventHead {
  if (!isFields(event)) throw new NotAnEventError('The body is no JSON object');
  try {
    return event['object'] === 'v2.core.event' ? readThin(event) : readSnapshot(event);
  } catch (error) {
    throw new NotAnEventError(error instanceof Error ? error.message : String(error));
  }
}

function readSnapshot(event: Fields): EventHead {
  const data = objectAt(event, 'data');
  const object = data === undefined ? undefined : objectAt(data, 'object');
  if (event['object'] !== 'event' || object === undefined)
    throw new NotAnEventError('The body is no event: it has no data.object');
  if (typeof event['livemode'] !== 'boolean') throw new NotAnEventError('The event does not say its mode');
  return {
    account: textAt(event, 'account') ?? PLATFORM,
    livemode: event['livemode'],
    thin: false,
    object,
    ledger: {
      id: requiredText(event, 'id'),
      type: requiredText(event, 'type'),
      object_type: textAt(object, 'object'),
      object_id: textAt(object, 'id'),
      customer_id: object['object'] === 'customer' ? textAt(object, 'id') : customerOf(object),
      api_version: textAt(event, 'api_version'),
      created: requiredInstant(event, 'created'),
      payload: event,
    },
  };
}

/** https://docs.stripe.com/event-destinations: no version, no object, its time as a text. */
function readThin(event: Fields): EventHead {
  const related = objectAt(event, 'related_object');
  const created = requiredText(event, 'created');
  if (Number.isNaN(Date.parse(created)))
    throw new NotAnEventError('The event does not say when it was created');
  if (typeof event['livemode'] !== 'boolean') throw new NotAnEventError('The event does not say its mode');
  const type = related === undefined ? null : textAt(related, 'type');
  const id = related === undefined ? null : textAt(related, 'id');
  return {
    account: textAt(event, 'context') ?? PLATFORM,
    livemode: event['livemode'],
    thin: true,
    object: { object: type, id },
    ledger: {
      id: requiredText(event, 'id'),
      type: requiredText(event, 'type'),
      object_type: type,
      object_id: id,
      customer_id: type === 'customer' ? id : null,
      api_version: null,
      created: new Date(Math.floor(Date.parse(created) / 1000) * 1000).toISOString(),
      payload: event,
    },
  };
}

function customerOf(object: Fields): string | null {
  return isFields(object['customer']) || typeof object['customer'] === 'string'
    ? idAt(object, 'customer')
    : null;
}

/** Types whose objects a thin event can leave in doubt: those that the API can be asked for one by one. */
const READABLE: ReadonlySet<ObjectType> = new Set<ObjectType>([
  'subscription',
  'invoice',
  'charge',
  'refund',
  'dispute',
  'customer',
  'price',
  'product',
  'coupon',
]);

/**
 * One event to a change. What has no state here (other objects, upcoming invoices, test clocks) is `ignored`.
 * @throws NotAnEventError when it is no event; MappingError when its object is like none of any API version
 */
export function mapEvent(event: unknown): Change {
  return mapHead(readEvent(event));
}

/** The same for an event whose head has been read. */
export function mapHead(head: EventHead): Change {
  const { ledger, object, account, livemode } = head;
  const base = { account, livemode, source: 'webhook', embedded: [], references: [], rows: {} } as const;
  const ignored: Change = { ...base, event: { ...ledger, status: 'ignored' }, object: null };
  const kind = kindOf(object);
  if (kind === undefined || ledger.object_id === null) return ignored;
  const processed: LedgerEvent = { ...ledger, status: 'processed' };
  if (head.thin) {
    if (!READABLE.has(kind.type)) return ignored;
    const { type } = kind;
    const version = {
      type,
      id: ledger.object_id,
      version_at: ledger.created,
      rank: null,
      deleted: false,
      data: null,
    };
    return { ...base, event: processed, object: { ...version, unseen: true } };
  }
  if (kind.events?.test(ledger.type) !== true || hasTestClock(object)) return ignored;
  return {
    ...base,
    event: processed,
    ...mapVersion(kind, object, { versionAt: ledger.created, eventType: ledger.type }),
  };
}

/** Objects of a simulation live in a time of their own. https://docs.stripe.com/billing/testing/test-clocks */
export function hasTestClock(object: Fields): boolean {
  return object['test_clock'] !== null && object['test_clock'] !== undefined;
}
