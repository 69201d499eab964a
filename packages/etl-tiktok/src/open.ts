/** One advertiser as TikTok describes it: its currency, its time zones, whether it is enabled. */
import { z } from 'zod';

import type { Io } from '@floyo/shared/connector';
import { PipelineError } from '@floyo/shared/errors';
import { isTimezone } from '@floyo/shared/window';

import { createTikTokClient } from './client.ts';
import type { TikTokConfig } from './config.ts';
import type { TikTokSession } from './streams/report.ts';

const FIELDS = ['advertiser_id', 'name', 'currency', 'timezone', 'display_timezone', 'status'];
const zone = z.string().refine(isTimezone, 'is no time zone that is known here');
const advertiserSchema = z.object({
  advertiser_id: z.string(),
  name: z.string().nullish(),
  currency: z.string().regex(/^[A-Z]{3}$/),
  timezone: zone,
  display_timezone: zone.nullish().or(z.literal('')),
  status: z.string().nullish(),
});

/** Asks TikTok for the advertiser. Throws `contract` or `permission` when currency and zone can't be told. */
export async function openAdvertiser(
  config: TikTokConfig,
  advertiserId: string,
  io: Io,
): Promise<TikTokSession> {
  const client = createTikTokClient(config);
  const { list, context: ids } = await client.getList(io, 'advertiser/info', {
    advertiser_ids: [advertiserId],
    fields: FIELDS,
  });
  const context = { account: advertiserId, ...ids };
  if (list.length === 0)
    throw new PipelineError({
      type: 'permission',
      message: `TikTok does not show advertiser ${advertiserId} to this token`,
      advice: 'Have the advertiser grant the app access, or take it out of TIKTOK_ADVERTISER_IDS.',
      context,
    });
  const advertiser = advertiserSchema.safeParse(list[0]);
  if (!advertiser.success || advertiser.data.advertiser_id !== advertiserId)
    throw new PipelineError({
      type: 'contract',
      message: `TikTok does not describe advertiser ${advertiserId} as expected: ${advertiser.error ? z.prettifyError(advertiser.error) : `it answers for ${advertiser.data.advertiser_id}`}`,
      advice: 'The API may have changed: compare the answer with the documentation of advertiser/info.',
      context,
    });
  const {
    name,
    currency,
    status,
    timezone: offsetTimezone,
    display_timezone: displayTimezone,
  } = advertiser.data;
  return {
    id: advertiserId,
    timezone: displayTimezone || offsetTimezone,
    offsetTimezone,
    currency,
    status: status ?? undefined,
    ...(name ? { name } : {}),
    conversionMetric: config.conversionMetric,
    valueMetric: config.valueMetric,
    client,
  };
}
