/** What is asked for exists in Meta's published specification. Skipped, visibly, where that is not at hand. */
import { existsSync, readFileSync } from 'node:fs';

import { expect, test } from 'vitest';
import { z } from 'zod';

import { classifyReply } from './errors.ts';
import { EFFECTIVE_STATUSES, FIELDS, insightsParameters, LEVELS, totalsParameters } from './query.ts';
import { REPORT_FIELDS } from './report.ts';
import { KNOWN_FIELDS } from './streams/shape.ts';
import { MEASURES } from './streams/totals.ts';
import { readUsage, throttleWaitMs } from './usage.ts';

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

withSpec('every parameter exists, for a call and for a report, and the levels are known ones', () => {
  const api = z.object({
    method: z.string(),
    endpoint: z.string().optional(),
    params: z.array(z.object({ name: z.string() })),
  });
  const { apis } = read('derived/AdAccount.insights-subset.json', z.object({ apis: z.array(z.unknown()) }));
  const window = { from: '2026-11-01', to: '2026-11-02' };
  const ours = [insightsParameters(window), totalsParameters(window, MEASURES)].flatMap(Object.keys);
  for (const method of ['GET', 'POST']) {
    const insights = apis
      .map((entry) => api.safeParse(entry).data)
      .find((entry) => entry?.endpoint === 'insights' && entry.method === method);
    const names = insights?.params.map(({ name }) => name) ?? [];
    expect(ours.filter((name) => !names.includes(name))).toEqual([]);
  }
  expect(valuesOf('adaccountinsights_level_enum_param')).toEqual(
    expect.arrayContaining(['account', ...LEVELS]),
  );
});

const enumSchema = z.array(z.object({ name: z.string(), values: z.array(z.string()) }));
function valuesOf(name: string): string[] {
  return (
    read('derived/enum_types.insights-subset.json', enumSchema).find((entry) => entry.name === name)
      ?.values ?? []
  );
}

withSpec('every status of a campaign, an ad set and an ad is asked for', () => {
  const names = { campaign: 'Campaign', adset: 'AdSet', ad: 'Ad' };
  for (const level of LEVELS)
    expect([...EFFECTIVE_STATUSES[level]].sort(), level).toEqual(
      valuesOf(`${names[level]}_effective_status`).sort(),
    );
});

withSpec('every field of a report exists in AdReportRun', () => {
  const { fields } = read('AdReportRun.json', z.object({ fields: z.array(z.object({ name: z.string() })) }));
  const names = fields.map(({ name }) => name);
  expect(REPORT_FIELDS.filter((field) => !names.includes(field))).toEqual([]);
});

withSpec('the fields of an entry of actions exist in AdsActionStats', () => {
  const { fields } = read(
    'AdsActionStats.json',
    z.object({ fields: z.array(z.object({ name: z.string() })) }),
  );
  const inner = KNOWN_FIELDS.flatMap((field) => /^actions\.(.+)$/.exec(field)?.[1] ?? []);
  expect(inner).toEqual(['action_type', 'value']);
  expect(fields.map(({ name }) => name)).toEqual(expect.arrayContaining(inner));
});

withSpec('the documented headers are read', () => {
  const example = read('doc-examples/headers.json', z.record(z.string(), z.unknown()));
  const headers = new Headers(
    Object.entries(example)
      .filter(([name]) => name.startsWith('x-'))
      .map(([name, value]) => [name, JSON.stringify(value)]),
  );
  const usage = readUsage(headers, '66782684');
  expect(Object.fromEntries(usage.account)).toEqual({
    'x-fb-ads-insights-throttle': 10,
    'x-business-use-case-usage': 95,
    'x-ad-account-usage': 9.67,
  });
  expect(Object.fromEntries(usage.app)).toEqual({ 'x-fb-ads-insights-throttle': 100, 'x-app-usage': 28 });
  expect(usage.tier).toBe('standard_access');
  expect(throttleWaitMs(headers, '66782684')).toBeUndefined();
});

withSpec('the documented error bodies are understood', () => {
  const examples = read(
    'doc-examples/errors.json',
    z.array(z.object({ http: z.number(), body: z.unknown() })),
  );
  const types = examples.map(
    ({ http, body }) =>
      classifyReply({ status: http, headers: new Headers(), text: '', json: body, url: '' }, '1')?.type,
  );
  expect(types).toEqual(['rate_limit', 'rate_limit', 'truncated', 'auth', 'upstream']);
});

withSpec('every code of the error table is classified as it says', () => {
  const { table } = read('derived/error-classes.json', z.object({ table: z.record(z.string(), z.string()) }));
  const kinds: Readonly<Record<string, string>> = {
    ...{ rate_limit: 'rate_limit', transient: 'upstream', split: 'truncated', auth: 'auth' },
    ...{ permission: 'permission', config: 'config', policy: 'permission' },
  };
  // Only right after a report was started does 100/33 pass by itself: that is for the report's reader to know.
  const expected = Object.entries({
    ...table,
    '100/33': 'permission',
    '2637': 'transient',
    '200-299': 'permission',
  });
  expect(expected.length).toBeGreaterThan(30);
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
