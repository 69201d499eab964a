/** What an event in hand says of the time before it: a first run takes the state before a change, not the one after. */
import { beforeAll, describe, expect, it } from 'vitest';

import { type Harness, useHarness } from './testing/harness.ts';
import { invoice, type MiniObject, price, product, seconds, subscription } from './testing/mini-stripe.ts';

const NOW = '2026-11-21T09:00:00Z';
/** A year that began before the invoices that a first run reads. */
const BOUGHT = '2026-03-05T10:00:00Z';
const CHANGED = '2026-11-11T10:00:00Z';
const yearly = { recurring: { interval: 'year', interval_count: 1, usage_type: 'licensed' } };
const year = price('price_y', 12_000, yearly);
const better = price('price_y2', 24_000, yearly);
const COUPON = {
  id: 'half',
  object: 'coupon',
  created: seconds('2024-01-01T00:00:00Z'),
  livemode: true,
  percent_off: 50,
  amount_off: null,
  currency: null,
  duration: 'forever',
  duration_in_months: null,
  applies_to: null,
};
const DISCOUNT = {
  id: 'di_1',
  object: 'discount',
  source: { type: 'coupon', coupon: COUPON.id },
  created: seconds(BOUGHT),
  start: seconds(BOUGHT),
  end: null,
};

let harness: Harness;
useHarness((opened) => (harness = opened));

async function begin() {
  const mini = await harness.reset(NOW);
  mini.put(product('prod_1'), year, better, COUPON);
  // The first event that is known of anyone.
  const early = subscription({ id: 'sub_early', at: '2026-10-25T10:00:00Z', prices: [{ price: year }] });
  mini.happen('customer.subscription.created', early, '2026-10-25T10:00:00Z');
  return mini;
}

const sub = (quantity: number, more: Record<string, unknown> = {}, of = year, id = 'sub_1'): MiniObject =>
  subscription({ id, at: BOUGHT, prices: [{ price: of, quantity }], more });

/** An event that names some of the fields that changed, as they were. */
const update = (before: MiniObject, after: MiniObject, fields: readonly string[], at = CHANGED) =>
  harness.mini.happen('customer.subscription.updated', after, at, {
    previous_attributes: Object.fromEntries(fields.map((field) => [field, before[field]])),
  });

describe('a year bought before the days that are read, and changed by an event', () => {
  const VOID = { pause_collection: { behavior: 'void', resumes_at: null } };
  const TRIAL = { trial_start: seconds(BOUGHT), trial_end: seconds('2027-03-05T10:00:00Z') };
  type Made = (id: string) => MiniObject;
  const made =
    (quantity: number, more?: Record<string, unknown>, of?: MiniObject): Made =>
    (id) =>
      sub(quantity, more, of, id);
  const CASES: readonly [
    name: string,
    before: Made,
    after: Made,
    field: string,
    rows: readonly [before: string, after: string, since?: string],
  ][] = [
    ['more of it', made(1), made(3), 'items', ['active 10', 'active 30']],
    ['less of it', made(3), made(2), 'items', ['active 30', 'active 20']],
    ['another price', made(1), made(1, {}, better), 'items', ['active 10', 'active 20']],
    [
      'a coupon that came',
      made(1),
      made(1, { discounts: [{ ...DISCOUNT, start: seconds(CHANGED) }] }),
      'discounts',
      ['active 10', 'active 5'],
    ],
    // Gone, it is told by its id alone.
    ['a coupon that went', made(1, { discounts: ['di_1'] }), made(1), 'discounts', ['active 5', 'active 10']],
    [
      'a coupon that nobody knows',
      made(1, { discounts: ['di_2'] }),
      made(1),
      'discounts',
      ['active 10', 'active 10'],
    ],
    [
      'paid at last',
      made(1, { status: 'unpaid' }),
      made(1),
      'status',
      ['active 10', 'active 10', 'unpaid 0'],
    ],
    ['left unpaid', made(1), made(1, { status: 'unpaid' }), 'status', ['active 10', 'unpaid 0']],
    ['paid late', made(1, { status: 'past_due' }), made(1), 'status', ['active 10', 'active 10']],
    [
      'a pause that ended',
      made(1, VOID),
      made(1),
      'pause_collection',
      ['active 10', 'active 10', 'active 0'],
    ],
    ['a pause that began', made(1), made(1, VOID), 'pause_collection', ['active 10', 'active 0']],
    [
      'a trial that was given more days',
      made(1, { ...TRIAL, status: 'trialing', trial_end: seconds('2026-11-12T10:00:00Z') }),
      made(1, { ...TRIAL, status: 'trialing' }),
      'trial_end',
      ['trialing 0', 'trialing 0'],
    ],
  ];
  const idOf = (index: number) => `sub_${index}`;
  beforeAll(async () => {
    const mini = await begin();
    for (const [index, [, before, after, field]] of CASES.entries())
      update(before(idOf(index)), after(idOf(index)), [field]);
    mini.happen('customer.discount.deleted', DISCOUNT, CHANGED);
    await harness.run();
  });

  it.each(CASES.map(([name, , , , rows], index) => [name, idOf(index), ...rows] as const))(
    '%s',
    async (_name, id, before, after, since) => {
      const history = await harness.history(id);
      expect(history.filter((line) => !line.startsWith('2026-11-21'))).toEqual([
        `2026-03-05 ${before} *`,
        // When it stopped is not known: it had, since events are.
        ...(since === undefined ? [] : [`2026-10-25 ${since} *`]),
        `2026-11-11 ${after}`,
      ]);
      expect(history.at(-1)?.slice(11)).toBe(after);
    },
  );
});

