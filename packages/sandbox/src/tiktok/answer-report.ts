/** One page of a synchronous report, and the faults of paging: small pages, and rows that move between pages. */
import type { Context } from 'hono';
import { z } from 'zod';

import type { VendorContext } from '../core.ts';
import { spoilRecords } from '../world/faults.ts';
import type { AdsWorld } from '../world/world.ts';
import { answer, refuseTooLarge } from './errors.ts';
import { findReport } from './find-report.ts';
import { readReportQuery, type ReportQuery } from './query.ts';
import type { ReportRow } from './report.ts';

const throttleHeader = 'X-Tt-Ads-Throttle';
const throttleNotice =
  "Number of ad ids is equal or more than 20k, only return the top 20k id's results, sorting by create time desc order.";

export function answerReport(c: Context, context: VendorContext, world: AdsWorld): Response {
  const query = readReportQuery(c.req.query());
  const path = c.req.path;
  const target = { account: query.advertiserIds[0], path };
  refuseTooLarge(context, target, query.to - query.from + 1);

  const { rows, isTruncated } = findReport(context, world, query, path);
  if (isTruncated) c.header(throttleHeader, throttleNotice);
  const small = context.faults.take('tiktok', 'small_pages', target);
  const size = Math.min(
    query.pageSize,
    z.object({ size: z.number() }).safeParse(small?.value).data?.size ?? query.pageSize,
  );
  const shown = query.page === 1 ? rows : drift(context, target, rows);
  const list = shown.slice((query.page - 1) * size, query.page * size);
  const spoilt = context.faults.take('tiktok', 'invalid_record', target);
  if (spoilt !== undefined)
    spoilRecords(
      spoilt,
      list.map((row) => [row.metrics, row.dimensions]),
    );
  return answer(c, context, 0, 'OK', {
    list,
    page_info: {
      page: query.page,
      page_size: size,
      total_number: shown.length,
      total_page: Math.ceil(shown.length / size),
    },
    ...(query.hasTotals ? { total_metrics: totals(query, rows) } : {}),
  });
}

/**
 * A page after the first is cut from rows that moved meanwhile: by a row that came in front (`grown`: the total tells),
 * or by one that went to the end of the list (`shifted`: the total stays, a row is missed).
 */
function drift(
  context: VendorContext,
  target: { account: string | undefined; path: string },
  rows: ReportRow[],
): ReportRow[] {
  const fault = context.faults.take('tiktok', 'page_drift', target);
  const [first] = rows;
  if (fault === undefined || first === undefined) return rows;
  const mode = z.object({ mode: z.enum(['grown', 'shifted']) }).safeParse(fault.value).data?.mode ?? 'grown';
  return mode === 'grown' ? [first, ...rows] : [...rows.slice(1), first];
}

function totals(query: ReportQuery, rows: ReportRow[]): Record<string, string> {
  return Object.fromEntries(
    query.metrics.map((name) => {
      const values = rows.map((row) => Number(row.metrics[name]));
      const isNumber = values.every((value) => !Number.isNaN(value)) && !name.endsWith('_id');
      const sum = values.reduce((total, value) => total + Math.round(value * 100), 0) / 100;
      return [name, isNumber ? String(sum) : '-'];
    }),
  );
}
