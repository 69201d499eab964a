/** Real payloads of old API versions land or are ignored on purpose. Skipped, visibly, where they are not at hand. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';

import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';

import { delivery, openTestWebhook, type TestWebhook } from './testing/webhook.ts';

const samples = new URL('../../../../shared/vendor-data/stripe/webhook-samples/', import.meta.url);
const withSamples = test.skipIf(!existsSync(samples));

let webhook: TestWebhook;
beforeAll(async () => {
  webhook = await openTestWebhook();
});
afterAll(() => webhook[Symbol.asyncDispose]());

const sampleSchema = z.looseObject({ id: z.string(), type: z.string(), livemode: z.boolean() });

withSamples('every sample is stored, and only checkouts and credit notes are ignored', async () => {
  const files = readdirSync(samples);
  expect(files).toHaveLength(29);
  for (const file of files) {
    const sample = sampleSchema.parse(JSON.parse(readFileSync(new URL(file, samples), 'utf8')));
    // The samples share ids; of Stripe each would have its own.
    const event = { ...sample, id: `${sample.id}_${file}` };
    const response = await webhook.with({ livemode: sample.livemode })(delivery(event));
    expect([file, response.status]).toEqual([file, 200]);
  }
  const ledger = await webhook.rows<{ status: string; type: string }>(
    'select status, type from billing_events',
  );
  expect(ledger).toHaveLength(29);
  expect(ledger.filter(({ status }) => status === 'failed')).toEqual([]);
  expect(ledger.flatMap(({ status, type }) => (status === 'ignored' ? [type] : [])).sort()).toEqual([
    'checkout.session.completed',
    'credit_note.created',
  ]);
});

withSamples('what they say is in the state', async () => {
  expect(
    await webhook.rows(`
      select external_id, date::text, status, mrr, price_id, currency, jsonb_array_length(items) as items
      from subscriptions order by external_id`),
  ).toEqual([
    {
      external_id: 'stripe:sub_JLEPMp81LApOJl',
      date: '2021-04-29',
      status: 'active',
      mrr: '0',
      price_id: 'price_1IDQm5JDPojXS6LNM31hxKzp',
      currency: 'USD',
      items: 1,
    },
    {
      external_id: 'stripe:sub_JdIzvfy6o5GZRd',
      date: '2021-06-08',
      status: 'canceled',
      mrr: '0',
      price_id: 'price_1IDQm5JDPojXS6LNM31hxKzp',
      currency: 'USD',
      items: 1,
    },
  ]);
  // The refund that came inside its charge, and through it the invoice that it was paid back from.
  expect(
    await webhook.rows(`
      select p.amount, p.invoice_id, p.customer_id, p.counted, i.amount_refunded from payments p
      join invoices i on i.external_id = 'stripe:' || p.invoice_id
      where p.external_id = 'stripe:re_3Kl36gJDPojXS6LN0eP4yPDz'`),
  ).toEqual([
    {
      amount: '25.00',
      invoice_id: 'in_1KJdKkJDPojXS6LNSwSWkZSN',
      customer_id: 'cus_J7Mkgr8mvbl1eK',
      counted: true,
      amount_refunded: '25.00',
    },
  ]);
  expect(
    await webhook.rows(`select type, object_id from billing_objects where deleted order by type`),
  ).toEqual([
    { type: 'customer', object_id: 'cus_IhGfebO16cMIGN' },
    { type: 'invoice', object_id: 'in_xyz' },
    { type: 'price', object_id: 'price_1J02UOJDPojXS6LNDao8fiaO' },
    { type: 'product', object_id: 'prod_JdJ6Wt7rsz4EPJ' },
  ]);
});
