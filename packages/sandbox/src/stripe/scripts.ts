/** The kinds of lives: what one customer does from signing up to the end of the world, or to leaving it. */
import type { Book } from './book.ts';
import { type Collection, type Contract, type ContractFacts, startContract } from './contract.ts';
import { DAY } from './objects.ts';
import { dispute, refund } from './reversals.ts';

export interface Scene {
  readonly book: Book;
  readonly customer: string;
  /** When the customer subscribes, and when the world ends (epoch seconds). */
  readonly at: number;
  readonly to: number;
  readonly random: () => number;
}

interface Life extends Omit<ContractFacts, 'customer' | 'firstPayment'> {
  readonly firstPayment?: ContractFacts['firstPayment'];
  /** What the customer does so many days after subscribing. */
  readonly plan?: readonly (readonly [days: number, act: (contract: Contract, at: number) => void])[];
  /** How the payment of a renewal (from 1 on) goes; paid unless told. */
  readonly collect?: (renewal: number) => Collection;
}

/** Lives one subscription to the end: renewals and plans in the order of time. */
function live({ book, customer, at, to, random }: Scene, life: Life): Contract {
  const firstPayment = life.firstPayment ?? (random() < 0.3 ? 'at once' : 'soon');
  const contract = startContract(book, at, { ...life, customer, firstPayment });
  // So that customers of one kind don't all act in the same second.
  const jitter = Math.floor(random() * 20_000);
  const left = (life.plan ?? []).map(([days, act]) => ({ at: at + days * DAY + jitter, act }));
  for (let renewals = 0; ;) {
    const renewal = contract.nextRenewal() ?? Infinity;
    const [next] = left;
    if (Math.min(renewal, next?.at ?? Infinity) >= to) return contract;
    if (next === undefined || renewal <= next.at) {
      renewals += 1;
      contract.renew(life.collect?.(renewals) ?? 'paid');
    } else {
      left.shift();
      next.act(contract, Math.max(next.at, book.lastAt('subscription', contract.id) + 60));
    }
  }
}

const one = (price: string, quantity = 1) => [{ price, quantity }];

/** Something with the last invoice's payment, when there is one. */
const withCharge =
  (book: Book, act: (invoice: string, at: number) => void) =>
  (contract: Contract, at: number): void => {
    const invoice = contract.lastInvoice();
    const { _charge: charge } = book.current('invoice', invoice);
    if (typeof charge === 'string') act(invoice, Math.max(at, book.lastAt('charge', charge) + 60));
  };

