/** What every connector that reads reports by days does when its vendor fails: the same cases for each, on real faults. */
import { expect, test } from 'vitest';

import { type ErrorType, WindowTooLargeError } from '../errors.ts';
import { containing, matching } from './matchers.ts';

/** The vendor under test; `Kind` is a kind of fault that it can be told to have. */
export interface FaultyVendor<Kind extends string> {
  /** Reads so many days back from today, and today. */
  read(daysBack: number): Promise<readonly unknown[]>;
  /** Makes its reports fail so often; once unless told. */
  fail(kind: Kind, times?: number): void;
  /** From now on it refuses more days than that at once. */
  failLongWindows(maxDays: number): void;
  /** How many calls for a report `work` made. */
  countReports(work: () => Promise<unknown>): Promise<number>;
  /** Faults that pass by themselves. */
  readonly passing: readonly Kind[];
  /** Faults that stay, with the type of the error and words of its message. */
  readonly lasting: readonly (readonly [Kind, ErrorType, string])[];
}

/** Declares the cases; to be called in a `describe`. */
export function faultSuite<Kind extends string>(vendor: FaultyVendor<Kind>): void {
  test.each(vendor.passing)('%s for a moment changes nothing', async (kind) => {
    const before = await vendor.read(7);
    vendor.fail(kind, 2);
    expect(await vendor.read(7)).toEqual(before);
  });

  test.each(vendor.lasting)('%s fails at once with advice', async (kind, type, words) => {
    vendor.fail(kind);
    const calls = await vendor.countReports(() =>
      expect(vendor.read(2)).rejects.toMatchObject({
        type,
        retryable: false,
        message: containing(words),
        advice: matching(/\w/),
      }),
    );
    expect(calls).toBe(1);
  });

  test('too much data asks for fewer days', async () => {
    vendor.failLongWindows(7);
    await expect(vendor.read(28)).rejects.toBeInstanceOf(WindowTooLargeError);
    expect((await vendor.read(6)).length).toBeGreaterThan(0);
  });
}
