/** Statements that change source tables in every way there is, the same ones for the same seed. */

import { createRandom } from './random.ts';

/** `insert` gives an order or an ad row, `change` anything. Days are `first` plus one of `offsets`. */
export function createChanges(
  seed: number,
  { first, offsets }: { readonly first: string; readonly offsets: readonly [number, ...number[]] },
) {
  const { next, pick } = createRandom(seed);
  let serial = 100;
  const day = () => `date '${first}' + ${pick(offsets)}`;
  const currency = () => pick(['USD', 'EUR', 'GBP']);
  const quote = () => pick(['USD', 'GBP']);
  const amount = () => next(20000) / 100;
  const shuffled = (table: string) =>
    `select external_id from ${table} order by md5(external_id || ${next(1e6)})`;
  const some = (table: string) => `external_id in (${shuffled(table)} limit 2)`;
  const anOrder = () => `coalesce((${shuffled('orders')} limit 1), 'shopify:1')`;

  const insertOrder = () => `
    insert into orders (external_id, date, source, shop, order_name, created_at, processed_at, updated_at, customer_id,
      currency, gross_sales, discounts, shipping, taxes, total, refunded, financial_status, test, item_count)
    select 'shopify:${++serial}', d, 'shopify', '${pick(['a', 'b'])}', '#', now(), d::timestamptz, now(),
      ${pick(["'1'", "'2'", "'3'", "'4'", 'null'])}, '${currency()}', ${amount()}, 1, 2, 3, 0, 0,
      '${pick(['PAID', 'PAID', 'VOIDED'])}', ${next(8) === 0}, 1
    from (select ${day()} as d) x`;
  const insertRefund = () => `
    insert into refunds (external_id, date, order_external_id, currency, returns, shipping, taxes, total)
    values ('shopify:${++serial}', ${day()}, ${anOrder()}, '${currency()}', ${amount()}, 1, 1, 0)`;
  /** A refund some days after its order: around the ends of the horizons. */
  const refundLater = () => `
    insert into refunds (external_id, date, order_external_id, currency, returns, shipping, taxes, total)
    select 'shopify:${++serial}', o.date + ${pick([0, 3, 30, 31, 90, 91, 365, 366])}, o.external_id, o.currency, ${amount()}, 1, 1, 0
    from orders o where o.external_id = ${anOrder()}`;
  const insertSpend = () => `
    insert into spend (external_id, date, source, account_id, account_timezone, campaign_id, ad_group_id, ad_id, currency,
      spend, impressions, clicks, raw)
    values ('ad:${++serial}', ${day()}, '${pick(['meta', 'tiktok'])}', '1', 'UTC', 'c', 'g', 'a', '${currency()}',
      ${amount()}, 9, ${next(3)}, '{}')`;
  const insertRate = () => `
    insert into fx_rates (external_id, date, quote, rate_per_eur)
    select 'ecb:' || q, ${day()}, q, ${1 + next(100) / 100} from unnest(array['${quote()}', 'AED']) q
    on conflict do nothing`;
  const cover = () => `
    insert into ops.coverage (source, account_id, stream, day, read_at, final_at)
    select source, account, stream, ${day()}, now(), '${pick(['', '-'])}infinity' from (values
      ('meta', '1', 'insights'), ('tiktok', '2', 'report'), ('shopify', 'a.myshopify.com', 'orders')) v (source, account, stream)
    on conflict do nothing`;

  const changes: readonly [() => string, ...(() => string)[]] = [
    insertOrder,
    insertOrder,
    () => `update orders set date = ${day()} where ${some('orders')}`,
    () =>
      `update orders set date = d, processed_at = d::timestamptz from (select ${day()} as d) x where ${some('orders')}`,
    () => `update orders set customer_id = '${next(5)}' where ${some('orders')}`,
    () => `update orders set shop = '${pick(['a', 'b'])}' where ${some('orders')}`,
    () => `update orders set financial_status = '${pick(['PAID', 'VOIDED'])}' where ${some('orders')}`,
    () => `update orders set test = not test where ${some('orders')}`,
    () => `update orders set currency = '${currency()}', taxes = ${amount()} where ${some('orders')}`,
    () => `update orders set gross_sales = ${amount()}, discounts = ${amount()} where ${some('orders')}`,
    () => `delete from orders where ${some('orders')}`,
    insertRefund,
    insertRefund,
    refundLater,
    refundLater,
    () => `update refunds set date = ${day()}, returns = ${amount()} where ${some('refunds')}`,
    () => `update refunds set order_external_id = ${anOrder()} where ${some('refunds')}`,
    () => `delete from refunds where ${some('refunds')}`,
    insertSpend,
    insertSpend,
    () => `update spend set date = ${day()} where ${some('spend')}`,
    () =>
      `update spend set currency = '${currency()}', spend = ${amount()}, clicks = ${next(3)} where ${some('spend')}`,
    () => `delete from spend where ${some('spend')}`,
    insertRate,
    () =>
      `update fx_rates set rate_per_eur = rate_per_eur + 0.01 where quote = '${quote()}' and date >= ${day()}`,
    () => `delete from fx_rates where quote = '${quote()}' and date = ${day()}`,
    () =>
      `delete from ops.coverage where day = ${day()} and source = '${pick(['meta', 'tiktok', 'shopify'])}'`,
    cover,
    () =>
      `update ops.coverage set final_at = '${pick(['', '-'])}infinity' where day = ${day()} and source = '${pick(['meta', 'tiktok', 'shopify'])}'`,
    () => (next(6) === 0 ? `truncate ${pick(['refunds', 'fx_rates', 'spend', 'orders'])}` : insertRefund()),
  ];
  return {
    next,
    insert: () => pick([insertOrder, insertSpend])(),
    insertRate,
    change: () => pick(changes)(),
  };
}
