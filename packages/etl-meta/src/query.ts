/** What is asked of insights: the fields, the statuses of everything that may have spent, and the parameters of one query. */
import { addDays, type DayWindow } from '@floyo/shared/window';

import type { Parameters } from './client.ts';

/** The objects of an account, each within the one before. */
export const LEVELS = ['campaign', 'adset', 'ad'] as const;
export type Level = (typeof LEVELS)[number];

/** In every row, whatever else is asked for: what it is about. */
export const IDENTITY_FIELDS = ['account_id', 'ad_id', 'impressions'] as const;

/** The fields asked for. No action_breakdowns and no attribution windows: both change which conversions come. */
export const FIELDS = [
  ...IDENTITY_FIELDS,
  ...['account_currency', 'campaign_id', 'campaign_name', 'adset_id', 'adset_name', 'ad_name'],
  ...['spend', 'clicks', 'inline_link_clicks', 'reach', 'objective', 'attribution_setting'],
  ...['actions', 'action_values'],
] as const;

/**
 * Every status that an object can have. Without this filter act_X/insights?level=ad leaves deleted ads out, with their
 * spend; with any other filter alone Meta leaves out all that is not active.
 */
export const EFFECTIVE_STATUSES: Readonly<Record<Level, readonly string[]>> = {
  campaign: ['ACTIVE', 'PAUSED', 'DELETED', 'ARCHIVED', 'IN_PROCESS', 'WITH_ISSUES'],
  adset: ['ACTIVE', 'PAUSED', 'DELETED', 'ARCHIVED', 'CAMPAIGN_PAUSED', 'IN_PROCESS', 'WITH_ISSUES'],
  ad: [
    ...['ACTIVE', 'PAUSED', 'DELETED', 'ARCHIVED', 'CAMPAIGN_PAUSED', 'ADSET_PAUSED', 'DISAPPROVED'],
    ...['PENDING_REVIEW', 'PREAPPROVED', 'PENDING_BILLING_INFO', 'IN_PROCESS', 'WITH_ISSUES'],
  ],
};

/** Some objects of an account, by their ids. */
export interface Within {
  readonly level: Level;
  readonly ids: readonly string[];
}

/** The daily rows of every object at a level, of all statuses. Meta's `until` is included. */
export function insightsParameters(
  window: DayWindow,
  {
    level = 'ad',
    fields = FIELDS,
    within,
  }: {
    readonly level?: Level;
    readonly fields?: readonly string[];
    readonly within?: Within | undefined;
  } = {},
): Parameters {
  const statuses = {
    field: `${level}.effective_status`,
    operator: 'IN',
    value: EFFECTIVE_STATUSES[level],
  };
  const filtering = within
    ? [{ field: `${within.level}.id`, operator: 'IN', value: within.ids }, statuses]
    : [statuses];
  return {
    level,
    ...daily(window),
    fields: fields.join(','),
    filtering: JSON.stringify(filtering),
  };
}

/** The account's own figures by day: what its ads have to add up to. Without a filter, deleted ads are in them. */
export function totalsParameters(window: DayWindow, fields: readonly string[]): Parameters {
  return { level: 'account', ...daily(window), fields: fields.join(',') };
}

function daily({ from, to }: DayWindow): Parameters {
  return {
    time_increment: '1',
    time_range: JSON.stringify({ since: from, until: addDays(to, -1) }),
  };
}
