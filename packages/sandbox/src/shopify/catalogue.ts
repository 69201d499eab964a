/** What the seeded shops sell, and where their buyers come from. */
import { createRandom } from '../core.ts';
import type { Units, WorldLine, WorldShop, WorldVisit } from './shop.ts';

export interface Product {
  readonly id: number;
  readonly sku: string;
  readonly title: string;
  readonly price: Units;
}

const nouns = ['Lamp', 'Desk Mat', 'Notebook', 'Mug', 'Poster', 'Hoodie', 'Backpack', 'Bottle'];
const styles = ['Amber', 'Slate', 'Forest', 'Cloud', 'Coral'];
const known = new Map<string, readonly Product[]>();

/** The shop's 40 products. */
export function productsOf(shop: WorldShop): readonly Product[] {
  const present = known.get(shop.domain);
  if (present !== undefined) return present;
  const random = createRandom(`catalogue:${shop.domain}`);
  const made = nouns.flatMap((noun, row) =>
    styles.map((style, column) => ({
      id: 800_000_000 + shop.domain.length * 1_000_000 + row * 10 + column,
      sku: `${noun.slice(0, 3).toUpperCase()}-${style.slice(0, 3).toUpperCase()}`,
      title: `${style} ${noun}`,
      price: (900 + Math.floor(random() * 90) * 100 - (random() < 0.5 ? 1 : 10)) * 100,
    })),
  );
  known.set(shop.domain, made);
  return made;
}

/** A gift card of 50: money that is no sale yet, without tax or discount. */
export function giftCard(id: number): WorldLine {
  return {
    id,
    sku: 'GIFT-50',
    title: 'Gift Card',
    productId: 799_000_001,
    variantId: 799_500_001,
    quantity: 1,
    unitPrice: 500_000,
    discount: 0,
    tax: 0,
    taxRate: 0,
    isGiftCard: true,
  };
}

/** Last visits before an order; the landing page without its host. */
export const visits: readonly (WorldVisit | null)[] = [
  visit('Facebook', '/', 'https://l.facebook.com/', {
    source: 'facebook',
    medium: 'paid',
    campaign: 'prospecting',
  }),
  visit('Facebook', '/collections/new', 'https://l.instagram.com/', {
    source: 'instagram',
    medium: 'paid',
    campaign: 'retargeting',
  }),
  visit('TikTok', '/products/amber-lamp', 'https://www.tiktok.com/', {
    source: 'tiktok',
    medium: 'paid',
    campaign: 'spark',
  }),
  visit('Google', '/collections/all', 'https://www.google.com/', {
    source: 'google',
    medium: 'cpc',
    campaign: 'brand',
  }),
  visit('Google', '/', 'https://www.google.com/', null),
  visit('email', '/pages/sale', null, { source: 'klaviyo', medium: 'email', campaign: 'weekly' }),
  visit('direct', '/', null, null),
  null,
];

function visit(
  source: string,
  landingPage: string,
  referrer: string | null,
  utm: WorldVisit['utm'],
): WorldVisit {
  return { source, landingPage, referrer, utm };
}
