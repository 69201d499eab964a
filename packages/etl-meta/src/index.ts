/** The Meta source: daily insights of every ad of the configured ad accounts. */
import { z } from 'zod';

import { defineConnector, type Io } from '@floyo/shared/connector';
import { PipelineError } from '@floyo/shared/errors';
import { dayOf, isTimezone } from '@floyo/shared/window';

import { createMetaClient } from './client.ts';
import { type MetaConfig, metaConfig } from './config.ts';
import { insights, type MetaSession } from './streams/insights.ts';
import { refuseExpiredVersion } from './versions.ts';

export const meta = defineConnector({
  source: 'meta',
  agent: 'etl-meta',
  config: metaConfig,
  accounts: (config) => config.accountIds,
  open,
  streams: [insights],
});

const ACCOUNT_FIELDS = ['account_id', 'name', 'currency', 'timezone_name'];
const accountSchema = z.object({
  account_id: z.string(),
  name: z.string().optional(),
  currency: z.string().regex(/^[A-Z]{3}$/),
  // The zone's name, not timezone_offset_hours_utc: that one moves with daylight saving time.
  timezone_name: z.string().refine(isTimezone, 'is no time zone that is known here'),
});

/** Asks Meta for the account's currency and time zone. Throws `contract` when they can't be told. */
async function open(config: MetaConfig, accountId: string, io: Io): Promise<MetaSession> {
  refuseExpiredVersion(config.apiVersion, dayOf(io.now(), 'UTC'));
  const client = createMetaClient(config);
  const account = accountSchema.safeParse(await client.getNode(io.http, `act_${accountId}`, ACCOUNT_FIELDS));
  if (!account.success || account.data.account_id !== accountId)
    throw new PipelineError({
      type: 'contract',
      message: `Meta does not describe ad account ${accountId} as expected: ${account.error ? z.prettifyError(account.error) : `it answers for ${account.data.account_id}`}`,
      advice: 'The API may have changed: compare the answer with the documentation of the ad account.',
      context: { account: accountId },
    });
  const { name, currency, timezone_name: timezone } = account.data;
  return {
    id: accountId,
    timezone,
    currency,
    ...(name === undefined ? {} : { name }),
    conversionAction: config.conversionAction,
    client,
  };
}
