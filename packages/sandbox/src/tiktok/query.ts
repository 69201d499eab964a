/** The parameters of a report, checked as the vendor page describes: in a query arrays come as JSON texts, in a task's body as they are. */
import { z } from 'zod';

import { parseDay } from '../world/days.ts';
import { badParameter, TikTokFailure } from './errors.ts';
import { metricLevel } from './metrics.ts';

const dataLevels = ['AUCTION_AD', 'AUCTION_ADGROUP', 'AUCTION_CAMPAIGN', 'AUCTION_ADVERTISER'] as const;
export type DataLevel = (typeof dataLevels)[number];

export interface ReportFilter {
  field: string;
  type: string;
  values: readonly string[];
}

export interface ReportQuery {
  advertiserIds: readonly string[];
  /** Asked for with `advertiser_ids`: metrics then come without a decimal point. */
  isMulti: boolean;
  isReservation: boolean;
  level: DataLevel;
  idDimension: string | undefined;
  hasDay: boolean;
  metrics: readonly string[];
  from: number;
  to: number;
  filters: readonly ReportFilter[];
  orderField: string | undefined;
  isAscending: boolean;
  hasTotals: boolean;
  page: number;
  pageSize: number;
  /** Of an asynchronous task: all rows at once, for any range of days. */
  isTask: boolean;
}

const idDimensions: Record<DataLevel, readonly string[]> = {
  AUCTION_AD: ['ad_id', 'ad_id_v2'],
  AUCTION_ADGROUP: ['adgroup_id'],
  AUCTION_CAMPAIGN: ['campaign_id'],
  AUCTION_ADVERTISER: ['advertiser_id'],
};
const statusFilter: Record<DataLevel, string | undefined> = {
  AUCTION_AD: 'ad_status',
  AUCTION_ADGROUP: 'adgroup_status',
  AUCTION_CAMPAIGN: 'campaign_status',
  AUCTION_ADVERTISER: undefined,
};
const idFilters = ['ad_ids', 'adgroup_ids', 'campaign_ids'];
const maxFilterIds = 100;
const defaultPageSize = 10;
const maxPageSize = 1000;
const maxDailyDays = 30;
const maxDays = 365;

/** Reads a task's body. Page and page size are no parameters of a task. */
export function readTaskQuery(body: Record<string, unknown>): ReportQuery {
  const query: Record<string, string> = {};
  for (const [name, value] of Object.entries(body))
    query[name] = typeof value === 'string' ? value : JSON.stringify(value);
  for (const name of ['dimensions', 'metrics', 'filtering'])
    if (name in body && !Array.isArray(body[name])) throw badParameter(`${name}: must be an array.`);
  return readReportQuery(query, true);
}

/** Reads the query string; throws a TikTokFailure with the code that TikTok answers. */
export function readReportQuery(query: Record<string, string>, isTask = false): ReportQuery {
  const { advertiserIds, isMulti } = readAdvertisers(query);
  if (query['report_type'] !== 'BASIC') throw badParameter('report_type: the sandbox serves BASIC only.');
  const level = dataLevels.find((known) => known === query['data_level']);
  if (level === undefined) throw badParameter(`data_level: must be one of ${dataLevels.join(', ')}.`);
  const { idDimension, hasDay } = readDimensions(query['dimensions'], level);
  const metrics =
    query['metrics'] === undefined ? ['spend', 'impressions'] : readTexts(query['metrics'], 'metrics');
  checkMetrics(metrics, level, isMulti);
  const { from, to } = readDates(query, isTask ? Infinity : hasDay ? maxDailyDays : maxDays);
  const orderField = query['order_field'];
  if (orderField !== undefined && !metrics.includes(orderField)) {
    throw badParameter('order_field: must be one of the requested metrics.');
  }
  return {
    advertiserIds,
    isMulti,
    isReservation: query['service_type'] === 'RESERVATION',
    level,
    idDimension,
    hasDay,
    metrics,
    from,
    to,
    filters: readFilters(query['filtering'], level),
    orderField,
    isAscending: query['order_type'] === 'ASC',
    hasTotals: query['enable_total_metrics'] === 'true',
    page: readNumber(query['page'], 'page', 1, Number.MAX_SAFE_INTEGER),
    pageSize: readNumber(query['page_size'], 'page_size', defaultPageSize, maxPageSize),
    isTask,
  };
}

