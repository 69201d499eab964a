/**
 * One order of the seeded world with its whole life, a pure function of seed, shop, day and place in the day.
 * Every thirtieth day begins with an order of 120 lines of sundries; on every sixtieth, 60 of them come back in one refund.
 */
import { createRandom } from '../core.ts';
import { giftCard, productsOf, visits } from './catalogue.ts';
import { roundToCents } from './money.ts';
import { afterwards } from './order-edits.ts';
import { cancellation, type Life, lifeOf } from './order-life.ts';
import type { WorldLine, WorldOrder, WorldShipping, WorldShop } from './shop.ts';

const dayMs = 86_400_000;
const usTaxRates = [0, 0.0625, 0.0725, 0.08875];
const vatRate = 0.19;
/** The lines of the orders that are long for the test's sake are cheap, so that their days look like others. */
const sundriesShare = 1 / 40;

export interface OrderPlace {
  readonly shop: WorldShop;
  readonly seed: number;
  /** Days since 1970-01-01, and the place among the day's orders. */
  readonly day: number;
  readonly index: number;
  /** When the day begins in the shop's zone, and how long it is. */
  readonly dayStart: number;
  readonly dayLength: number;
  readonly orderId: number;
  readonly customerId: number | null;
}

export function isLargeOrder(day: number, index: number): boolean {
  return index === 0 && day % 30 === 7;
}

export function makeOrder(place: OrderPlace): WorldOrder {
  const { shop, orderId, day } = place;
  const random = createRandom(`${place.seed}:shopify:${shop.domain}:${day}:${place.index}`);
  const createdAt = instantOf(place, random);
  const isPointOfSale = random() < 0.06;
  const isAbroad = random() < 0.05;
  const discountShare = random() < 0.18 ? [0.1, 0.15, 0.2][Math.floor(random() * 3)] : undefined;
  const taxRate = shop.taxesIncluded ? vatRate : pick(usTaxRates, random);
  const isLarge = isLargeOrder(day, place.index);
  const lines = makeLines(place, random, { discountShare: discountShare ?? 0, taxRate, isLarge });
  const shipping = isPointOfSale ? [] : [makeShipping(place, lines, taxRate)];
  const visit = isPointOfSale ? null : pick(visits, random);
  const life: Life = isLarge
    ? { ...lifeOf(createdAt, random), kind: day % 60 === 7 ? 'large-return' : 'kept' }
    : lifeOf(createdAt, random);
  const draft = { orderId, createdAt, lines, shipping, shop };
  return {
    id: orderId,
    name: `#${orderId % 100_000_000}`,
    createdAt,
    // A till that was offline hands its sales in later.
    processedAt: isPointOfSale ? createdAt - Math.floor(random() * 240) * 1_000 : createdAt,
    isTest: random() < 0.005,
    customerId: place.customerId,
    presentment: isAbroad
      ? shop.taxesIncluded
        ? { currency: 'GBP', rate: 0.87 }
        : { currency: 'CAD', rate: 1.38 }
      : { currency: shop.currency, rate: 1 },
    sourceName: isPointOfSale ? 'pos' : 'web',
    channel: isPointOfSale
      ? { handle: 'pos', displayName: 'Point of Sale' }
      : { handle: 'online_store', displayName: 'Online Store' },
    visit: visit === null ? null : { ...visit, landingPage: `https://${shop.domain}${visit.landingPage}` },
    discountCode: discountShare === undefined ? null : `SAVE${Math.round(discountShare * 100)}`,
    lines,
    shipping,
    ...afterwards(
      { ...draft, isPointOfSale, isLarge, events: cancellation(draft, life, random) },
      createRandom(`${place.seed}:shopify:${shop.domain}:afterwards:${day}:${place.index}`),
    ),
  };
}

/** A moment of the day, more of them towards the evening, on a whole second. */
function instantOf(place: OrderPlace, random: () => number): number {
  const share = Math.min(0.999, 0.25 + 0.75 * Math.sqrt(random()) - 0.25 * random());
  return (
    Math.floor((place.dayStart + Math.max(0, share) * Math.min(place.dayLength, dayMs * 2)) / 1_000) * 1_000
  );
}

interface LinePlan {
  readonly discountShare: number;
  readonly taxRate: number;
  readonly isLarge: boolean;
}

function makeLines(place: OrderPlace, random: () => number, plan: LinePlan): WorldLine[] {
  const products = productsOf(place.shop);
  const count = plan.isLarge ? 120 : 1 + Math.floor(random() ** 2.2 * 5);
  const lines: WorldLine[] = [];
  for (let index = 0; index < count; index += 1) {
    const product = pick(products, random);
    const quantity = random() < 0.8 ? 1 : 2 + Math.floor(random() * 3);
    const unitPrice = plan.isLarge ? roundToCents(product.price * sundriesShare) : product.price;
    const discount = roundToCents(unitPrice * quantity * plan.discountShare);
    const paid = unitPrice * quantity - discount;
    lines.push({
      id: place.orderId * 1_000 + index,
      sku: product.sku,
      title: product.title,
      productId: product.id,
      variantId: product.id + 500_000,
      quantity,
      unitPrice,
      discount,
      tax: taxOf(paid, plan.taxRate, place.shop.taxesIncluded),
      taxRate: plan.taxRate,
      isGiftCard: false,
    });
  }
  if (random() < 0.02) lines.push(giftCard(place.orderId * 1_000 + 900));
  return lines;
}

function makeShipping(place: OrderPlace, lines: readonly WorldLine[], goodsTaxRate: number): WorldShipping {
  const { shop } = place;
  const value = lines.reduce((sum, line) => sum + line.unitPrice * line.quantity - line.discount, 0);
  const price = shop.taxesIncluded ? 49_000 : 59_500;
  const discounted = value >= 1_000_000 ? 0 : price;
  const taxRate = shop.taxesIncluded ? goodsTaxRate : 0;
  const tax = taxOf(discounted, taxRate, shop.taxesIncluded);
  return { id: place.orderId * 10 + 1, title: 'Standard', price, discounted, tax, taxRate };
}

function taxOf(amount: number, rate: number, isIncluded: boolean): number {
  return roundToCents(isIncluded ? amount - amount / (1 + rate) : amount * rate);
}

function pick<T>(items: readonly T[], random: () => number): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error('There is nothing to pick from.');
  return item;
}
