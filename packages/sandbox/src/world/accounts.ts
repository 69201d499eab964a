/** The ad accounts of the sandbox: spread over currencies and time zones, so that no client gets by with UTC and USD. */

export interface WorldAccount {
  vendor: 'meta' | 'tiktok';
  id: string;
  name: string;
  currency: string;
  /** Decimals of the currency: yen have none. */
  decimals: 0 | 2;
  /** The zone whose days the account reports in. */
  timezone: string;
  /** What TikTok gives as `timezone`: a fixed offset with POSIX's sign (Etc/GMT+8 is UTC-8). */
  fixedOffsetZone?: string;
  country: string;
  /** Units of the account's currency for one US dollar, to size budgets alike. */
  perDollar: number;
}

export const metaAccounts: readonly WorldAccount[] = [
  {
    vendor: 'meta',
    id: '1010035716096012',
    name: 'Floyo US',
    currency: 'USD',
    decimals: 2,
    timezone: 'America/Los_Angeles',
    country: 'US',
    perDollar: 1,
  },
  {
    vendor: 'meta',
    id: '2040118820417733',
    name: 'Floyo Europe',
    currency: 'EUR',
    decimals: 2,
    timezone: 'Europe/Berlin',
    country: 'DE',
    perDollar: 0.87,
  },
  {
    vendor: 'meta',
    id: '3071290443350986',
    name: 'Floyo Asia (billed in London)',
    currency: 'GBP',
    decimals: 2,
    timezone: 'Asia/Tokyo',
    country: 'JP',
    perDollar: 0.76,
  },
];

export const tiktokAccounts: readonly WorldAccount[] = [
  {
    vendor: 'tiktok',
    id: '7012345678901234561',
    name: 'Floyo US TikTok',
    currency: 'USD',
    decimals: 2,
    timezone: 'America/Los_Angeles',
    fixedOffsetZone: 'Etc/GMT+8',
    country: 'US',
    perDollar: 1,
  },
  {
    vendor: 'tiktok',
    id: '7098765432109876503',
    name: 'Floyo Japan TikTok',
    currency: 'JPY',
    decimals: 0,
    timezone: 'Asia/Tokyo',
    fixedOffsetZone: 'Asia/Tokyo',
    country: 'JP',
    perDollar: 156,
  },
];
