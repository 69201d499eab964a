/**
 * Asynchronous reports: `POST act_<id>/insights`, `GET <report>`, `GET <report>/insights`, with the races that Meta's
 * have. A report advances with every look at it: running at the first, completed at the second.
 */
import type { Context } from 'hono';

import type { FaultKind, VendorContext } from '../core.ts';
import type { AdsWorld } from '../world/world.ts';
import { errorOf } from './error-bodies.ts';
import { badParameter, type MetaError, MetaFailure } from './errors.ts';
import { answerPage, checkInsights, type InsightsRequest, selectAdDays } from './insights.ts';
import { reportId, targetOf } from './request.ts';
import { buildInsights } from './rows.ts';
import { sizeFailure } from './size.ts';

interface Report {
  id: string;
  request: InsightsRequest;
  looks: number;
  createdAt: number;
  end: 'completed' | 'skipped' | 'stuck' | 'expired' | MetaError;
}

const statusFields =
  `id account_id time_ref time_completed async_status async_percent_completion date_start date_stop
  error_code error_subcode error_message error_user_title error_user_msg is_running`.split(/\s+/);
const defaultFields = [
  ...['id', 'account_id', 'time_ref', 'time_completed'],
  ...['async_status', 'async_percent_completion'],
];

/** The three handlers around one store of reports. */
export function createReports(
  context: VendorContext,
  world: AdsWorld,
): {
  submit: (c: Context) => Promise<Response>;
  describe: (c: Context) => Response;
  results: (c: Context) => Response | Promise<Response>;
} {
  const reports = new Map<string, Report>();
  const strikes = (kind: FaultKind, c: Context): boolean =>
    context.faults.take('meta', kind, targetOf(c)) !== undefined;

  /** The report that the path names, unless it is not to be seen (yet, or any more). */
  function find(c: Context): Report {
    const report = reports.get(c.req.param('report') ?? '');
    if (report !== undefined && strikes('report_expired', c)) report.end = 'expired';
    if (report === undefined || report.end === 'expired' || strikes('report_not_found', c))
      throw new MetaFailure(errorOf({ vendor: 'meta', kind: 'error', value: { code: 100, subcode: 33 } }));
    return report;
  }

  /** How the report will end is decided when it is made. */
  function endOf(c: Context, request: InsightsRequest): Report['end'] {
    const rows = selectAdDays(c, context, world, request);
    const tooLarge = sizeFailure(context, targetOf(c), { query: request.query, rows, isReport: true });
    if (tooLarge !== undefined) return tooLarge;
    if (strikes('report_skipped', c)) return 'skipped';
    if (strikes('report_stuck', c)) return 'stuck';
    const failed = context.faults.take('meta', 'report_failed', targetOf(c));
    if (failed === undefined) return 'completed';
    return errorOf({ ...failed, value: failed.value ?? { code: 2, subcode: 1504044 } });
  }

  return {
    async submit(c) {
      const form = await c.req.parseBody();
      const texts = Object.entries(form).flatMap(([key, value]) =>
        typeof value === 'string' ? [[key, value] as const] : [],
      );
      const request = checkInsights(c, context, world, { ...c.req.query(), ...Object.fromEntries(texts) });
      const id = reportId(request.account.id, reports.size + 1);
      const createdAt = Math.floor(context.clock.now().epochMilliseconds / 1000);
      reports.set(id, { id, request, looks: 0, createdAt, end: endOf(c, request) });
      // A bare number, as documented.
      return c.body(`{"report_run_id":${id}}`, 200, { 'content-type': 'application/json' });
    },

    describe(c) {
      const report = find(c);
      report.looks += 1;
      const state = stateOf(report);
      if (strikes('report_running_100', c))
        Object.assign(state, { async_status: 'Job Running', async_percent_completion: 100 });
      if (strikes('report_completed_early', c)) {
        report.looks = 0;
        Object.assign(state, { async_status: 'Job Completed', async_percent_completion: 80 });
      }
      const asked = c.req.query('fields')?.split(',') ?? defaultFields;
      const unknown = asked.find((field) => !statusFields.includes(field));
      if (unknown !== undefined)
        throw badParameter(`Tried accessing nonexisting field (${unknown}) on node type (AdReportRun)`);
      return c.json(
        Object.fromEntries(
          [...asked, 'id'].flatMap((field) => (field in state ? [[field, state[field]]] : [])),
        ),
      );
    },

    results(c) {
      const report = find(c);
      if (strikes('report_not_ready', c))
        throw new MetaFailure(
          errorOf({ vendor: 'meta', kind: 'error', value: { code: 2637, subcode: 1815107 } }),
        );
      if (strikes('report_summary_bug', c))
        throw badParameter(
          "Cannot include spend, campaign_name in summary param because they weren't there while creating the report run. All available values are: ",
        );
      const { account, query } = report.request;
      const limit = Number(c.req.query('limit') ?? 25);
      const request = { account, query: { ...query, limit, after: c.req.query('after') } };
      const rows = buildInsights(query, account, selectAdDays(c, context, world, request));
      // Whoever reads before the end gets what is there, and no word that it is not all.
      if (report.looks < 2)
        return c.json({
          data: rows.slice(0, Math.floor(rows.length / 2)),
          paging: { cursors: { before: 'MAZDZD', after: 'MQZDZD' } },
        });
      return answerPage(c, context, request, rows);
    },
  };
}

function stateOf({ id, request, looks, createdAt, end }: Report): Record<string, unknown> {
  const about = { id, account_id: request.account.id, time_ref: createdAt };
  if (looks < 2 || end === 'stuck')
    return { ...about, async_status: 'Job Running', async_percent_completion: 40, is_running: true };
  if (end === 'skipped') return { ...about, async_status: 'Job Skipped', async_percent_completion: 0 };
  if (typeof end === 'object')
    return {
      ...about,
      async_status: 'Job Failed',
      async_percent_completion: 0,
      error_code: end.code,
      ...(end.subcode === undefined ? {} : { error_subcode: end.subcode }),
      error_message: end.message,
      ...(end.userTitle === undefined ? {} : { error_user_title: end.userTitle }),
      ...(end.userMessage === undefined ? {} : { error_user_msg: end.userMessage }),
    };
  return {
    ...about,
    time_completed: createdAt + 60,
    async_status: 'Job Completed',
    async_percent_completion: 100,
  };
}
