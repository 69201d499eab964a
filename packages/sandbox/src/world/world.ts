/** The ads world as a server reads it: accounts, ads that exist at the clock, and what they did on which day. */
import type { VendorContext } from '../core.ts';
import type { WorldAccount } from './accounts.ts';
import { metaAccounts, tiktokAccounts } from './accounts.ts';
import type { WorldAd } from './ads.ts';
import { adsOf } from './ads.ts';
import { dayNumber, localDay } from './days.ts';
import type { DayNumbers } from './numbers.ts';
import { numbersOf } from './numbers.ts';

export interface AdDay {
  ad: WorldAd;
  day: number;
  numbers: DayNumbers;
}

export interface AdsWorld {
  readonly accounts: readonly WorldAccount[];
  account(id: string): WorldAccount | undefined;
  /** The account's local day at the clock. */
  today(account: WorldAccount): number;
  /** The ads that were created by now, deleted ones too. */
  ads(account: WorldAccount): readonly WorldAd[];
  /** What delivered on the account's local days from..to (inclusive), by ad and then by day; nothing of the future. */
  adDays(account: WorldAccount, from: number, to: number): AdDay[];
}

const historyMonths = 24;

/** The day on which a world begins: the first of the month two years before the clock's now. */
export function firstDayOf({ clock }: Pick<VendorContext, 'clock'>): number {
  const begin = clock.now().toZonedDateTimeISO('UTC').toPlainDate().subtract({ months: historyMonths });
  return dayNumber(begin.with({ day: 1 }).toString());
}

/** The world of one ad platform. */
export function createAdsWorld(context: VendorContext, vendor: 'meta' | 'tiktok'): AdsWorld {
  const accounts = vendor === 'meta' ? metaAccounts : tiktokAccounts;
  const firstDay = firstDayOf(context);
  const created = new Map<string, { today: number; ads: WorldAd[] }>();

  function ads(account: WorldAccount): readonly WorldAd[] {
    const today = localDay(context.clock.now(), account.timezone).day;
    const known = created.get(account.id);
    if (known?.today === today) return known.ads;
    const fresh = { today, ads: adsOf(context.seed, account, firstDay, today) };
    created.set(account.id, fresh);
    return fresh.ads;
  }

  return {
    accounts,
    account: (id) => accounts.find((account) => account.id === id),
    today: (account) => localDay(context.clock.now(), account.timezone).day,
    ads,
    adDays(account, from, to) {
      const { day: today, elapsed } = localDay(context.clock.now(), account.timezone);
      const found: AdDay[] = [];
      for (const ad of ads(account)) {
        const last = Math.min(to, ad.lastDay, today);
        for (let day = Math.max(from, ad.firstDay, firstDay); day <= last; day += 1) {
          const numbers = numbersOf(context.seed, account, ad, day, { days: today - day, elapsed });
          if (numbers !== undefined) found.push({ ad, day, numbers });
        }
      }
      return found;
    },
  };
}
