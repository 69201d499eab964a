/** What is asked for exists in TikTok's published specification. Skipped, visibly, where that is not at hand. */
import { existsSync, readFileSync } from 'node:fs';

import { expect, test } from 'vitest';
import { z } from 'zod';

import { PAGE_SIZE } from './client.ts';
import { classifyReply } from './errors.ts';
import { reportParameters } from './streams/report.ts';

const spec = new URL('../../../../shared/vendor-data/tiktok/', import.meta.url);
const withSpec = test.skipIf(!existsSync(spec));
const read = (file: string): string => readFileSync(new URL(file, spec), 'utf8');

const parameters = {
  ...reportParameters(
    { id: '7', conversionMetric: 'complete_payment', valueMetric: 'total_complete_payment_rate' },
    { from: '2026-11-01', to: '2026-11-02' },
  ),
  page: 1,
  page_size: PAGE_SIZE,
};

withSpec('every parameter exists, and every value of an enumeration', () => {
  const yaml = read('report_integrated_get.yml');
  const names = [...yaml.matchAll(/^ {8}name: (\S+)$/gm)].map(([, name]) => name);
  expect(names).toContain('filtering');
  expect(Object.keys(parameters).filter((name) => !names.includes(name))).toEqual([]);
  for (const value of ['AUCTION', 'BASIC', 'AUCTION_AD', 'IN'])
    expect(yaml).toMatch(new RegExp(`key: ${value}$`, 'm'));
  expect(yaml).toContain(`maximum: ${PAGE_SIZE}`);
});

withSpec('the dimensions are those of the documented ad-level example', () => {
  const example = z
    .object({ data: z.object({ list: z.array(z.object({ dimensions: z.record(z.string(), z.string()) })) }) })
    .parse(JSON.parse(read('doc-examples/report_integrated_get.ad_id_v2.json')));
  expect(parameters.dimensions).toEqual(Object.keys(example.data.list[0]?.dimensions ?? {}));
});

withSpec('every return code is classified as the table says', () => {
  const codes = z.array(z.number());
  const table = z
    .object({
      ...{
        partial: codes,
        rate_limit: codes,
        rate_limit_field: codes,
        split_request: codes,
        transient: codes,
      },
      ...{ auth: codes, permission: codes, config_fatal: codes, sandbox_only: codes },
    })
    .parse(JSON.parse(read('derived/return-code-classes.json')));
  // A deleted advertiser is one that may not be read, whatever else the table files under configuration.
  const gone = new Set([40300, 40301]);
  const expected: readonly (readonly [readonly number[], string])[] = [
    [table.partial, 'truncated'],
    [[...table.rate_limit, ...table.rate_limit_field], 'rate_limit'],
    [table.split_request, 'truncated'],
    [table.transient, 'upstream'],
    [table.auth, 'auth'],
    [[...table.permission, ...gone], 'permission'],
    [[...table.config_fatal, ...table.sandbox_only].filter((code) => !gone.has(code)), 'config'],
  ];
  for (const [list, type] of expected)
    for (const code of list) {
      const reply = { status: 200, headers: new Headers(), text: '', json: { code, message: '' }, url: '' };
      expect([code, classifyReply(reply, 0)?.type]).toEqual([code, type]);
    }
});
