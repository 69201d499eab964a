/** The TikTok source: daily reports of every ad of the configured advertisers. */
import { defineConnector } from '@floyo/shared/connector';

import { tiktokConfig } from './config.ts';
import { examine } from './examine.ts';
import { openAdvertiser } from './open.ts';
import { report } from './streams/report.ts';

export const tiktok = defineConnector({
  source: 'tiktok',
  agent: 'etl-tiktok',
  config: tiktokConfig,
  accounts: (config) => config.advertiserIds,
  open: openAdvertiser,
  streams: [report],
  examine,
});