describe('the first event that is known', () => {
  /** The rows before the reading of the first run. */
  const past = async () => (await harness.history('sub_1')).filter((line) => !line.startsWith('2026-11-21'));

  it('is the first of its day', async () => {
    await begin();
    update(sub(2), sub(3), ['items'], '2026-11-11T11:00:00Z');
    update(sub(1), sub(2), ['items'], CHANGED);
    await harness.run();
    expect(await past()).toEqual(['2026-03-05 active 10 *', '2026-11-11 active 30']);
  });

  it('is told by what the other one of its second changed', async () => {
    await begin();
    update(sub(2), sub(3), ['items']);
    update(sub(1), sub(2), ['items']);
    await harness.run();
    expect(await past()).toEqual(['2026-03-05 active 10 *', '2026-11-11 active 30']);
  });

  it('may be of the day of the first run, and older than what was read then', async () => {
    await begin();
    update(sub(1), sub(3), ['items'], '2026-11-21T08:00:00Z');
    await harness.run();
    expect(await harness.history('sub_1')).toEqual(['2026-03-05 active 10 *', '2026-11-21 active 30']);
  });

  it('names the fields of an older version of the API', async () => {
    await begin();
    const old = (quantity: number) => ({
      ...sub(quantity),
      plan: { ...year, object: 'plan', amount: 12_000, interval: 'year', interval_count: 1 },
      quantity,
      current_period_start: seconds(BOUGHT),
      current_period_end: seconds(BOUGHT) + 365 * 86_400,
    });
    // The whole list is told, and of the list itself nothing that stayed.
    const { items } = sub(1);
    const data = typeof items === 'object' && items !== null && 'data' in items ? items.data : [];
    harness.mini.happen('customer.subscription.updated', old(3), CHANGED, {
      previous_attributes: { items: { data }, quantity: 1 },
    });
    await harness.run();
    expect((await past())[0]).toBe('2026-03-05 active 10 *');
  });

  it('ends a subscription: it was there until then', async () => {
    await begin();
    const ended = { ended_at: seconds(CHANGED), canceled_at: seconds(CHANGED), status: 'canceled' };
    harness.mini.happen('customer.subscription.deleted', sub(1, ended), CHANGED);
    await harness.run();
    expect(await past()).toEqual(['2026-03-05 active 10 *', '2026-11-11 canceled 0']);
  });

  it('leaves what it does not name: a pause was one before', async () => {
    await begin();
    const paused = { pause_collection: { behavior: 'void', resumes_at: null } };
    harness.mini.happen('customer.subscription.updated', sub(1, paused), CHANGED, {
      previous_attributes: { metadata: { note: 'old' } },
    });
    await harness.run();
    expect(await past()).toEqual(['2026-03-05 active 10 *', '2026-10-25 active 0 *', '2026-11-11 active 0']);
  });

  it('does not tell of items that it leaves out: they were as they are', async () => {
    await begin();
    harness.mini.happen('customer.subscription.updated', sub(3), CHANGED, {
      previous_attributes: { quantity: 1 },
    });
    await harness.run();
    expect(await past()).toEqual(['2026-03-05 active 30 *', '2026-11-11 active 30']);
  });

  it('gives way to what was billed for the period', async () => {
    const mini = await begin();
    const month = price('price_m', 1000);
    const monthly = (quantity: number) =>
      subscription({
        id: 'sub_1',
        at: BOUGHT,
        period: '2026-11-05T10:00:00Z',
        prices: [{ price: month, quantity }],
      });
    const line = { item: 'si_sub_1_0', price: month, quantity: 1, amount: 1000 };
    mini.put(
      month,
      invoice('in_10', monthly(1), '2026-10-05T10:00:00Z', [line]),
      invoice('in_11', monthly(1), '2026-11-05T10:00:00Z', [line]),
    );
    update(monthly(1), monthly(3), ['items']);
    await harness.run();
    expect(await past()).toEqual([
      '2026-09-05 active 10 *',
      '2026-10-05 active 10 *',
      '2026-11-05 active 10 *',
      '2026-11-11 active 30',
    ]);
  });

  it('gives way to what was billed in the middle of the period', async () => {
    const mini = await begin();
    const rest = { item: 'si_sub_1_0', price: year, to: '2027-03-05T10:00:00Z', proration: true };
    mini.put(
      invoice('in_1', sub(2), '2026-10-15T10:00:00Z', [
        { ...rest, quantity: 1, amount: -5000 },
        { ...rest, quantity: 2, amount: 10_000 },
      ]),
    );
    update(sub(2, { status: 'unpaid' }), sub(2), ['status']);
    await harness.run();
    expect((await past()).slice(1)).toEqual(['2026-10-15 active 20 *', '2026-11-11 active 20']);
    expect((await past())[0]).toMatch('active');
  });

  it('replaces what was taken from a later version', async () => {
    await begin();
    const note = { previous_attributes: { metadata: { note: 'old' } } };
    harness.mini.happen('customer.subscription.updated', sub(1), '2026-11-02T10:00:00Z', note);
    update(sub(1), sub(3), ['items']);
    await harness.backfill('2026-10-01', '2026-11-21');
    expect((await past())[0]).toBe('2026-03-05 active 30 *');
    await harness.run();
    expect(await past()).toEqual(['2026-03-05 active 10 *', '2026-11-02 active 10', '2026-11-11 active 30']);
  });

  it('of the day of a reading does not take back what was known by the reading', async () => {
    const mini = await begin();
    const month = subscription({ id: 'sub_1', at: '2026-11-10T10:00:00Z', prices: [{ price: year }] });
    mini.put(month);
    await harness.run();
    expect(await past()).toEqual(['2026-11-10 active 10 *']);
    const ended = { ...month, status: 'canceled', ended_at: seconds('2026-11-21T10:00:00Z') };
    mini.happen('customer.subscription.deleted', ended, '2026-11-21T10:00:00Z');
    mini.now = '2026-11-22T09:00:00Z';
    await harness.run();
    expect(await harness.history('sub_1')).toEqual(['2026-11-10 active 10 *', '2026-11-21 canceled 0']);
  });

  it('I1: read again, or after a backfill had taken what is for what was, it is the same past', async () => {
    const mini = await begin();
    update(sub(1), sub(3), ['items']);
    await harness.run();
    const before = await harness.history('sub_1');
    expect(before[0]).toBe('2026-03-05 active 10 *');
    mini.now = '2026-11-22T09:00:00Z';
    expect(await harness.run()).toMatchObject({ rows_inserted: 0, rows_updated: 0, rows_deleted: 0 });
    expect(await harness.history('sub_1')).toEqual(before);

    await begin();
    update(sub(1), sub(3), ['items']);
    await harness.backfill('2026-10-01', '2026-11-21');
    expect((await harness.history('sub_1'))[0]).toBe('2026-03-05 active 30 *');
    await harness.run();
    expect(await harness.history('sub_1')).toEqual(before);
  });
});
