/**
 * The lists of actions of an insights row. They overlap as Meta's do: post_engagement contains link_click, and
 * purchase, omni_purchase and offsite_conversion.fb_pixel_purchase count the same sales, so adding them up is wrong.
 */
import type { DayNumbers } from '../world/numbers.ts';

type ActionStats = Record<string, string>;

/** `actions`, `action_values` and their kin; a list without entries is absent, as is an action that did not happen. */
export function actionFields(
  numbers: DayNumbers,
  windows: readonly string[],
  isPurchaseLost: boolean,
): Record<string, ActionStats[] | undefined> {
  const { linkClicks, addsToCart, clicks, impressions } = numbers;
  const purchases = isPurchaseLost ? 0 : numbers.purchases;
  // A tenth of the sales happens in the app: the pixel does not see them.
  const pixelPurchases = Math.round(purchases * 0.9);
  const basket = purchases === 0 ? 0 : numbers.valueCents / purchases / 100;
  const engagement = clicks + Math.floor(impressions * 0.004);
  const checkouts = Math.floor(addsToCart * 0.6);

  const counts: [string, number][] = [
    ['link_click', linkClicks],
    ['post_engagement', engagement],
    ['page_engagement', engagement + Math.floor(impressions * 0.0005)],
    ['landing_page_view', Math.floor(linkClicks * 0.82)],
    ['add_to_cart', addsToCart],
    ['omni_add_to_cart', addsToCart],
    ['offsite_conversion.fb_pixel_add_to_cart', addsToCart],
    ['initiate_checkout', checkouts],
    ['omni_initiated_checkout', checkouts],
    ['purchase', purchases],
    ['omni_purchase', purchases],
    ['offsite_conversion.fb_pixel_purchase', pixelPurchases],
  ];
  const values: [string, number][] = [
    ['purchase', purchases * basket],
    ['omni_purchase', purchases * basket],
    ['offsite_conversion.fb_pixel_purchase', pixelPurchases * basket],
  ];
  const spend = numbers.spendCents / 100;
  const roas: [string, number][] = spend === 0 ? [] : [['omni_purchase', (purchases * basket) / spend]];
  return {
    actions: list(counts, windows, String),
    action_values: list(values, windows, cents),
    conversions: undefined,
    outbound_clicks: list([['outbound_click', Math.floor(linkClicks * 0.95)]], windows, String),
    purchase_roas: list(roas, windows, (value) => value.toFixed(6)),
    website_purchase_roas: list(
      roas.map(([, value]) => ['offsite_conversion.fb_pixel_purchase', value * 0.9]),
      windows,
      (value) => value.toFixed(6),
    ),
  };
}

const windowShare: Record<string, number> = {
  '1d_click': 0.6,
  '7d_click': 0.9,
  '28d_click': 1,
  '1d_view': 0.1,
  '1d_ev': 0.05,
  incrementality: 0.4,
};

function list(
  entries: readonly [string, number][],
  windows: readonly string[],
  write: (value: number) => string,
): ActionStats[] | undefined {
  const present = entries.filter(([, value]) => value > 0);
  if (present.length === 0) return undefined;
  return present.map(([type, value]) => {
    const stats: ActionStats = { action_type: type, value: write(value) };
    for (const window of windows) {
      const part = value * (windowShare[window] ?? 0);
      stats[window] = write(write === String ? Math.floor(part) : part);
    }
    return stats;
  });
}

function cents(value: number): string {
  return String(Math.round(value * 100) / 100);
}
