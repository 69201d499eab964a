/** What is asked for exists in Meta's published specification. Skipped, visibly, where that is not at hand. */
import { existsSync, readFileSync } from 'node:fs';

import { expect, test } from 'vitest';
import { z } from 'zod';

import { EFFECTIVE_STATUSES, FIELDS, insightsParameters } from './streams/insights.ts';

const spec = new URL('../../../../shared/vendor-data/meta/', import.meta.url);
const withSpec = test.skipIf(!existsSync(spec));

function read<T>(file: string, schema: z.ZodType<T>): T {
  return schema.parse(JSON.parse(readFileSync(new URL(file, spec), 'utf8')));
}

withSpec('every field exists in AdsInsights', () => {
  const { fields } = read('AdsInsights.json', z.object({ fields: z.array(z.object({ name: z.string() })) }));
  const names = new Set(fields.map(({ name }) => name));
  expect([...FIELDS, 'date_start', 'date_stop'].filter((field) => !names.has(field))).toEqual([]);
});

withSpec('every parameter exists, and the level is a known one', () => {
  const api = z.object({
    method: z.string(),
    endpoint: z.string().optional(),
    params: z.array(z.object({ name: z.string() })),
  });
  const { apis } = read('derived/AdAccount.insights-subset.json', z.object({ apis: z.array(z.unknown()) }));
  const insights = apis
    .map((entry) => api.safeParse(entry).data)
    .find((entry) => entry?.endpoint === 'insights' && entry.method === 'GET');
  const names = insights?.params.map(({ name }) => name) ?? [];
  expect(
    Object.keys(insightsParameters({ from: '2026-11-01', to: '2026-11-02' })).filter(
      (name) => !names.includes(name),
    ),
  ).toEqual([]);
});

withSpec('every status of an ad is asked for', () => {
  const enums = read(
    'derived/enum_types.insights-subset.json',
    z.array(z.object({ name: z.string(), values: z.array(z.string()) })),
  );
  const known = enums.find(({ name }) => name === 'Ad_effective_status')?.values ?? [];
  expect([...EFFECTIVE_STATUSES].sort()).toEqual([...known].sort());
});

withSpec('every code of the error table is classified as it says', async () => {
  const { classifyReply } = await import('./errors.ts');
  const { table } = read('derived/error-classes.json', z.object({ table: z.record(z.string(), z.string()) }));
  const kinds: Readonly<Record<string, string>> = {
    ...{ rate_limit: 'rate_limit', transient: 'upstream', split: 'truncated', auth: 'auth' },
    ...{ permission: 'permission', config: 'config', policy: 'permission' },
  };
  // Only right after a report was started does 100/33 pass by itself, and this connector starts none.
  const expected = Object.entries({
    ...table,
    '100/33': 'permission',
    '2637': 'transient',
    '200-299': 'permission',
  });
  for (const [key, words] of expected) {
    const [code = '', subcode] = key.replace('*/', '100/').replace('200-299', '250').split('/');
    const error = {
      code: Number(code),
      ...(subcode === undefined ? {} : { error_subcode: Number(subcode) }),
      message: 'x',
    };
    const reply = { status: 400, headers: new Headers(), text: '', json: { error }, url: '' };
    expect([key, classifyReply(reply, '1')?.type]).toEqual([key, kinds[/^\w+/.exec(words)?.[0] ?? '']]);
  }
});
