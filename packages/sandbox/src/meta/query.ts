/** The parameters of an insights request, checked as Meta checks them. */
import { Temporal } from 'temporal-polyfill';
import { z } from 'zod';

import type { AdStatus } from '../world/ads.ts';
import { dayNumber, dayText, parseDay } from '../world/days.ts';
import { badParameter, MetaFailure } from './errors.ts';
import { insightsFields } from './fields.ts';

const levels = ['account', 'campaign', 'adset', 'ad'] as const;
export type Level = (typeof levels)[number];

export interface InsightsFilter {
  field: string;
  operator: string;
  value: string | number | readonly (string | number)[];
}

export interface InsightsQuery {
  level: Level;
  fields: readonly string[];
  since: number;
  until: number;
  /** Days in a row; 'all' for the range as one row, 'monthly' for calendar months. */
  increment: number | 'all' | 'monthly';
  filtering: readonly InsightsFilter[];
  attributionWindows: readonly string[];
  /** Passing action breakdowns other than action_type loses the purchase actions. */
  isPurchaseLost: boolean;
  limit: number;
  after: string | undefined;
}

const knownParameters = new Set(
  `access_token appsecret_proof level fields time_range date_preset time_increment filtering limit after before
   action_attribution_windows action_breakdowns action_report_time use_unified_attribution_setting
   use_account_attribution_setting breakdowns sort default_summary summary pretty locale format`.split(/\s+/),
);
const defaultLimit = 25;
const oldestMonths = 37;
const attributionWindows = ['1d_click', '7d_click', '28d_click', '1d_view', '1d_ev', 'incrementality'];

/** Reads the query string; throws a MetaFailure with the code that Meta answers. */
export function readInsightsQuery(query: Record<string, string>, today: number): InsightsQuery {
  const unknown = Object.keys(query).find((name) => !knownParameters.has(name));
  if (unknown !== undefined) throw badParameter(`The sandbox does not serve the parameter ${unknown}`);
  if (query['breakdowns'] !== undefined) throw badParameter('The sandbox does not serve breakdowns');
  const level = levels.find((known) => known === (query['level'] ?? 'account'));
  if (level === undefined)
    throw badParameter(`level must be one of the following values: ${levels.join(', ')}`);
  const { since, until } = readRange(query, today);
  const limit = query['limit'] === undefined ? defaultLimit : Number(query['limit']);
  if (!Number.isInteger(limit) || limit < 1) throw badParameter('limit must be a positive integer');
  return {
    level,
    fields: readFields(query['fields'], level),
    since,
    until,
    increment: readIncrement(query['time_increment']),
    filtering: readFiltering(query['filtering']),
    attributionWindows: readAttributionWindows(query['action_attribution_windows']),
    isPurchaseLost: readList(query['action_breakdowns']).some((name) => name !== 'action_type'),
    limit,
    after: query['after'],
  };
}

/** What has to be equal for a cursor of one request to be good for the next. */
export function queryIdentity(query: InsightsQuery): string {
  const { level, since, until, increment, filtering } = query;
  return JSON.stringify([level, since, until, increment, filtering]);
}

function readRange(query: Record<string, string>, today: number): { since: number; until: number } {
  const text = query['time_range'];
  if (text === undefined) return presetRange(query['date_preset'] ?? 'last_30d', today);
  const range = z.object({ since: z.string(), until: z.string() }).safeParse(parseJson(text, 'time_range'));
  const since = range.success ? parseDay(range.data.since) : undefined;
  const until = range.success ? parseDay(range.data.until) : undefined;
  if (since === undefined || until === undefined) {
    throw badParameter('time_range must be {"since":"YYYY-MM-DD","until":"YYYY-MM-DD"}');
  }
  if (since > until) throw badParameter('time_range: since must not be after until');
  const oldest = Temporal.PlainDate.from(dayText(today)).subtract({ months: oldestMonths });
  if (since < dayNumber(oldest.toString())) {
    const message = `(#3018) The start date of the time range cannot be beyond ${oldestMonths} months from the current date`;
    throw new MetaFailure({ status: 400, code: 3018, message });
  }
  return { since, until };
}

function presetRange(preset: string, today: number): { since: number; until: number } {
  if (preset === 'today') return { since: today, until: today };
  if (preset === 'yesterday') return { since: today - 1, until: today - 1 };
  const days = /^last_(3|7|14|28|30|90)d$/.exec(preset)?.[1];
  if (days === undefined) throw badParameter(`The sandbox does not serve the date_preset ${preset}`);
  return { since: today - Number(days), until: today - 1 };
}

function readIncrement(text: string | undefined): InsightsQuery['increment'] {
  if (text === undefined || text === 'all_days') return 'all';
  if (text === 'monthly') return 'monthly';
  const days = Number(text);
  if (!Number.isInteger(days) || days < 1 || days > 90) {
    throw badParameter('time_increment must be an integer from 1 to 90, monthly or all_days');
  }
  return days;
}

function readFields(text: string | undefined, level: Level): string[] {
  if (text === undefined || text === '') {
    const ids = level === 'account' ? [] : [`${level}_id`];
    return ['account_id', ...ids, 'impressions', 'spend'];
  }
  const fields = readList(text);
  const unknown = fields.find((field) => !insightsFields.has(field));
  if (unknown !== undefined) {
    throw badParameter(
      `${unknown} is not valid for fields param. Please check the reference for all valid values`,
    );
  }
  return fields;
}

const filterSchema = z.array(
  z.object({
    field: z.string(),
    operator: z.enum(['IN', 'NOT_IN', 'EQUAL', 'NOT_EQUAL', 'CONTAIN', 'GREATER_THAN', 'LESS_THAN']),
    value: z.union([z.string(), z.number(), z.array(z.union([z.string(), z.number()]))]),
  }),
);
const filterFields = /^(ad|adset|campaign)\.(id|name|effective_status)$|^(spend|impressions|clicks)$/;

function readFiltering(text: string | undefined): InsightsFilter[] {
  if (text === undefined) return [];
  const parsed = filterSchema.safeParse(parseJson(text, 'filtering'));
  if (!parsed.success) throw badParameter('filtering must be a list of {field, operator, value}');
  const wrong = parsed.data.find((filter) => !filterFields.test(filter.field));
  if (wrong !== undefined) throw badParameter(`Filtering field ${wrong.field} is invalid`);
  return parsed.data;
}

function readAttributionWindows(text: string | undefined): string[] {
  const windows = readList(text);
  const wrong = windows.find((name) => !attributionWindows.includes(name));
  if (wrong !== undefined) {
    throw badParameter(
      `action_attribution_windows must be one of: ${attributionWindows.join(', ')}; ${wrong} is not`,
    );
  }
  return windows;
}

/** Meta takes a list as JSON and with commas. */
function readList(text: string | undefined): string[] {
  if (text === undefined || text === '') return [];
  if (!text.startsWith('[')) return text.split(',').map((part) => part.trim());
  const list = z.array(z.string()).safeParse(parseJson(text, 'list'));
  if (!list.success) throw badParameter('A list of texts was expected');
  return list.data;
}

function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badParameter(`Param ${name} must be valid JSON`);
  }
}

/** The statuses that an insights request sees when it filters by something else: the trap of the vendor page. */
export const defaultFilteredStatuses: readonly AdStatus[] = ['ACTIVE'];
