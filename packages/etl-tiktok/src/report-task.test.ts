/** Report tasks through all that may become of them. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { createHttpClient } from '@floyo/shared/http';
import { containing, matching } from '@floyo/shared/testing/matchers';
import { collect } from '@floyo/shared/testing/vendor';

import { fetchTaskFile, taskBody } from './report-task.ts';
import { reportParameters } from './streams/report.ts';
import { readTaskFile } from './task-file.ts';
import { type Bench, startBench, testIo } from './testing/bench.ts';

const WINDOW = { from: '2026-11-10', to: '2026-11-21' };

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.sandbox.close());
afterEach(() => {
  bench.sandbox.faults.clear();
  bench.sandbox.log.clear();
});

/** What the task's file holds, read without pauses between checks. */
async function readTask(plan: object = {}, times = 1): Promise<unknown[]> {
  const session = await bench.open();
  bench.sandbox.faults.add({ vendor: 'tiktok', kind: 'report_task', times, value: plan });
  const file = await fetchTaskFile(session.client, testIo(), reportParameters(session, WINDOW), {
    firstPauseMs: 0,
    checks: 6,
  });
  return collect(readTaskFile(file));
}

const answer = (path: string, code: number, times = 1) =>
  bench.sandbox.faults.add({ vendor: 'tiktok', kind: 'error', path, times, value: { code } });

test('keys are asked for as titles: their translations change', () => {
  expect(taskBody({ advertiser_id: '7' })).toEqual({
    advertiser_id: '7',
    output_format: 'CSV_STRING',
    enable_report_title_translation: false,
  });
});

describe('the file', () => {
  test.each([
    ['after it was waited for', { pending: 3 }],
    ['with titles in words', { translated: true }],
    ['behind a link', { link: true }],
    ['behind a link that has expired', { link: true, expiredLinks: 1 }],
  ])('%s holds the same records', async (_name, plan) => {
    const plain = await readTask();
    expect(plain.length).toBeGreaterThan(100);
    expect(await readTask(plan)).toEqual(plain);
  });

  test('is asked for until it is ready', async () => {
    await readTask({ pending: 3 });
    expect(bench.count('/report/task/check/')).toBe(4);
  });

  test.each(['/task/check/', '/task/download/'])('40201 from %s is no failure', async (path) => {
    // More often than a failure would be tried again.
    answer(path, 40201, 5);
    expect((await readTask()).length).toBeGreaterThan(100);
    expect(bench.count('/report/task/check/')).toBe(6);
    expect(bench.count('/report/task/create/')).toBe(1);
  });

  test('whose links always expire fails', async () => {
    await expect(readTask({ link: true, expiredLinks: 9 })).rejects.toMatchObject({
      type: 'upstream',
      retryable: true,
    });
    expect(bench.count('/report/task/download/')).toBe(3);
  });

  test('that breaks off is no success', async () => {
    await expect(readTask({ cut: true })).rejects.toMatchObject({
      type: 'truncated',
      message: containing('breaks off'),
      context: { task_id: matching(/^\d+$/), logid: matching(/^\d+A1$/) },
    });
  });
});

describe('a task that fails', () => {
  test('is created once more, no faster than the limit of tasks allows', async () => {
    bench.sandbox.faults.add({
      ...{ vendor: 'tiktok', kind: 'call_limit', path: '/task/create/' },
      ...{ times: -1, value: { perSecond: 1 } },
    });
    expect((await readTask({ status: 'FAILED' })).length).toBeGreaterThan(100);
    expect(bench.count('/report/task/create/')).toBe(2);
  });

  test('is created once more after 40200', async () => {
    answer('/task/check/', 40200);
    expect((await readTask()).length).toBeGreaterThan(100);
    expect(bench.count('/report/task/create/')).toBe(2);
  });

  test('twice fails with what TikTok says', async () => {
    await expect(readTask({ status: 'FAILED', message: 'Out of memory.' }, -1)).rejects.toMatchObject({
      type: 'upstream',
      retryable: false,
      message: 'TikTok failed to make a report: Out of memory.',
      context: { task_id: matching(/^\d+$/), request_id: matching(/^\d+$/), logid: matching(/A1$/) },
    });
    expect(bench.count('/report/task/create/')).toBe(2);
  });

  test('because somebody cancelled it is not created again in this run', async () => {
    await expect(readTask({ status: 'CANCELED' })).rejects.toMatchObject({
      type: 'upstream',
      message: containing('was cancelled'),
    });
    expect(bench.count('/report/task/create/')).toBe(1);
  });
});

describe('a task that is given up is cancelled', () => {
  test('when it does not end', async () => {
    await expect(readTask({ pending: 999 })).rejects.toMatchObject({
      type: 'upstream',
      retryable: true,
      message: containing('did not finish'),
    });
    expect(bench.count('/report/task/cancel/')).toBe(1);
  });

  test('when the run is stopped', async () => {
    const session = await bench.open();
    bench.sandbox.faults.add({ vendor: 'tiktok', kind: 'report_task', value: { pending: 999 } });
    const controller = new AbortController();
    const { now } = testIo();
    const http = createHttpClient({
      signal: controller.signal,
      now: () => now().epochMilliseconds,
      retryBaseMs: 1,
      waitBudgetMs: 0,
    });
    const io = { http, signal: controller.signal, now };
    const reading = fetchTaskFile(session.client, io, reportParameters(session, WINDOW), {
      firstPauseMs: 60_000,
      checks: 9,
    });
    const stop = setInterval(() => {
      if (bench.count('/report/task/check/') > 0) controller.abort(new Error('stopped'));
    }, 5);
    await expect(reading).rejects.toThrow();
    clearInterval(stop);
    expect(bench.count('/report/task/cancel/')).toBe(1);
  });

  test('but not one that is over', async () => {
    await readTask();
    await expect(readTask({ status: 'FAILED' }, -1)).rejects.toThrow();
    expect(bench.count('/report/task/cancel/')).toBe(0);
  });
});
