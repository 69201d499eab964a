/** What is asked for exists in TikTok's published specification. Skipped, visibly, where that is not at hand. */
import { existsSync, readFileSync } from 'node:fs';

import { expect, test } from 'vitest';
import { z } from 'zod';

import { collect } from '@floyo/shared/testing/vendor';

import { PAGE_SIZE } from './client.ts';
import { classifyReply } from './errors.ts';
import { taskBody } from './report-task.ts';
import { report, reportParameters } from './streams/report.ts';
import { totalParameters } from './streams/totals.ts';
import { readTaskFile } from './task-file.ts';

const spec = new URL('../../../../shared/vendor-data/tiktok/', import.meta.url);
const withSpec = test.skipIf(!existsSync(spec));
const read = (file: string): string => readFileSync(new URL(file, spec), 'utf8');

const session = { id: '7', conversionMetric: 'complete_payment', valueMetric: 'total_complete_payment_rate' };
const window = { from: '2026-11-01', to: '2026-11-02' };
const pageSchema = z.object({
  data: z.object({
    list: z.array(
      z.object({ dimensions: z.record(z.string(), z.string()), metrics: z.record(z.string(), z.string()) }),
    ),
  }),
});
const parameters = {
  ...reportParameters(session, window),
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
  const example = pageSchema.parse(JSON.parse(read('doc-examples/report_integrated_get.ad_id_v2.json')));
  expect(parameters.dimensions).toEqual(Object.keys(example.data.list[0]?.dimensions ?? {}));
});

withSpec("every field of a task's body exists, and what it needs is there", () => {
  const yaml = read('report_task_create.yml');
  const [, properties = ''] = /^ {14}properties:\n([\s\S]*?)^ {14}required:/m.exec(yaml) ?? [];
  const names = [...properties.matchAll(/^ {16}(\w+):$/gm)].map(([, name]) => name);
  const body = taskBody(reportParameters(session, window));
  expect(names).toContain('enable_report_title_translation');
  expect(Object.keys(body).filter((name) => !names.includes(name))).toEqual([]);
  expect(yaml).toMatch(/required:\n +- report_type\n +- dimensions\n/);
  for (const value of ['AUCTION', 'BASIC', 'AUCTION_AD', 'IN', String(body['output_format'])])
    expect(yaml).toMatch(new RegExp(`key: ${value}$`, 'm'));
});

withSpec('tasks are checked and cancelled by the parameters that exist', () => {
  const names = [...read('report_task_check.yml').matchAll(/^ {8}name: (\S+)$/gm)].map(([, name]) => name);
  expect(names).toEqual(expect.arrayContaining(['advertiser_id', 'task_id']));
  expect(read('report_task_cancel.yml')).toMatch(/required:\n +- task_id\n +- advertiser_id\n/);
});

withSpec('totals ask by parameters and values that exist', () => {
  const yaml = read('report_integrated_get.yml');
  const names = [...yaml.matchAll(/^ {8}name: (\S+)$/gm)].map(([, name]) => name);
  expect(Object.keys(totalParameters('7', window)).filter((name) => !names.includes(name))).toEqual([]);
  expect(yaml).toMatch(/key: AUCTION_ADVERTISER$/m);
});

withSpec('a file with titles in words is understood as the documentation shows it', async () => {
  const names = ['campaign_id', 'campaign_name', 'adgroup_id', 'adgroup_name', 'age', 'gender'];
  const file = {
    text: read('doc-examples/task_download_csv_stream.csv'),
    dimensions: names,
    metrics: ['spend', 'impressions', 'clicks'],
    context: {},
  };
  expect((await collect(readTaskFile(file)))[0]).toMatchObject({
    dimensions: { campaign_id: '482', adgroup_id: '578' },
    metrics: { spend: '107.56', impressions: '29056', clicks: '280' },
  });
});

withSpec.each([
  ['ad_id_v2', 'UPGRADED_SMART_PLUS'],
  ['ad_id_creative', 'UPGRADED_SMART_PLUS_CREATIVE'],
])("the documentation's example by %s has the shape that is read", (kind, automation) => {
  const example = pageSchema.parse(JSON.parse(read(`doc-examples/report_integrated_get.${kind}.json`)));
  for (const { dimensions, metrics } of example.data.list) {
    const record = {
      dimensions: { ...dimensions, ad_id_v2: '1801000000000000303' },
      metrics: { clicks: '1', campaign_id: '1', adgroup_id: '2', ...metrics },
    };
    expect(report.schema.parse(record).metrics['campaign_automation_type']).toBe(automation);
  }
});

withSpec("the documentation's errors are understood", () => {
  const examples = z
    .array(z.object({ http: z.number(), body: z.looseObject({ code: z.number() }) }))
    .parse(JSON.parse(read('doc-examples/errors.json')));
  const expected: Readonly<Record<number, object>> = {
    40002: { type: 'config' },
    40104: { type: 'auth' },
    40100: { type: 'rate_limit', waitMs: undefined },
    40133: { type: 'rate_limit', waitMs: 1000 },
    40067: { type: 'truncated' },
  };
  for (const { http, body } of examples.filter(({ body: { code } }) => code !== 0)) {
    const reply = { status: http, headers: new Headers(), text: '', json: body, url: '' };
    expect(classifyReply(reply, 0)).toMatchObject(expected[body.code] ?? { unexpected: body.code });
  }
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
