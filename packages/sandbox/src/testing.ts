/** For this package's tests: reading the servers' answers with plain fetch, typed. */
import { z } from 'zod';

import type { Sandbox } from './index.ts';

/** Late on a Saturday in Berlin, the Sunday has begun in Tokyo, in Los Angeles it is early afternoon. */
export const testNow = '2026-11-21T21:00:00Z';

const metaErrorSchema = z.object({
  code: z.number(),
  error_subcode: z.number().optional(),
  is_transient: z.boolean().optional(),
  message: z.string(),
  fbtrace_id: z.string(),
});
const metaActionSchema = z.object({ action_type: z.string(), value: z.string() });
const metaRowSchema = z.looseObject({
  account_id: z.string(),
  ad_id: z.string().optional(),
  date_start: z.string(),
  date_stop: z.string(),
  spend: z.string().optional(),
  actions: z.array(metaActionSchema).optional(),
  action_values: z.array(metaActionSchema).optional(),
});
const metaBodySchema = z.looseObject({
  data: z.array(metaRowSchema).optional(),
  paging: z.object({ cursors: z.object({ after: z.string() }), next: z.string().optional() }).optional(),
  error: metaErrorSchema.optional(),
});
export type MetaRow = z.infer<typeof metaRowSchema>;

export interface MetaAnswer {
  status: number;
  headers: Headers;
  body: z.infer<typeof metaBodySchema>;
}

/** One request to Meta with the token in the header; `path` is what follows the version's slash. */
export async function askMeta(
  sandbox: Sandbox,
  path: string,
  parameters: Record<string, string> = {},
  version = 'v26.0',
): Promise<MetaAnswer> {
  const url = `${sandbox.url}/meta/${version}/${path}?${new URLSearchParams(parameters).toString()}`;
  const response = await fetch(url, { headers: { authorization: 'Bearer sandbox-meta-token' } });
  return {
    status: response.status,
    headers: response.headers,
    body: metaBodySchema.parse(await response.json()),
  };
}

/** Every page of an insights query, and how many of them were empty. */
export async function readInsights(
  sandbox: Sandbox,
  account: string,
  parameters: Record<string, string>,
): Promise<{ rows: MetaRow[]; pages: number[] }> {
  const rows: MetaRow[] = [];
  const pages: number[] = [];
  for (let after: string | undefined, isLast = false; !isLast;) {
    const cursor = after === undefined ? {} : { after };
    const { body } = await askMeta(sandbox, `act_${account}/insights`, { ...parameters, ...cursor });
    if (body.data === undefined) throw new Error(JSON.stringify(body.error));
    rows.push(...body.data);
    pages.push(body.data.length);
    after = body.paging?.cursors.after;
    isLast = body.paging?.next === undefined;
  }
  return { rows, pages };
}

const tiktokBodySchema = z.object({
  code: z.number(),
  message: z.string(),
  request_id: z.string(),
  data: z.object({
    list: z
      .array(
        z.looseObject({
          dimensions: z.record(z.string(), z.string()),
          metrics: z.record(z.string(), z.string()),
        }),
      )
      .optional(),
    page_info: z
      .object({ page: z.number(), page_size: z.number(), total_number: z.number(), total_page: z.number() })
      .optional(),
  }),
});

export interface TikTokAnswer {
  status: number;
  headers: Headers;
  body: z.infer<typeof tiktokBodySchema>;
}

export const statusAll = JSON.stringify([
  { field_name: 'ad_status', filter_type: 'IN', filter_value: '["STATUS_ALL"]' },
]);

/** One report request; whatever isn't given asks for ads by day with spend, 1000 rows, every status. */
export async function askTikTok(sandbox: Sandbox, parameters: Record<string, string>): Promise<TikTokAnswer> {
  const query = new URLSearchParams({
    report_type: 'BASIC',
    data_level: 'AUCTION_AD',
    dimensions: '["ad_id","stat_time_day"]',
    metrics: '["spend"]',
    page_size: '1000',
    filtering: statusAll,
    ...parameters,
  });
  const url = `${sandbox.url}/tiktok/open_api/v1.3/report/integrated/get/?${query.toString()}`;
  const response = await fetch(url, { headers: { 'access-token': 'sandbox-tiktok-token' } });
  return {
    status: response.status,
    headers: response.headers,
    body: tiktokBodySchema.parse(await response.json()),
  };
}

/** Sums money texts in hundredths. */
export function sumCents(texts: readonly (string | undefined)[]): number {
  return texts.reduce((total, text) => total + Math.round(Number(text ?? '0') * 100), 0);
}
