/**
 * Reads what is as of now: the whole lists of prices, products, coupons, customers and subscriptions. What others refer to
 * comes first. Lists inside an object that are cut off after ten entries are read to their end, and what a list can't be
 * asked for is read singly.
 */
import { isFields, objectAt } from '../mapping/read.ts';
import type { CallIo, Page, Parameters, StripeClient, StripeObject } from './client.ts';
import { contractError, MissingObjectError } from './errors.ts';
import type { StripeRecord } from './record.ts';

/** A list of the API and what has to be asked for besides. */
export interface Listed {
  readonly type: string;
  readonly path: string;
  readonly parameters: Parameters;
}

/**
 * What payloads leave out: tiers of a price, products of a coupon, the amounts of both in other currencies, the discounts
 * behind their ids. Four levels are as deep as Stripe goes. https://docs.stripe.com/expand
 */
export const STATE_LISTS = [
  { type: 'product', path: 'products', parameters: {} },
  { type: 'price', path: 'prices', parameters: { expand: ['data.tiers', 'data.currency_options'] } },
  {
    type: 'coupon',
    path: 'coupons',
    parameters: { expand: ['data.applies_to', 'data.currency_options'] },
  },
  { type: 'customer', path: 'customers', parameters: {} },
  {
    type: 'subscription',
    path: 'subscriptions',
    // Without a status Stripe leaves out the canceled ones.
    parameters: { status: 'all', expand: ['data.discounts', 'data.items.data.discounts'] },
  },
] as const satisfies readonly Listed[];

/** What a subscription that is read singly can be asked for: its discounts with their coupons, its prices whole. */
export const WHOLE_SUBSCRIPTION = [
  'discounts.source.coupon.applies_to',
  'discounts.source.coupon.currency_options',
  'items.data.discounts',
  'items.data.price.tiers',
  'items.data.price.currency_options',
] as const;

/** Every page of one list, its objects whole. */
export async function* readListed(
  client: StripeClient,
  io: CallIo,
  { path, parameters }: Listed,
  created?: { readonly from: number; readonly to: number },
): AsyncGenerator<Page> {
  for await (const page of client.list(io, path, parameters, created ? { created } : {})) {
    const objects: StripeObject[] = [];
    for (const object of page.objects) objects.push(await completeObject(client, io, object));
    yield { ...page, objects };
  }
}

/** The pages of every list, as records. */
export async function* readState(client: StripeClient, io: CallIo): AsyncGenerator<StripeRecord[]> {
  const coupons = new Set<string>();
  for (const list of STATE_LISTS)
    for await (const page of readListed(client, io, list)) {
      if (list.type === 'coupon') for (const { id } of page.objects) coupons.add(id);
      if (list.type !== 'subscription') {
        yield toRecords(page);
        continue;
      }
      const objects: StripeObject[] = [];
      for (const object of page.objects)
        objects.push(hasUnlistedCoupon(object, coupons) ? await readWhole(client, io, object) : object);
      yield toRecords({ ...page, objects });
    }
}

/** A coupon that was deleted goes on for the subscriptions that have it, and is told nowhere but there. */
function hasUnlistedCoupon(subscription: StripeObject, coupons: ReadonlySet<string>): boolean {
  // What has ended is worth nothing.
  if (subscription['ended_at'] !== null && subscription['ended_at'] !== undefined) return false;
  const { discounts } = subscription;
  return (
    Array.isArray(discounts) &&
    discounts.filter(isFields).some((discount) => {
      const coupon = objectAt(discount, 'source')?.['coupon'];
      return typeof coupon === 'string' && !coupons.has(coupon);
    })
  );
}

/** The subscription as it is by itself; as it was listed when it went away since. */
async function readWhole(client: StripeClient, io: CallIo, listed: StripeObject): Promise<StripeObject> {
  try {
    const { object } = await client.get(io, `subscriptions/${encodeURIComponent(listed.id)}`, {
      expand: WHOLE_SUBSCRIPTION,
    });
    return await completeObject(client, io, object);
  } catch (error) {
    if (error instanceof MissingObjectError) return listed;
    throw error;
  }
}

/** The objects of a page, each with the time it was read at. */
export function toRecords({ objects, fetchedAt }: Page): StripeRecord[] {
  return objects.map((object) => ({
    kind: 'object',
    object: { ...object, object: typeof object['object'] === 'string' ? object['object'] : '' },
    fetchedAt,
  }));
}

/** Where the rest of a list inside an object is. */
const INNER_LISTS: Readonly<
  Record<string, { field: string; path: (id: string) => string; parameters: (id: string) => Parameters }>
> = {
  subscription: {
    field: 'items',
    path: () => 'subscription_items',
    parameters: (id) => ({ subscription: id, expand: ['data.discounts'] }),
  },
  invoice: {
    field: 'lines',
    path: (id) => `invoices/${id}/lines`,
    parameters: () => ({ expand: ['data.discounts'] }),
  },
};

/**
 * The object with its inner list whole, and a tiered price with its tiers in every currency. Throws when the list is
 * shorter than what was already there.
 */
export async function completeObject(
  client: StripeClient,
  io: CallIo,
  object: StripeObject,
  connectedAccount?: string,
): Promise<StripeObject> {
  if (object['object'] === 'price') return readTiers(client, io, object, connectedAccount);
  const inner = INNER_LISTS[String(object['object'])];
  if (inner === undefined) return object;
  const list = object[inner.field];
  if (!isList(list) || !list.has_more) return object;
  const data: StripeObject[] = [];
  const path = inner.path(object.id);
  for await (const page of client.list(io, path, inner.parameters(object.id), { anyOrder: true }))
    data.push(...page.objects);
  if (data.length <= list.data.length)
    throw contractError(`Stripe says that ${object.id} has more ${inner.field}, and lists no more`, {
      id: object.id,
      path,
    });
  return { ...object, [inner.field]: { ...list, data, has_more: false } };
}

/** Tiers of another currency are told only where that currency is named, and which there are is not known before. */
async function readTiers(
  client: StripeClient,
  io: CallIo,
  price: StripeObject,
  connectedAccount: string | undefined,
): Promise<StripeObject> {
  const options = objectAt(price, 'currency_options');
  if (price['billing_scheme'] !== 'tiered' || options === undefined) return price;
  const others = Object.keys(options).filter((currency) => currency !== price['currency']);
  if (others.length === 0) return price;
  const expand = ['tiers', 'currency_options', ...others.map((one) => `currency_options.${one}.tiers`)];
  const path = `prices/${encodeURIComponent(price.id)}`;
  return (await client.get(io, path, { expand }, connectedAccount)).object;
}

function isList(value: unknown): value is { data: unknown[]; has_more: boolean } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'data' in value &&
    Array.isArray(value.data) &&
    'has_more' in value &&
    typeof value.has_more === 'boolean'
  );
}
