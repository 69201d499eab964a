/**
 * One subscription in the book: started, renewed, changed and ended as Stripe does it, with its invoices and events.
 * Every function happens at a time that is not before the last one's.
 */
import { Decimal } from 'decimal.js';

import { addInterval, parseCoupon, parsePrice, periodAmount, type Share, takeOff } from './amounts.ts';
import type { Book } from './book.ts';
import { type Bill, failToPay, issue, type Line, pay, writeOff } from './invoices.ts';
import { DAY, type Fields, HOUR } from './objects.ts';

export interface ContractFacts {
  readonly customer: string;
  readonly items: readonly { readonly price: string; readonly quantity: number; readonly coupon?: string }[];
  readonly coupon?: string;
  readonly trialDays?: number;
  /** How the first payment goes; `at once` is in the second of the creation. */
  readonly firstPayment: 'at once' | 'soon' | 'never';
  readonly collection?: 'charge_automatically' | 'send_invoice';
  readonly testClock?: string;
  /** A time before its creation at which it is said to have begun. */
  readonly backdatedTo?: number;
}

/** How a renewal's payment goes: at the first try, at the second, or never; then it stays unpaid, or ends. */
export type Collection = 'paid' | 'recovers' | 'unpaid' | 'cancels';

export interface Contract {
  readonly id: string;
  /** When its period ends; undefined when it has ended or is not renewed any more. */
  nextRenewal(): number | undefined;
  lastInvoice(): string;
  renew(how: Collection): void;
  setQuantity(at: number, item: number, quantity: number): void;
  setPrice(at: number, item: number, price: string): void;
  addItem(at: number, price: string, quantity: number): void;
  dropItem(at: number, item: number): void;
  addCoupon(at: number, coupon: string): void;
  dropCoupons(at: number): void;
  cancelLater(at: number): void;
  keepAfterAll(at: number): void;
  cancelNow(at: number, reason: 'cancellation_requested' | 'payment_failed' | 'payment_disputed'): void;
  pauseCollection(at: number, behavior: 'keep_as_draft' | 'void' | 'mark_uncollectible' | null): void;
  /** Since 2026-09-30.endive: nothing is owed while it is paused. */
  setPaused(at: number, paused: boolean): void;
  extendTrial(at: number, days: number): void;
  settleUnpaid(at: number): void;
}

interface Item extends Fields {
  readonly id: string;
  readonly price: Fields;
  readonly quantity: number;
  readonly current_period_start: number;
  readonly current_period_end: number;
  readonly discounts: readonly string[];
}

