/**
 * The campaigns, ad groups and ads of an account. An account has a fixed number of slots; in each slot one ad
 * follows another for ever, so that ads start, stop, are deleted or archived at any clock, and the past
 * of the world never depends on when the sandbox was started.
 */
import { createRandom } from '../core.ts';
import type { WorldAccount } from './accounts.ts';
import { dayNumber } from './days.ts';

export type AdStatus = 'ACTIVE' | 'PAUSED' | 'CAMPAIGN_PAUSED' | 'ARCHIVED' | 'DELETED';

export interface Creative {
  id: string;
  name: string;
  /** Its part of the ad's delivery; the parts of an ad add up to 1. */
  share: number;
}

export interface WorldAd {
  id: string;
  name: string;
  adGroupId: string;
  adGroupName: string;
  campaignId: string;
  campaignName: string;
  firstDay: number;
  lastDay: number;
  /** What it becomes on `fateDay`, after it stopped; paused in between. */
  fate: AdStatus;
  fateDay: number;
  dailyBudgetUsd: number;
  cpmUsd: number;
  clickRate: number;
  purchaseRate: number;
  basketUsd: number;
  /** More than one: an Upgraded Smart+ ad of TikTok, whose reports can be split by creative. */
  creatives: readonly Creative[];
}

/** Before everything that a demo may ask for; slots count their ads from here. */
const firstSlotDay = dayNumber('2005-01-01');

const campaigns = [
  'Prospecting | Broad',
  'Prospecting | Lookalike 1 %',
  'Retargeting, 30-day viewers',
  'Été – "Soldes" 🎉',
  'Brand \\ Always on',
  'New arrivals',
  'Catalogue sales',
  'Creators & collabs',
] as const;
const audiences = ['Women 25–44', 'Men 25–44', 'All, 18+', 'Shoppers'] as const;
const formats = ['Video 9:16', 'Carousel', 'Static', "Founder's story", 'UGC cut', 'Unboxing'] as const;

const longSlots = 14;
/** Two slots half a period apart: at any clock an ad was deleted that spent within the last 28 days. */
const shortSlots = 2;
const shortPeriod = 50;
const shortRun = 36;

/** Every ad that has a day in [from, to], oldest slot first. */
export function adsOf(seed: number, account: WorldAccount, from: number, to: number): WorldAd[] {
  const ads: WorldAd[] = [];
  for (let slot = 0; slot < longSlots + shortSlots; slot += 1) {
    const { period, offset } = slotRhythm(seed, account, slot);
    const first = Math.max(0, Math.floor((from - firstSlotDay - offset) / period));
    const last = Math.floor((to - firstSlotDay - offset) / period);
    for (let turn = first; turn <= last; turn += 1) {
      const ad = createAd(seed, account, slot, turn);
      if (ad.firstDay <= to && ad.lastDay >= from) ads.push(ad);
    }
  }
  return ads;
}

/** The ad's effective status on a day, which is what the clock says today is. */
export function statusOf(ad: WorldAd, today: number): AdStatus {
  if (today <= ad.lastDay) return 'ACTIVE';
  return today >= ad.fateDay ? ad.fate : 'PAUSED';
}

function slotRhythm(seed: number, account: WorldAccount, slot: number): { period: number; offset: number } {
  if (slot >= longSlots) {
    return { period: shortPeriod, offset: ((slot - longSlots) * shortPeriod) / shortSlots };
  }
  const random = createRandom(`${seed}:${account.vendor}:${account.id}:slot:${slot}`);
  const period = 450 + Math.floor(random() * 300);
  return { period, offset: Math.floor(random() * period) - period };
}

function createAd(seed: number, account: WorldAccount, slot: number, turn: number): WorldAd {
  const { period, offset } = slotRhythm(seed, account, slot);
  const random = createRandom(`${seed}:${account.vendor}:${account.id}:ad:${slot}:${turn}`);
  const isShort = slot >= longSlots;
  const firstDay = firstSlotDay + offset + turn * period;
  const runs = isShort ? shortRun : Math.floor(period * (0.65 + random() * 0.35));
  const lastDay = firstDay + runs - 1;
  const fates: AdStatus[] = ['PAUSED', 'ARCHIVED', 'DELETED', 'CAMPAIGN_PAUSED'];
  const fate = isShort ? 'DELETED' : (fates[Math.floor(random() * fates.length)] ?? 'PAUSED');
  const campaignIndex = slot % campaigns.length;
  const groupIndex = Math.floor(slot / campaigns.length);
  const campaignName = campaigns[campaignIndex] ?? campaigns[0];
  const isSmartPlus = account.vendor === 'tiktok' && campaignIndex === 6;
  const format = formats[Math.floor(random() * formats.length)] ?? formats[0];
  const audience = audiences[(slot + groupIndex) % audiences.length] ?? audiences[0];
  const id = vendorId(seed, account, `3${pad(slot, 2)}${pad(turn, 3)}`);
  const name = `${format} #${slot + 1}.${turn}`;
  return {
    id,
    name,
    adGroupId: vendorId(seed, account, `2${pad(campaignIndex, 2)}${pad(groupIndex, 3)}`),
    adGroupName: `${audience} / ${groupIndex + 1}`,
    campaignId: vendorId(seed, account, `1${pad(campaignIndex, 2)}000`),
    campaignName,
    firstDay,
    lastDay,
    fate,
    fateDay: lastDay + (isShort ? 1 : 1 + Math.floor(random() * 20)),
    // One slot hardly spends: its days without a click or a purchase leave keys out of the answers.
    dailyBudgetUsd: slot === 4 ? 0.6 : 5 + random() * 17,
    cpmUsd: 6 + random() * 9,
    clickRate: 0.011 + random() * 0.016,
    purchaseRate: 0.018 + random() * 0.03,
    basketUsd: 45 + random() * 50,
    creatives: isSmartPlus ? createCreatives(seed, account, slot, turn, name) : [{ id, name, share: 1 }],
  };
}

function createCreatives(
  seed: number,
  account: WorldAccount,
  slot: number,
  turn: number,
  adName: string,
): Creative[] {
  return [0.55, 0.3, 0.15].map((share, index) => ({
    id: vendorId(seed, account, `${4 + index}${pad(slot, 2)}${pad(turn, 3)}`),
    name: `${adName} creative ${index + 1}`,
    share,
  }));
}

/** 18 digits: above 2^53, so that a client which reads ids as numbers breaks. `key` makes it unique in the account. */
function vendorId(seed: number, account: WorldAccount, key: string): string {
  const random = createRandom(`${seed}:${account.vendor}:${account.id}:id:${key}`);
  const tail = Math.floor(random() * 1e8);
  const prefix = account.vendor === 'meta' ? '12' : '18';
  return `${prefix}${account.id.slice(2, 4)}${key}${pad(tail, 8)}`;
}

function pad(value: number, length: number): string {
  return String(value).padStart(length, '0');
}
