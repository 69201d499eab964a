import { expect, test } from 'vitest';

import { containing } from '@floyo/shared/testing/matchers';
import { collect } from '@floyo/shared/testing/vendor';

import { readTaskFile } from './task-file.ts';

const asked = { dimensions: ['ad_id_v2', 'stat_time_day'], metrics: ['ad_name', 'spend', 'reach'] };
const read = (text: string) => collect(readTaskFile({ ...asked, text, context: { task_id: '1' } }));
const record = (ad_name: string, spend: string, reach: string) => ({
  dimensions: { ad_id_v2: '18', stat_time_day: '2026-11-20' },
  metrics: { ad_name, spend, reach },
});

test('quotes, commas and line ends in names, a byte order mark, columns in any order', async () => {
  const text =
    '\uFEFFspend,"ad_name",reach,stat_time_day,ad_id_v2\r\n1.5,"A ""b"", c\nd",7,2026-11-20,18\r\n';
  expect(await read(text)).toEqual([record('A "b", c\nd', '1.5', '7')]);
});

test("an empty cell is TikTok's dash, an empty name stays empty", async () => {
  expect(await read('ad_id_v2,stat_time_day,ad_name,spend,reach\n18,2026-11-20,,1,\n')).toEqual([
    record('', '1', '-'),
  ]);
});

test('titles in words are understood', async () => {
  expect(await read('Ad ID,By Day,Ad Name,Cost,Reach\n18,2026-11-20,A,1,2\n')).toEqual([
    record('A', '1', '2'),
  ]);
});

test('a report without rows is a result', async () => {
  expect(await read('ad_id_v2,stat_time_day,ad_name,spend,reach\n')).toEqual([]);
});

test.each([
  ['Ad ID,By Day,Ad Name,Amount,Reach\n', 'lacks spend'],
  ['ad_id_v2,stat_time_day,ad_name,Cost,cost,reach\n', 'lacks spend'],
  ['', 'lacks ad_id_v2, stat_time_day, ad_name, spend, reach'],
])('columns that can not be told are refused: %j', async (text, words) => {
  await expect(read(text)).rejects.toMatchObject({
    type: 'contract',
    message: containing(words),
    context: { task_id: '1' },
  });
});

test('a file of more than one page comes in pages', async () => {
  const text = `ad_id_v2,stat_time_day,ad_name,spend,reach\n${'18,2026-11-20,A,1,2\n'.repeat(2500)}`;
  const sizes: number[] = [];
  for await (const page of readTaskFile({ ...asked, text, context: {} })) sizes.push(page.length);
  expect(sizes).toEqual([1000, 1000, 500]);
});