/** Every kind of life, by what is special about it. */
const LIVES = {
  plain: (scene: Scene) => live(scene, { items: one('price_starter_month') }),
  upgrades: (scene: Scene) =>
    live(scene, {
      items: one('price_starter_month'),
      plan: [
        [
          10,
          (contract, at) => {
            contract.setPrice(at, 0, 'price_team_month');
          },
        ],
      ],
    }),
  downgrades: (scene: Scene) =>
    live(scene, {
      items: one('price_team_month'),
      plan: [
        [
          40,
          (contract, at) => {
            contract.setPrice(at, 0, 'price_starter_month');
          },
        ],
      ],
    }),
  seats: (scene: Scene) =>
    live(scene, {
      items: [...one('price_team_month'), ...one('price_seat_month', 3)],
      plan: [
        [
          9,
          (contract, at) => {
            contract.setQuantity(at, 1, 5);
          },
        ],
        [
          22,
          (contract, at) => {
            contract.setQuantity(at, 1, 4);
          },
        ],
        [
          45,
          (contract, at) => {
            contract.setQuantity(at, 1, 0);
          },
        ],
      ],
    }),
  addsAndDropsItems: (scene: Scene) =>
    live(scene, {
      items: one('price_team_month'),
      plan: [
        [
          5,
          (contract, at) => {
            contract.addItem(at, 'price_storage_pack', 25);
          },
        ],
        [
          15,
          (contract, at) => {
            contract.addItem(at, 'price_seat_fraction', 3);
          },
        ],
        [
          33,
          (contract, at) => {
            contract.dropItem(at, 1);
          },
        ],
      ],
    }),
  tried: (scene: Scene) => live(scene, { items: one('price_team_month'), trialDays: 14 }),
  triedAndLeft: (scene: Scene) =>
    live(scene, {
      items: one('price_team_month'),
      trialDays: 14,
      plan: [
        [
          8,
          (contract, at) => {
            contract.cancelLater(at);
          },
        ],
      ],
    }),
  triedLonger: (scene: Scene) =>
    live(scene, {
      items: one('price_starter_month'),
      trialDays: 7,
      plan: [
        [
          5,
          (contract, at) => {
            contract.extendTrial(at, 10);
          },
        ],
      ],
    }),
  discountForever: (scene: Scene) => live(scene, { items: one('price_team_month'), coupon: 'FOREVER20' }),
  discountThatEnds: (scene: Scene) => live(scene, { items: one('price_team_month'), coupon: 'THREE50' }),
  discountOnce: (scene: Scene) => live(scene, { items: one('price_team_month'), coupon: 'ONCE30' }),
  amountOff: (scene: Scene) =>
    live(scene, { items: [...one('price_team_month'), ...one('price_seat_month', 2)], coupon: 'TENOFF' }),
  discountOnSeats: (scene: Scene) =>
    live(scene, { items: [...one('price_team_month'), ...one('price_seat_month', 4)], coupon: 'SEATS25' }),
  discountOnAnItem: (scene: Scene) =>
    live(scene, {
      items: [
        { price: 'price_team_month', quantity: 1 },
        { price: 'price_seat_month', quantity: 2, coupon: 'FOREVER20' },
      ],
    }),
  allFreeForAWhile: (scene: Scene) =>
    live(scene, {
      items: one('price_team_month'),
      plan: [
        [
          20,
          (contract, at) => {
            contract.addCoupon(at, 'FREE100');
          },
        ],
      ],
    }),
  discountTakenAway: (scene: Scene) =>
    live(scene, {
      items: one('price_team_month'),
      coupon: 'FOREVER20',
      plan: [
        [
          25,
          (contract, at) => {
            contract.dropCoupons(at);
          },
        ],
      ],
    }),
  neverPaid: (scene: Scene) => live(scene, { items: one('price_starter_month'), firstPayment: 'never' }),
  paysLate: (scene: Scene) =>
    live(scene, {
      items: one('price_starter_month'),
      collect: (renewal) => (renewal === 1 ? 'recovers' : 'paid'),
    }),
  stopsPaying: (scene: Scene) =>
    live(scene, {
      items: one('price_team_month'),
      collect: (renewal) => (renewal === 1 ? 'cancels' : 'paid'),
    }),
  paysAtLast: (scene: Scene) =>
    live(scene, {
      items: one('price_team_month'),
      collect: (renewal) => (renewal === 1 ? 'unpaid' : 'paid'),
      plan: [
        [
          48,
          (contract, at) => {
            contract.settleUnpaid(at);
          },
        ],
      ],
    }),
  leaves: (scene: Scene) =>
    live(scene, {
      items: one('price_starter_month'),
      plan: [
        [
          20,
          (contract, at) => {
            contract.cancelLater(at);
          },
        ],
      ],
    }),
  leavesAtOnce: (scene: Scene) =>
    live(scene, {
      items: one('price_team_month'),
      plan: [
        [
          26,
          (contract, at) => {
            contract.cancelNow(at, 'cancellation_requested');
          },
        ],
      ],
    }),
  staysAfterAll: (scene: Scene) =>
    live(scene, {
      items: one('price_starter_month'),
      plan: [
        [
          12,
          (contract, at) => {
            contract.cancelLater(at);
          },
        ],
        [
          18,
          (contract, at) => {
            contract.keepAfterAll(at);
          },
        ],
      ],
    }),
  comesBack: (scene: Scene) => {
    live(scene, {
      items: one('price_starter_month'),
      plan: [
        [
          11,
          (contract, at) => {
            contract.cancelNow(at, 'cancellation_requested');
          },
        ],
      ],
    });
    const again = scene.at + 38 * DAY;
    if (again < scene.to) live({ ...scene, at: again }, { items: one('price_team_month') });
  },
  holdsCollection: (scene: Scene) =>
    live(scene, {
      items: one('price_team_month'),
      plan: [
        [
          14,
          (contract, at) => {
            contract.pauseCollection(at, 'void');
          },
        ],
        [
          44,
          (contract, at) => {
            contract.pauseCollection(at, null);
          },
        ],
      ],
    }),
  holdsDrafts: (scene: Scene) =>
    live(scene, {
      items: one('price_starter_month'),
      plan: [
        [
          14,
          (contract, at) => {
            contract.pauseCollection(at, 'keep_as_draft');
          },
        ],
      ],
    }),
  pauses: (scene: Scene) =>
    live(scene, {
      items: one('price_team_month'),
      plan: [
        [
          16,
          (contract, at) => {
            contract.setPaused(at, true);
          },
        ],
        [
          36,
          (contract, at) => {
            contract.setPaused(at, false);
          },
        ],
      ],
    }),
  paysByTheYear: (scene: Scene) => live(scene, { items: one('price_starter_year') }),
  regretsTheYear: (scene: Scene) =>
    live(scene, {
      items: one('price_enterprise_year'),
      plan: [
        [
          17,
          withCharge(scene.book, (invoice, at) => {
            refund(scene.book, invoice, at, 1);
          }),
        ],
        [
          17.1,
          (contract, at) => {
            contract.cancelNow(at, 'cancellation_requested');
          },
        ],
      ],
    }),
  partRefund: (scene: Scene) =>
    live(scene, {
      items: one('price_team_month'),
      plan: [
        [
          6,
          withCharge(scene.book, (invoice, at) => {
            refund(scene.book, invoice, at, 0.3);
          }),
        ],
        [
          8,
          withCharge(scene.book, (invoice, at) => {
            refund(scene.book, invoice, at, 0.2);
          }),
        ],
      ],
    }),
  companyLosesDispute: (scene: Scene) =>
    live(scene, {
      items: one('price_team_month'),
      plan: [
        [
          4,
          withCharge(scene.book, (invoice, at) => {
            dispute(scene.book, invoice, at, 'lost');
          }),
        ],
        [
          26,
          (contract, at) => {
            contract.cancelNow(at, 'payment_disputed');
          },
        ],
      ],
    }),
  companyWinsDispute: (scene: Scene) =>
    live(scene, {
      items: one('price_team_month'),
      plan: [
        [
          4,
          withCharge(scene.book, (invoice, at) => {
            dispute(scene.book, invoice, at, 'won');
          }),
        ],
      ],
    }),
  twoSubscriptions: (scene: Scene) => {
    live(scene, { items: one('price_team_month') });
    live(
      { ...scene, at: scene.at + 2 * DAY },
      {
        items: one('price_starter_month'),
        plan: [
          [
            30,
            (contract, at) => {
              contract.cancelNow(at, 'cancellation_requested');
            },
          ],
        ],
      },
    );
  },
  freeThenPaid: (scene: Scene) =>
    live(scene, {
      items: one('price_free'),
      plan: [
        [
          19,
          (contract, at) => {
            contract.setPrice(at, 0, 'price_starter_month');
          },
        ],
      ],
    }),
  europe: (scene: Scene) =>
    live(scene, {
      items: one('price_starter_eur'),
      plan: [
        [
          21,
          (contract, at) => {
            contract.setPrice(at, 0, 'price_team_eur');
          },
        ],
      ],
    }),
  japan: (scene: Scene) => live(scene, { items: one('price_starter_jpy', 2) }),
  weekly: (scene: Scene) => live(scene, { items: one('price_starter_week') }),
  quarterly: (scene: Scene) => live(scene, { items: one('price_team_quarter') }),
  graduatedSeats: (scene: Scene) =>
    live(scene, {
      items: one('price_seat_graduated', 8),
      plan: [
        [
          23,
          (contract, at) => {
            contract.setQuantity(at, 0, 30);
          },
        ],
      ],
    }),
  volumeSeats: (scene: Scene) =>
    live(scene, {
      items: one('price_seat_volume', 8),
      plan: [
        [
          23,
          (contract, at) => {
            contract.setQuantity(at, 0, 12);
          },
        ],
      ],
    }),
  metered: (scene: Scene) => live(scene, { items: [...one('price_starter_month'), ...one('price_usage')] }),
  sentInvoices: (scene: Scene) => live(scene, { items: one('price_team_month'), collection: 'send_invoice' }),
  backdated: (scene: Scene) =>
    live(scene, { items: one('price_starter_month'), backdatedTo: scene.at - 12 * DAY }),
  priceRises: (scene: Scene) =>
    live(scene, {
      items: one('price_team_month'),
      plan: [
        [
          30,
          (contract, at) => {
            contract.setPrice(at, 0, 'price_team_month_2025');
          },
        ],
      ],
    }),
  erased: (scene: Scene) =>
    live(scene, {
      items: one('price_starter_month'),
      plan: [
        [
          24,
          (contract, at) => {
            contract.cancelNow(at, 'cancellation_requested');
            scene.book.remove('customer', scene.customer, at, 'customer.deleted');
          },
        ],
      ],
    }),
  testClock: (scene: Scene) => live(scene, { items: one('price_free'), testClock: 'clock_1' }),
} as const satisfies Record<string, (scene: Scene) => unknown>;

/** In the order in which customers get them. */
export const SCRIPTS: readonly { readonly name: string; readonly play: (scene: Scene) => void }[] =
  Object.entries(LIVES).map(([name, play]) => ({ name, play: (scene) => void play(scene) }));
