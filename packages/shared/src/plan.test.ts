import { describe, expect, test } from 'vitest';

import type { CoveredDay } from './coverage.ts';
import { planBackfill, planDays, planGaps } from './plan.ts';
import { addDays, type DayWindow, listDays } from './window.ts';

const today = '2026-11-21';
const runId = 'r1';

/** Coverage of days, read on a day (`final` as the ledger would tell it for a 3-day restatement). */
function covered(
  window: DayWindow,
  options: { readOn?: string; run?: string; final?: boolean } = {},
): CoveredDay[] {
  const { readOn = today, run = runId } = options;
  return listDays(window).map((day) => ({
    day,
    readAt: `${readOn}T00:00:00Z`,
    runId: run,
    final: options.final ?? readOn >= addDays(day, 1 + 3),
  }));
}

const base = { today, since: '2026-11-01', restatementDays: 3, maxWindowDays: 30 };
const daysOf = (windows: readonly DayWindow[]) => windows.flatMap(listDays);

describe('days that are due', () => {
  test('the first run reads from its first day up to and including today', () => {
    expect(planDays({ ...base, coverage: [] })).toEqual([{ from: '2026-11-01', to: '2026-11-22' }]);
  });

  test('windows are cut to what the vendor takes, newest first', () => {
    expect(planDays({ ...base, maxWindowDays: 8, coverage: [] })).toEqual([
      { from: '2026-11-14', to: '2026-11-22' },
      { from: '2026-11-06', to: '2026-11-14' },
      { from: '2026-11-01', to: '2026-11-06' },
    ]);
  });

  test('when all is covered, only days that may still change are read', () => {
    const coverage = covered({ from: '2026-11-01', to: '2026-11-22' });
    expect(planDays({ ...base, coverage })).toEqual([{ from: '2026-11-18', to: '2026-11-22' }]);
  });

  test('an outage of 40 days is read again, no day left out', () => {
    const coverage = covered({ from: '2026-09-01', to: '2026-10-13' }, { readOn: '2026-10-12' });
    const due = daysOf(planDays({ ...base, since: '2026-09-01', coverage }));
    expect(due.toSorted()).toEqual(listDays({ from: '2026-10-09', to: '2026-11-22' }));
  });

  test('a day last read before it was final is read once more, and then not again', () => {
    const old = covered({ from: '2026-11-01', to: '2026-11-17' }, { readOn: '2026-11-15' });
    const due = daysOf(planDays({ ...base, coverage: old }));
    expect(due.toSorted()[0]).toBe('2026-11-12');
    const after = covered({ from: '2026-11-01', to: '2026-11-22' });
    expect(daysOf(planDays({ ...base, coverage: after }))).not.toContain('2026-11-12');
  });

  test('a month that was backfilled makes no gap between it and the first run', () => {
    const coverage = [
      ...covered({ from: '2025-01-01', to: '2025-02-01' }),
      ...covered({ from: '2026-11-01', to: '2026-11-22' }),
    ];
    expect(planDays({ ...base, coverage })).toEqual([{ from: '2026-11-18', to: '2026-11-22' }]);
    expect(planGaps({ since: '2026-11-01', until: today, maxWindowDays: 7, coverage })).toEqual([]);
  });

  test('days after today are not read, even if the ledger knows them', () => {
    const coverage = covered({ from: '2026-11-01', to: '2026-11-25' }, { final: false });
    expect(daysOf(planDays({ ...base, coverage })).some((day) => day > today)).toBe(false);
  });
});

describe('gaps', () => {
  test('are the days never read between the first run and the cursor, newest first', () => {
    const coverage = covered({ from: '2026-11-03', to: '2026-11-05' });
    expect(planGaps({ since: '2026-11-01', until: '2026-11-07', maxWindowDays: 2, coverage })).toEqual([
      { from: '2026-11-06', to: '2026-11-08' },
      { from: '2026-11-05', to: '2026-11-06' },
      { from: '2026-11-01', to: '2026-11-03' },
    ]);
  });
});

describe('backfill', () => {
  const window = { from: '2026-10-01', to: '2026-10-11' };

  test('reads every day, whatever the ledger says of them', () => {
    expect(planBackfill({ window, runs: ['b1'], maxWindowDays: 5, coverage: covered(window) })).toEqual([
      { from: '2026-10-06', to: '2026-10-11' },
      { from: '2026-10-01', to: '2026-10-06' },
    ]);
  });

  test('I2: goes on after the days that its earlier runs read, and reads those again that another run read since', () => {
    const coverage = [
      ...covered({ from: '2026-10-05', to: '2026-10-08' }, { run: 'scheduled' }),
      ...covered({ from: '2026-10-08', to: '2026-10-11' }, { run: 'b1' }),
    ];
    expect(planBackfill({ window, runs: ['b1', 'b2'], maxWindowDays: 30, coverage })).toEqual([
      { from: '2026-10-01', to: '2026-10-08' },
    ]);
  });
});
