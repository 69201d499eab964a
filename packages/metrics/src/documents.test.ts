/** Documents agree with the registry, and what it takes to add a metric: one entry, and at most one column. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { repositoryRoot } from '@floyo/shared/paths';

import { definitionsTable, metricsPage, withTable } from './documents.ts';
import { METRICS } from './registry.ts';
import type { Metric } from './registry/define.ts';
import { metricDocuments } from './testing/generate.ts';
import { createWorld, META, SHOP, TIKTOK, type World } from './testing/world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());

test('the README’s table and docs/metrics.md are those of the registry (when this fails: pnpm generate)', async () => {
  for (const [path, text] of Object.entries(metricDocuments()))
    expect(await readFile(join(repositoryRoot, path), 'utf8'), path).toBe(text);
});

test('a stale table is made anew, and nothing else of the README is touched', () => {
  const readme = `# Title\n\n<!-- metrics -->\n\nold\n\n<!-- /metrics -->\n\nThe end.\n`;
  expect(withTable(readme)).toBe(readme.replace('old', definitionsTable()));
  expect(() => withTable('# Title')).toThrow('lacks');
});

test('adding a metric is one entry: definition, value, wide view, documents and history follow', async () => {
  const entry: Metric = {
    kind: 'ratio',
    unit: 'currency',
    additivity: 'ratio',
    maturityDays: 0,
    version: 1,
    dimensions: ['source'],
    label: 'Cost per conversion',
    description: 'Ad spend per conversion that the platform claims.',
    direction: 'down',
    formula: { numerator: ['ad_spend'], denominator: ['conversions'] },
  };
  await world.cover([META, TIKTOK, SHOP], '2026-03-01', '2026-03-10');
  await world.spend({ spend: '30', conversions: '4' });
  await world.spend({ spend: '10', conversions: '1', date: '2026-03-02' });
  await world.run();
  // Nothing is marked: a metric without rows is due by itself.
  const metrics = { ...METRICS, cost_per_conversion: entry };
  expect(await world.run({ metrics })).toMatchObject({ days: 10, inserted: 30, updated: 0 });
  expect(await world.metric('cost_per_conversion[source=meta]')).toMatchObject({
    value: '7.5000000000000000',
    numerator: '30',
    denominator: '4',
    status: 'provisional',
  });
  const read = async (text: string) => (await world.query(text)).rows;
  expect(
    await read(`select label, sources, clock from metric_definitions where name = 'cost_per_conversion'`),
  ).toEqual([{ label: 'Cost per conversion', sources: ['meta', 'tiktok'], clock: 'ad_account' }]);
  expect(
    await read(`select cost_per_conversion::float as cost from daily_metrics_wide where date = '2026-03-01'`),
  ).toEqual([{ cost: 7.5 }]);
  expect(
    await read(
      `select value::float from metric_range('cost_per_conversion', '2026-03-01', '2026-03-07', 'month') where dimensions = '{}'`,
    ),
  ).toEqual([{ value: 8 }]);
  expect(definitionsTable(metrics)).toContain('| `cost_per_conversion`');
  expect(metricsPage(metrics)).toContain('- `ad_spend / conversions`');
  // Taken out again, its rows go with it.
  expect(await world.run()).toMatchObject({ deleted: 30 });
});
