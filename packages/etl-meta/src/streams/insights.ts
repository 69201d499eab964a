/**
 * One row per ad and day of the ad account's calendar: what was spent and what came of it.
 * Owns the record's shape and its mapping to `spend`; what is asked for is in `query.ts`.
 * https://developers.facebook.com/docs/marketing-api/reference/ads-insights
 */
import { z } from 'zod';

import { defineStream, type LoadRows } from '@floyo/shared/connector';
import { PipelineError } from '@floyo/shared/errors';
import { countText, dayText, decimalText, idText } from '@floyo/shared/schemas';
import { dayOf, type DayWindow, isDay } from '@floyo/shared/window';

import type { MetaSession } from '../account.ts';
import { earliestDay, refuseTooOld } from '../history.ts';
import { CONSTANT_FIELDS, fieldsOf, KNOWN_FIELDS } from './shape.ts';
import { MEASURES, readTotals } from './totals.ts';

// Every number of Meta is a text. What is zero is left out.
const actionSchema = z.looseObject({ action_type: z.string(), value: decimalText });
type Action = z.infer<typeof actionSchema>;

export const insightSchema = z.object({
  account_id: idText,
  account_currency: z.string(),
  campaign_id: idText,
  campaign_name: z.string().optional(),
  adset_id: idText,
  adset_name: z.string().optional(),
  ad_id: idText,
  ad_name: z.string().optional(),
  date_start: dayText,
  date_stop: dayText,
  spend: decimalText.default('0'),
  impressions: countText.default('0'),
  clicks: countText.default('0'),
  inline_link_clicks: countText.default('0'),
  reach: countText.optional(),
  actions: z.array(actionSchema).default([]),
  action_values: z.array(actionSchema).default([]),
  objective: z.string().optional(),
  attribution_setting: z.string().optional(),
});
export type Insight = z.infer<typeof insightSchema>;

const identitySchema = insightSchema.pick({ ad_id: true, date_start: true });
const placeSchema = z
  .object({
    account_id: z.unknown(),
    account_currency: z.unknown(),
    date_start: z.unknown(),
    date_stop: z.unknown(),
  })
  .partial();

export const insights = defineStream<MetaSession, Insight>({
  name: 'insights',
  parent: {
    table: 'spend',
    key: ['external_id', 'date'],
    scope: (accountId) => ({ source: 'meta', account_id: accountId }),
  },
  children: [],
  calendar: 'account',
  firstRun: { daysBack: 28 },
  // "Insights […] do not change after 28 days": until then each day is read again in every run.
  restatementDays: 28,
  // The first run's 28 days and today are one request; what is too much for Meta is halved by the runner.
  maxWindowDays: 30,
  settings: ({ conversionAction }) => ({ META_CONVERSION_ACTION: conversionAction }),
  earliestDay,
  schema: insightSchema,
  identify(record) {
    const known = identitySchema.safeParse(record);
    return known.success
      ? { externalId: `meta:${known.data.ad_id}`, date: known.data.date_start }
      : undefined;
  },
  totals: { measures: MEASURES, read: readTotals },
  shape: { fieldsOf, known: KNOWN_FIELDS, always: CONSTANT_FIELDS },
  prepareBackfill(session, windows, io) {
    refuseTooOld(windows, dayOf(io.now(), session.timezone));
    return Promise.resolve(windows);
  },
  async *readDays(session, window, io) {
    refuseTooOld([window], dayOf(io.now(), session.timezone));
    for await (const page of session.reader.read(io, window)) {
      for (const record of page) refuseForeignRecord(record, session, window);
      yield page;
    }
  },
  toRows: toSpendRow,
});

/** A record of another account, currency or time says that the answer is not to what was asked: none of it is loaded. */
function refuseForeignRecord(record: unknown, session: MetaSession, { from, to }: DayWindow): void {
  const place = placeSchema.safeParse(record).data ?? {};
  const { account_id: account, account_currency: currency, date_start: start, date_stop: stop } = place;
  const wrong: string[] = [];
  if (typeof account === 'string' && account !== session.id) wrong.push(`account ${account}`);
  if (typeof currency === 'string' && currency !== session.currency)
    wrong.push(`currency ${currency} where the account has ${session.currency}`);
  if (typeof start === 'string' && isDay(start)) {
    if (start < from || start >= to) wrong.push(`day ${start}`);
    if (start !== stop) wrong.push(`several days in one row (${start} to ${String(stop)})`);
  }
  if (wrong.length === 0) return;
  throw new PipelineError({
    type: 'contract',
    message: `Meta answered with something that was not asked for: ${wrong.join(', ')}`,
    advice:
      "Nothing of this window was loaded. If the account's currency or time zone was changed, ask Meta which days moved and run a backfill.",
    context: { account: session.id, window: { from, to } },
  });
}

function toSpendRow(record: Insight, session: MetaSession): LoadRows {
  const { actions, action_values: actionValues, objective, attribution_setting: attributionSetting } = record;
  return {
    spend: [
      {
        external_id: `meta:${record.ad_id}`,
        date: record.date_start,
        source: 'meta',
        account_id: session.id,
        account_timezone: session.timezone,
        campaign_id: record.campaign_id,
        campaign_name: record.campaign_name ?? null,
        ad_group_id: record.adset_id,
        ad_group_name: record.adset_name ?? null,
        ad_id: record.ad_id,
        ad_name: record.ad_name ?? null,
        currency: session.currency,
        spend: record.spend,
        impressions: record.impressions,
        clicks: record.clicks,
        link_clicks: record.inline_link_clicks,
        reach: record.reach ?? null,
        conversions: valueOf(actions, session.conversionAction),
        conversion_value: valueOf(actionValues, session.conversionAction),
        raw: {
          actions: sortByType(actions),
          action_values: sortByType(actionValues),
          objective,
          attribution_setting: attributionSetting,
        },
      },
    ],
  };
}

/** Action types overlap and are never added up: the one configured type counts, '0' when Meta leaves it out. */
function valueOf(list: readonly Action[], type: string): string {
  const found = list.filter((action) => action.action_type === type);
  if (found.length > 1) throw new Error(`actions: ${type} is there ${found.length} times`);
  return found[0]?.value ?? '0';
}

/** In a fixed order: Meta promises none, and a list in another order would look like a change. */
function sortByType(list: readonly Action[]): Action[] {
  return list.toSorted((left, right) => (left.action_type < right.action_type ? -1 : 1));
}
