/** The Meta source: daily insights of every ad of the configured ad accounts. */
import { defineConnector } from '@floyo/shared/connector';

import { openAccount } from './account.ts';
import { metaConfig } from './config.ts';
import { examine } from './examine.ts';
import { insights } from './streams/insights.ts';

export const meta = defineConnector({
  source: 'meta',
  agent: 'etl-meta',
  config: metaConfig,
  accounts: (config) => config.accountIds,
  open: (config, accountId, io) => openAccount(config, accountId, io),
  streams: [insights],
  examine: (config, accountId, io) => examine(config, accountId, io),
});