/** A JSON array of texts; anything else (a comma list, too) is a parameter error. */
export function readTexts(text: string | undefined, name: string): string[] {
  if (text === undefined) throw badParameter(`Missing required field(s): ${name}.`);
  const list = z.array(z.string()).safeParse(parseJson(text, name));
  if (!list.success) throw badParameter(`${name}: must be a JSON array of strings.`);
  return list.data;
}

function readAdvertisers(query: Record<string, string>): { advertiserIds: string[]; isMulti: boolean } {
  const many = query['advertiser_ids'];
  if (many !== undefined) {
    const advertiserIds = readTexts(many, 'advertiser_ids');
    if (advertiserIds.length > 5) throw badParameter('advertiser_ids: at most 5.');
    return { advertiserIds, isMulti: true };
  }
  const one = query['advertiser_id'];
  if (one === undefined) throw badParameter('Missing required field(s): advertiser_id.');
  return { advertiserIds: [one], isMulti: false };
}

function readDimensions(
  text: string | undefined,
  level: DataLevel,
): { idDimension: string | undefined; hasDay: boolean } {
  const dimensions = readTexts(text, 'dimensions');
  const ids = dimensions.filter((name) => name !== 'stat_time_day');
  const wrong = ids.find((name) => !idDimensions[level].includes(name));
  if (wrong !== undefined || ids.length > 1) {
    throw badParameter(`dimensions: ${ids.join(', ')} can't be used with ${level}.`);
  }
  if (dimensions.length === 0) throw badParameter('dimensions: must not be empty.');
  return { idDimension: ids[0], hasDay: dimensions.includes('stat_time_day') };
}

function checkMetrics(metrics: readonly string[], level: DataLevel, isMulti: boolean): void {
  const unknown = metrics.find((name) => metricLevel(name) === undefined);
  if (unknown !== undefined) throw badParameter(`metrics: invalid metric ${unknown}.`);
  const finest = dataLevels.indexOf(level);
  // An attribute below the level has nothing to name; the currency comes with several advertisers only.
  const isConflict = metrics.some((name) => {
    const needs = metricLevel(name);
    return (needs !== undefined && needs < finest) || (name === 'currency' && !isMulti);
  });
  if (isConflict) {
    throw badParameter(
      'Conflict occurs. The input params including metrics and dimensions have no relation.',
    );
  }
}

function readDates(query: Record<string, string>, limit: number): { from: number; to: number } {
  const from = parseDay(query['start_date'] ?? '');
  const to = parseDay(query['end_date'] ?? '');
  if (from === undefined || to === undefined) throw badParameter('start_date, end_date: must be YYYY-MM-DD.');
  if (from > to) throw badParameter('start_date must not be later than end_date.');
  if (to - from + 1 > limit)
    throw badParameter(`The time span between start_date and end_date exceeds ${limit} days.`);
  return { from, to };
}

const filterSchema = z.array(
  z.object({
    field_name: z.string(),
    filter_type: z.enum(['IN', 'GREATER_THAN', 'LOWER_THAN']),
    filter_value: z.string(),
  }),
);

function readFilters(text: string | undefined, level: DataLevel): ReportFilter[] {
  if (text === undefined) return [];
  const parsed = filterSchema.safeParse(parseJson(text, 'filtering'));
  if (!parsed.success) {
    throw badParameter(
      'filtering: must be a list of {field_name, filter_type, filter_value}, filter_value a JSON string.',
    );
  }
  return parsed.data.map(({ field_name: field, filter_type: type, filter_value: value }) => {
    const isKnown = field === statusFilter[level] || idFilters.includes(field);
    if (!isKnown || type !== 'IN')
      throw badParameter(`filtering: ${field} ${type} is not valid for ${level}.`);
    const values = readTexts(value, 'filter_value');
    if (values.length > maxFilterIds)
      throw new TikTokFailure(40011, `filtering: at most ${maxFilterIds} ids.`);
    return { field, type, values };
  });
}

function readNumber(text: string | undefined, name: string, otherwise: number, max: number): number {
  const value = text === undefined ? otherwise : Number(text);
  if (!Number.isInteger(value) || value < 1 || value > max) {
    throw badParameter(`${name}: must be an integer between 1 and ${max}.`);
  }
  return value;
}

function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badParameter(`${name}: must be JSON.`);
  }
}
