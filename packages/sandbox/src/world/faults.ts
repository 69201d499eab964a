/** The faults that change rows and not answers, alike for both ad platforms. */
import { z } from 'zod';

import type { Fault, VendorContext } from '../core.ts';
import type { WorldAccount } from './accounts.ts';
import { statusOf } from './ads.ts';
import type { AdDay, AdsWorld } from './world.ts';

/** Leaves one ad out while a `vanished_ad` fault is active: `value.adId`, or the first that is running. */
export function withoutVanishedAd(
  context: VendorContext,
  world: AdsWorld,
  account: WorldAccount,
  path: string,
  rows: AdDay[],
): AdDay[] {
  const fault = context.faults.take(account.vendor, 'vanished_ad', { account: account.id, path });
  if (fault === undefined) return rows;
  const today = world.today(account);
  const running = world.ads(account).find((ad) => statusOf(ad, today) === 'ACTIVE');
  const adId = adIdSchema.safeParse(fault.value).data?.adId ?? running?.id;
  return rows.filter((row) => row.ad.id !== adId);
}

const adIdSchema = z.object({ adId: z.string() });

const invalidRecordSchema = z.object({
  set: z.record(z.string(), z.unknown()).optional(),
  unset: z.array(z.string()).optional(),
  rows: z.number().int().positive().optional(),
});

/**
 * Spoils the first `value.rows` (1) records of a page: sets `value.set` (spend to 'abc' unless told otherwise)
 * and removes the keys of `value.unset`. A record may come in parts; a key is set in the part that has it.
 */
export function spoilRecords(fault: Fault, records: readonly (readonly Record<string, unknown>[])[]): void {
  const value = invalidRecordSchema.safeParse(fault.value).data ?? {};
  const set = value.set ?? (value.unset === undefined ? { spend: 'abc' } : {});
  for (const parts of records.slice(0, value.rows ?? 1)) {
    for (const [key, wrong] of Object.entries(set)) {
      const part = parts.find((candidate) => key in candidate) ?? parts[0];
      if (part !== undefined) part[key] = wrong;
    }
    for (const key of value.unset ?? []) {
      for (const part of parts) Reflect.deleteProperty(part, key);
    }
  }
}
