/** The TikTok source: daily reports of every ad of the configured advertisers. */
import { z } from 'zod';

import { defineConnector, type Io } from '@floyo/shared/connector';
import { PipelineError } from '@floyo/shared/errors';
import { isTimezone } from '@floyo/shared/window';

import { createTikTokClient } from './client.ts';
import { type TikTokConfig, tiktokConfig } from './config.ts';
import { report, type TikTokSession } from './streams/report.ts';

export const tiktok = defineConnector({
  source: 'tiktok',
  agent: 'etl-tiktok',
  config: tiktokConfig,
  accounts: (config) => config.advertiserIds,
  open,
  streams: [report],
});

const ADVERTISER_FIELDS = ['advertiser_id', 'name', 'currency', 'timezone', 'display_timezone'];
const zone = z.string().refine(isTimezone, 'is no time zone that is known here');
const advertiserSchema = z.object({
  advertiser_id: z.string(),
  name: z.string().nullish(),
  currency: z.string().regex(/^[A-Z]{3}$/),
  timezone: zone,
  display_timezone: zone.nullish().or(z.literal('')),
});

/** Asks TikTok for the advertiser's currency and time zones. Throws `contract` or `permission` when they can't be told. */
async function open(config: TikTokConfig, advertiserId: string, io: Io): Promise<TikTokSession> {
  const client = createTikTokClient(config, () => io.now().epochMilliseconds);
  const list = await client.getList(io.http, 'advertiser/info', {
    advertiser_ids: [advertiserId],
    fields: ADVERTISER_FIELDS,
  });
  if (list.length === 0)
    throw new PipelineError({
      type: 'permission',
      message: `TikTok does not show advertiser ${advertiserId} to this token`,
      advice: 'Have the advertiser grant the app access, or take it out of TIKTOK_ADVERTISER_IDS.',
      context: { account: advertiserId },
    });
  const advertiser = advertiserSchema.safeParse(list[0]);
  if (!advertiser.success || advertiser.data.advertiser_id !== advertiserId)
    throw new PipelineError({
      type: 'contract',
      message: `TikTok does not describe advertiser ${advertiserId} as expected: ${advertiser.error ? z.prettifyError(advertiser.error) : `it answers for ${advertiser.data.advertiser_id}`}`,
      advice: 'The API may have changed: compare the answer with the documentation of advertiser/info.',
      context: { account: advertiserId },
    });
  const { name, currency, timezone: offsetTimezone, display_timezone: displayTimezone } = advertiser.data;
  return {
    id: advertiserId,
    timezone: displayTimezone || offsetTimezone,
    offsetTimezone,
    currency,
    ...(name ? { name } : {}),
    conversionMetric: config.conversionMetric,
    valueMetric: config.valueMetric,
    client,
  };
}
