import { describe, expect, test } from 'vitest';

import type { CoveredDay } from './coverage.ts';
import { planBackfill, planDays, toWindows } from './plan.ts';
import { type DayWindow, listDays } from './window.ts';

const today = '2026-11-21';

/** Coverage of days, read by a run. */
function covered(window: DayWindow, run = 'r1'): CoveredDay[] {
  return listDays(window).map((day) => ({ day, runId: run }));
}

const base = { today, since: '2026-11-01', restatementDays: 3, maxWindowDays: 30 };
const daysOf = (windows: readonly DayWindow[]) => windows.flatMap(listDays);

const nothing = { missing: [], notFinal: [] };

describe('days that are due', () => {
  test('the first run reads from its first day up to and including today', () => {
    const open = { missing: listDays({ from: '2026-11-01', to: '2026-11-22' }), notFinal: [] };
    expect(planDays({ ...base, open })).toEqual([{ from: '2026-11-01', to: '2026-11-22' }]);
  });

  test('when all is covered, only days that may still change are read, and none before the first', () => {
    expect(planDays({ ...base, open: nothing })).toEqual([{ from: '2026-11-18', to: '2026-11-22' }]);
    expect(planDays({ ...base, since: '2026-11-20', open: nothing })).toEqual([
      { from: '2026-11-20', to: '2026-11-22' },
    ]);
  });

  test('an outage of 40 days is read again, no day left out', () => {
    const open = {
      missing: listDays({ from: '2026-10-13', to: '2026-11-22' }),
      notFinal: listDays({ from: '2026-10-09', to: '2026-10-13' }),
    };
    const due = daysOf(planDays({ ...base, since: '2026-09-01', open }));
    expect(due.toSorted()).toEqual(listDays({ from: '2026-10-09', to: '2026-11-22' }));
  });

  test('a day last read before it was final is read once more', () => {
    const due = daysOf(planDays({ ...base, open: { ...nothing, notFinal: ['2026-11-12'] } }));
    expect(due.toSorted()).toEqual(['2026-11-12', ...listDays({ from: '2026-11-18', to: '2026-11-22' })]);
  });
});

describe('windows', () => {
  test('join neighbouring days and are cut to what the vendor takes, newest first', () => {
    expect(toWindows(listDays({ from: '2026-11-01', to: '2026-11-22' }), 8)).toEqual([
      { from: '2026-11-14', to: '2026-11-22' },
      { from: '2026-11-06', to: '2026-11-14' },
      { from: '2026-11-01', to: '2026-11-06' },
    ]);
    const days = ['2026-11-01', '2026-11-02', '2026-11-05', '2026-11-06', '2026-11-07'];
    expect(toWindows(days, 2)).toEqual([
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
      ...covered({ from: '2026-10-05', to: '2026-10-08' }, 'scheduled'),
      ...covered({ from: '2026-10-08', to: '2026-10-11' }, 'b1'),
    ];
    expect(planBackfill({ window, runs: ['b1', 'b2'], maxWindowDays: 30, coverage })).toEqual([
      { from: '2026-10-01', to: '2026-10-08' },
    ]);
  });
});
