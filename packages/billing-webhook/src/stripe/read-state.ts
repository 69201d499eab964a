/**
 * Reads what is as of now: the whole lists of prices, products, coupons, customers and subscriptions. What others refer to
 * comes first. Lists inside an object that are cut off after ten entries are read to their end.
 */
import type { CallIo, Page, Parameters, StripeClient, StripeObject } from './client.ts';
import { contractError } from './errors.ts';
import type { StripeRecord } from './record.ts';

/** A list of the API and what has to be asked for besides. */
export interface Listed {
  readonly type: string;
  readonly path: string;
  readonly parameters: Parameters;
}

/** What payloads leave out: tiers of a price, products of a coupon, the discounts behind their ids. */
export const STATE_LISTS = [
  { type: 'product', path: 'products', parameters: {} },
  { type: 'price', path: 'prices', parameters: { expand: ['data.tiers'] } },
  { type: 'coupon', path: 'coupons', parameters: { expand: ['data.applies_to'] } },
  { type: 'customer', path: 'customers', parameters: {} },
  {
    type: 'subscription',
    path: 'subscriptions',
    // Without a status Stripe leaves out the canceled ones.
    parameters: { status: 'all', expand: ['data.discounts', 'data.items.data.discounts'] },
  },
] as const satisfies readonly Listed[];

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
  for (const list of STATE_LISTS)
    for await (const page of readListed(client, io, list)) yield toRecords(page);
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

/** The object with its inner list whole. Throws when the list is shorter than what was already there. */
export async function completeObject(
  client: StripeClient,
  io: CallIo,
  object: StripeObject,
): Promise<StripeObject> {
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
