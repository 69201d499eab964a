/** Made-up rows of `spend` as a connector gives them: 20 columns, names of usual length, a small `raw`. */
import type { LoadRow } from '@floyo/shared/connector';
import { addDays } from '@floyo/shared/window';

export type SpendRow = LoadRow<'spend'>;

const FIRST_DAY = '2026-10-01';
/** Half-open, as the runner has it. */
export const WINDOW = { from: FIRST_DAY, to: addDays(FIRST_DAY, 28) };
export const ACCOUNT = '1010035716096012';

const DAYS = Array.from({ length: 28 }, (_, index) => addDays(FIRST_DAY, index));

/** The row with that number; rows 0 to 27 are the first ad's days, and so on. */
export function spendRow(index: number): SpendRow {
  const day = DAYS[index % DAYS.length] ?? FIRST_DAY;
  const ad = 120_210_000_000_000 + Math.floor(index / DAYS.length);
  const campaign = ad % 97;
  const clicks = (index * 7) % 61;
  return {
    external_id: `meta:${ad}`,
    date: day,
    source: 'meta',
    account_id: ACCOUNT,
    account_timezone: 'America/Los_Angeles',
    campaign_id: `${23_850_000_000 + campaign}`,
    campaign_name: `Prospecting | broad | ${campaign}`,
    ad_group_id: `${23_860_000_000 + (ad % 997)}`,
    ad_group_name: `Women 25-44 | feed | ${ad % 997}`,
    ad_id: `${ad}`,
    ad_name: `Spring video ${ad % 1_013} | 15s | v2`,
    currency: 'USD',
    spend: `${(index * 37) % 911}.${10 + (index % 90)}`,
    impressions: `${1_000 + ((index * 13) % 50_021)}`,
    clicks: `${clicks}`,
    link_clicks: `${clicks >> 1}`,
    reach: `${900 + ((index * 11) % 40_009)}`,
    conversions: `${index % 6}`,
    conversion_value: `${(index % 6) * 49}.50`,
    raw: {
      actions: [
        { action_type: 'link_click', value: `${clicks >> 1}` },
        { action_type: 'purchase', value: `${index % 6}` },
      ],
      attribution_setting: '7d_click_1d_view',
    },
  };
}

export function spendRows(count: number): SpendRow[] {
  return Array.from({ length: count }, (_, index) => spendRow(index));
}

export const COLUMNS: readonly string[] = Object.keys(spendRow(0));
