/**
 * What every vendor server of the sandbox shares: the clock, the faults on demand, the log of requests
 * and the keyed random numbers that make the world the same on every machine.
 */
import type { Hono } from 'hono';
import { Temporal } from 'temporal-polyfill';

export type Vendor = 'meta' | 'tiktok' | 'shopify' | 'ecb' | 'posthog' | 'stripe';

export const faultKinds = [
  'throttle',
  'server_error',
  'reset',
  'slow',
  'truncated',
  'wrong_token',
  'invalid_record',
  'vanished_ad',
  'too_large',
  'permission',
  'not_json',
  'missing_scope',
  'wrong_version',
  'ignored_filter',
  'latency',
  'no_rows',
  // Meta's, see README.md.
  'error',
  'usage',
  'token',
  'ad_account',
  'report_not_found',
  'report_not_ready',
  'report_running_100',
  'report_completed_early',
  'report_summary_bug',
  'report_skipped',
  'report_failed',
  'report_stuck',
  'report_expired',
  // TikTok's, see tiktok/README.md; it takes `error` and `ad_account`, too.
  'call_limit',
  'small_pages',
  'page_drift',
  'report_task',
  // PostHog's, see posthog/README.md.
  'cached_answer',
  'page_order',
  // Stripe's, see stripe/README.md.
  'lock_timeout',
  'conflict',
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** The sandbox's notion of now. It stands still once it was set, and follows the system clock before that. */
export interface SandboxClock {
  now(): Temporal.Instant;
  set(instant: string): void;
}

export interface Fault {
  vendor: Vendor;
  kind: FaultKind;
  /** Only requests for this account (ad account, advertiser, shop). */
  account?: string;
  /** How often it strikes: 1 unless told, -1 for always. */
  times?: number;
  /** Only requests whose URL path contains this. */
  path?: string;
  /** Parameter of the kind, see README.md. */
  value?: unknown;
  /** Strikes with this chance (0..1, seeded) for as long as it is set, instead of `times`. */
  probability?: number;
}

export interface RequestTarget {
  account?: string | undefined;
  path?: string | undefined;
}

export interface Faults {
  add(fault: Fault): void;
  clear(): void;
  /** The first fault that strikes this request, with one of its times used up. */
  take(vendor: Vendor, kind: FaultKind, target?: RequestTarget): Fault | undefined;
}

export interface RequestEntry {
  vendor: Vendor;
  method: string;
  path: string;
  account: string | undefined;
  status: number;
  at: string;
}

export interface RequestLog {
  record(entry: RequestEntry): void;
  readonly entries: readonly RequestEntry[];
  count(vendor?: Vendor): number;
  clear(): void;
}

export interface VendorContext {
  clock: SandboxClock;
  faults: Faults;
  log: RequestLog;
  seed: number;
}

/** Each vendor is a Hono app that is mounted under a prefix of its own. */
export type VendorServer = (context: VendorContext) => Hono;

/** A clock that stands at `now` (an ISO instant); without it, it is the system's. */
export function createClock(now?: string): SandboxClock {
  let fixed = now === undefined || now === '' ? undefined : Temporal.Instant.from(now);
  return {
    now: () => fixed ?? Temporal.Now.instant(),
    set: (instant) => {
      fixed = Temporal.Instant.from(instant);
    },
  };
}

/** An empty set of faults. `seed` decides which requests a fault with a probability strikes. */
export function createFaults(seed: number): Faults {
  const planned: { fault: Fault; left: number; random: () => number }[] = [];
  return {
    add(fault) {
      const times = fault.times ?? 1;
      const left = times < 0 ? Infinity : times;
      planned.push({ fault, left, random: createRandom(`${seed}:fault:${planned.length}`) });
    },
    clear() {
      planned.length = 0;
    },
    take(vendor, kind, target = {}) {
      for (const plan of planned) {
        const { fault } = plan;
        if (fault.vendor !== vendor || fault.kind !== kind) continue;
        if (fault.account !== undefined && fault.account !== target.account) continue;
        if (fault.path !== undefined && target.path?.includes(fault.path) !== true) continue;
        if (fault.probability !== undefined) {
          if (plan.random() < fault.probability) return fault;
          continue;
        }
        if (plan.left <= 0) continue;
        plan.left -= 1;
        return fault;
      }
      return undefined;
    },
  };
}

/** A log that keeps every request until it is cleared. */
export function createRequestLog(): RequestLog {
  const entries: RequestEntry[] = [];
  return {
    entries,
    record: (entry) => {
      entries.push(entry);
    },
    count: (vendor) =>
      vendor === undefined ? entries.length : entries.filter((entry) => entry.vendor === vendor).length,
    clear: () => {
      entries.length = 0;
    },
  };
}

/**
 * Random numbers in [0, 1) that depend on the key alone, e.g. `createRandom(`${seed}:meta:${adId}:${day}`)`.
 * The key is hashed with xmur3, the stream is mulberry32.
 */
export function createRandom(seed: string): () => number {
  let hash = 1779033703 ^ seed.length;
  for (let index = 0; index < seed.length; index += 1) {
    hash = Math.imul(hash ^ seed.charCodeAt(index), 3432918353);
    hash = (hash << 13) | (hash >>> 19);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 2246822507);
  hash = Math.imul(hash ^ (hash >>> 13), 3266489909);
  let state = (hash ^ (hash >>> 16)) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