/** Starts a subscription at `at`. */
export function startContract(book: Book, at: number, facts: ContractFacts): Contract {
  const id = book.nextId('sub');
  const trialEnd = facts.trialDays === undefined ? null : at + facts.trialDays * DAY;
  const begin = facts.backdatedTo ?? at;
  const firstEnd = trialEnd ?? periodEnd(at, facts.items[0]?.price ?? '');
  let invoice = '';
  let stopped = false;

  function periodEnd(from: number, price: string): number {
    const { interval, interval_count: count } = parsePrice(book.current('price', price)).recurring;
    return addInterval(from, interval, count);
  }
  const now = () => book.current('subscription', id);
  const items = () => (now()['items'] as { data: readonly Item[] }).data;
  const listOf = (data: readonly Fields[]): Fields => ({
    object: 'list',
    data,
    has_more: false,
    total_count: data.length,
    url: `/v1/subscription_items?subscription=${id}`,
  });
  function update(
    time: number,
    changes: Fields,
    events: readonly string[] = ['customer.subscription.updated'],
  ) {
    book.change('subscription', id, time, changes, events);
  }
  function itemOf(
    price: string,
    quantity: number,
    from: number,
    to: number,
    discounts: readonly string[],
  ): Item {
    return {
      id: book.nextId('si'),
      object: 'subscription_item',
      created: from,
      current_period_end: to,
      current_period_start: from,
      discounts,
      metadata: {},
      price: book.current('price', price),
      quantity,
      subscription: id,
      tax_rates: [],
    };
  }
  function discountOf(coupon: string, time: number, item: string | null): string {
    const facts_ = parseCoupon(book.current('coupon', coupon));
    const discount = book.nextId('di');
    const end =
      facts_.duration === 'repeating' ? addInterval(time, 'month', facts_.duration_in_months ?? 1) : null;
    book.put(
      'discount',
      time,
      {
        id: discount,
        object: 'discount',
        checkout_session: null,
        customer: facts.customer,
        end,
        invoice: null,
        invoice_item: null,
        promotion_code: null,
        source: { coupon, type: 'coupon' },
        start: time,
        subscription: id,
        subscription_item: item,
      },
      ['customer.discount.created'],
    );
    return discount;
  }
  const couponOf = (discount: string) => {
    const { source, start, end } = book.current('discount', discount) as {
      source: { coupon: string };
      start: number;
      end: number | null;
    };
    return { coupon: parseCoupon(book.current('coupon', source.coupon)), start, end };
  };

  /** The lines of one period, with what each discount takes off; a coupon for once counts on the first invoice alone. */
  function billItems(from: number, first: boolean): Line[] {
    const shares: (Share & { item: Item })[] = items().map((item) => {
      const price = parsePrice(item.price);
      return { item, product: price.product, amount: periodAmount(price, item.quantity) };
    });
    const off = new Map<string, { discount: string; amount: number }[]>();
    const apply = (discount: string, covered: readonly (Share & { item: Item })[]) => {
      const { coupon, end } = couponOf(discount);
      if ((coupon.duration === 'once' && !first) || (end !== null && from >= end)) return;
      const before = covered.map(({ amount }) => amount);
      takeOff(covered, coupon);
      covered.forEach((share, index) => {
        const taken = new Decimal(before[index] ?? 0).minus(share.amount).round().toNumber();
        if (taken > 0)
          off.set(share.item.id, [...(off.get(share.item.id) ?? []), { discount, amount: taken }]);
      });
    };
    for (const share of shares) for (const discount of share.item.discounts) apply(discount, [share]);
    for (const discount of now()['discounts'] as readonly string[]) apply(discount, shares);
    return items().map((item) => ({
      item: item.id,
      price: item.price,
      quantity: item.quantity,
      amount: periodAmount(parsePrice(item.price), item.quantity).round().toNumber(),
      off: off.get(item.id) ?? [],
      from,
      to: periodEnd(from, String(item.price['id'])),
    }));
  }
  function bill(time: number, reason: Bill['reason'], lines: readonly Line[], finalizeAfter: number): string {
    return issue(
      book,
      time,
      {
        customer: facts.customer,
        subscription: id,
        currency: String(now()['currency']),
        reason,
        collection: facts.collection ?? 'charge_automatically',
        discounts: now()['discounts'] as readonly string[],
        lines,
        testClock: facts.testClock ?? null,
      },
      finalizeAfter,
    );
  }
  /** The items in their next period. */
  function roll(time: number): Item[] {
    return items().map((item) => ({
      ...item,
      current_period_start: time,
      current_period_end: periodEnd(time, String(item.price['id'])),
    }));
  }
  /** What a change in the middle of a period costs and gives back: it moves an invoice, never the monthly value. */
  function prorate(time: number, before: Item | undefined, after: Item | undefined): void {
    const item = after ?? before;
    if (item === undefined || time >= item.current_period_end || now()['status'] !== 'active') return;
    const left = (item.current_period_end - time) / (item.current_period_end - item.current_period_start);
    const lines = [
      [before, -1],
      [after, 1],
    ] as const;
    const drawn = lines.flatMap(([one, sign]): Line[] =>
      one === undefined
        ? []
        : [
            {
              item: one.id,
              price: one.price,
              quantity: one.quantity,
              amount: sign * Math.round(periodAmount(parsePrice(one.price), one.quantity).toNumber() * left),
              off: [],
              from: time,
              to: item.current_period_end,
              proration: true,
            },
          ],
    );
    pay(book, bill(time, 'subscription_update', drawn, 0), time + 3);
  }
  function replaceItem(time: number, index: number, changed: Item | undefined): void {
    const before = items()[index];
    const data = items().flatMap((item, position) => (position === index ? (changed ?? []) : item));
    update(time, { items: listOf(data) });
    prorate(time, before, changed);
  }
  function end(time: number, reason: string | null, wasAsked: number | null): void {
    stopped = true;
    update(
      time,
      {
        status: 'canceled',
        canceled_at: wasAsked ?? time,
        ended_at: time,
        cancellation_details: { comment: null, feedback: null, reason },
      },
      ['customer.subscription.deleted'],
    );
  }

  const itemIds = facts.items.map(({ price, quantity, coupon }) => {
    const item = itemOf(price, quantity, at, firstEnd, []);
    return coupon === undefined ? item : { ...item, discounts: [discountOf(coupon, at, item.id)] };
  });
  const discounts = facts.coupon === undefined ? [] : [discountOf(facts.coupon, at, null)];
  const free = itemIds.every(({ price, quantity }) => periodAmount(parsePrice(price), quantity).isZero());
  book.put(
    'subscription',
    at,
    {
      id,
      object: 'subscription',
      billing_cycle_anchor: firstEnd,
      cancel_at: null,
      cancel_at_period_end: false,
      canceled_at: null,
      cancellation_details: { comment: null, feedback: null, reason: null },
      collection_method: facts.collection ?? 'charge_automatically',
      created: at,
      currency: itemIds[0]?.price['currency'],
      customer: facts.customer,
      days_until_due: facts.collection === 'send_invoice' ? 30 : null,
      default_tax_rates: [],
      discounts,
      ended_at: null,
      items: listOf(itemIds),
      latest_invoice: null,
      livemode: true,
      metadata: {},
      pause_collection: null,
      schedule: null,
      start_date: begin,
      status:
        trialEnd !== null
          ? 'trialing'
          : free || facts.collection === 'send_invoice'
            ? 'active'
            : 'incomplete',
      test_clock: facts.testClock ?? null,
      trial_end: trialEnd,
      trial_start: trialEnd === null ? null : at,
    },
    ['customer.subscription.created'],
  );
  invoice = bill(at, 'subscription_create', trialEnd === null ? billItems(at, true) : [], 0);
  if (trialEnd !== null || free) pay(book, invoice, at);
  else if (facts.collection === 'send_invoice') pay(book, invoice, at + 12 * DAY);
  else if (facts.firstPayment === 'never') {
    failToPay(book, invoice, at + 2);
    update(at + 23 * HOUR, { status: 'incomplete_expired', ended_at: at + 23 * HOUR });
    writeOff(book, invoice, at + 23 * HOUR, 'void');
    stopped = true;
  } else {
    const paidAt = facts.firstPayment === 'at once' ? at : at + 4;
    pay(book, invoice, paidAt);
    update(paidAt, { status: 'active', latest_invoice: invoice });
  }

  /** Nothing changes any more when it has ended. */
  const whileLive =
    <A extends readonly unknown[]>(act: (...args: A) => void) =>
    (...args: A): void => {
      if (!stopped) act(...args);
    };

  return {
    id,
    nextRenewal: () => (stopped ? undefined : items()[0]?.current_period_end),
    lastInvoice: () => invoice,
    renew: whileLive((how: Collection) => {
      const time = items()[0]?.current_period_end ?? at;
      const { status, cancel_at_period_end: ends, canceled_at: asked, pause_collection: pause } = now();
      if (ends === true) {
        end(time, 'cancellation_requested', typeof asked === 'number' ? asked : null);
        return;
      }
      const first = status === 'trialing';
      update(time, { items: listOf(roll(time)), ...(first ? { status: 'active' } : {}) });
      if (status === 'paused') return;
      invoice = bill(time, 'subscription_cycle', billItems(time, first), HOUR);
      const due = time + HOUR + 5;
      if (pause !== null || facts.collection === 'send_invoice') {
        if (pause !== null) writeOff(book, invoice, due, 'void');
        else pay(book, invoice, due + 9 * DAY);
        return;
      }
      if (how === 'paid' || book.current('invoice', invoice)['amount_due'] === 0) {
        pay(book, invoice, due);
        update(due, { latest_invoice: invoice });
        return;
      }
      failToPay(book, invoice, due);
      update(due, { status: 'past_due', latest_invoice: invoice });
      if (how === 'recovers') {
        pay(book, invoice, due + 3 * DAY);
        update(due + 3 * DAY, { status: 'active' });
        return;
      }
      failToPay(book, invoice, due + 3 * DAY);
      failToPay(book, invoice, due + 6 * DAY);
      if (how === 'unpaid') {
        update(due + 6 * DAY, { status: 'unpaid' });
        writeOff(book, invoice, due + 6 * DAY, 'uncollectible');
        return;
      }
      end(due + 6 * DAY, 'payment_failed', null);
    }),
    setQuantity: whileLive((time: number, index: number, quantity: number) => {
      const item = items()[index];
      if (item !== undefined) replaceItem(time, index, { ...item, quantity });
    }),
    setPrice: whileLive((time: number, index: number, price: string) => {
      const item = items()[index];
      if (item !== undefined) replaceItem(time, index, { ...item, price: book.current('price', price) });
    }),
    addItem: whileLive((time: number, price: string, quantity: number) => {
      const [first] = items();
      if (first === undefined) return;
      const added = itemOf(price, quantity, time, first.current_period_end, []);
      update(time, {
        items: listOf([...items(), { ...added, current_period_start: first.current_period_start }]),
      });
      prorate(time, undefined, added);
    }),
    dropItem: whileLive((time: number, index: number) => {
      replaceItem(time, index, undefined);
    }),
    addCoupon: whileLive((time: number, coupon: string) => {
      const discount = discountOf(coupon, time, null);
      update(time, { discounts: [...(now()['discounts'] as readonly string[]), discount] });
    }),
    dropCoupons: whileLive((time: number) => {
      for (const discount of now()['discounts'] as readonly string[])
        book.remove('discount', discount, time, 'customer.discount.deleted');
      update(time, { discounts: [] });
    }),
    cancelLater: whileLive((time: number) => {
      update(time, {
        cancel_at: items()[0]?.current_period_end,
        cancel_at_period_end: true,
        canceled_at: time,
        cancellation_details: { comment: null, feedback: 'too_expensive', reason: 'cancellation_requested' },
      });
    }),
    keepAfterAll: whileLive((time: number) => {
      update(time, {
        cancel_at: null,
        cancel_at_period_end: false,
        canceled_at: null,
        cancellation_details: { comment: null, feedback: null, reason: null },
      });
    }),
    cancelNow: whileLive((time: number, reason: string) => {
      end(time, reason, null);
    }),
    pauseCollection: whileLive(
      (time: number, behavior: 'keep_as_draft' | 'void' | 'mark_uncollectible' | null) => {
        update(time, { pause_collection: behavior === null ? null : { behavior, resumes_at: null } });
      },
    ),
    setPaused: whileLive((time: number, paused: boolean) => {
      update(time, { status: paused ? 'paused' : 'active' }, [
        'customer.subscription.updated',
        paused ? 'customer.subscription.paused' : 'customer.subscription.resumed',
      ]);
    }),
    extendTrial: whileLive((time: number, days: number) => {
      const to = time + days * DAY;
      update(time, {
        trial_end: to,
        items: listOf(items().map((item) => ({ ...item, current_period_end: to }))),
      });
    }),
    settleUnpaid: whileLive((time: number) => {
      update(time, { status: 'active' });
    }),
  };
}
