/** Opens one ad account: its currency and time zone, as Meta describes them. */
import { z } from 'zod';

import type { Account, Io } from '@floyo/shared/connector';
import { PipelineError } from '@floyo/shared/errors';
import { dayOf, isTimezone } from '@floyo/shared/window';

import { createMetaClient, type MetaClient } from './client.ts';
import type { MetaConfig } from './config.ts';
import { createWindowReader, type WindowReader } from './read-window.ts';
import { TIMINGS, type Timings } from './timings.ts';
import { refuseExpiredVersion } from './versions.ts';

/** One ad account, opened. */
export interface MetaSession extends Account {
  readonly currency: string;
  readonly conversionAction: string;
  readonly reader: WindowReader;
}

const ACCOUNT_FIELDS = ['account_id', 'name', 'currency', 'timezone_name', 'account_status'];
const accountSchema = z.object({
  account_id: z.string(),
  name: z.string().optional(),
  currency: z.string().regex(/^[A-Z]{3}$/),
  // The zone's name, not timezone_offset_hours_utc: that one moves with daylight saving time.
  timezone_name: z.string().refine(isTimezone, 'is no time zone that is known here'),
  account_status: z.number().optional().catch(undefined),
});
export type AccountDescription = z.infer<typeof accountSchema>;

/** Asks Meta for the account's currency and time zone. Throws `contract` when they can't be told. */
export async function openAccount(
  config: MetaConfig,
  accountId: string,
  io: Io,
  timings: Timings = TIMINGS,
): Promise<MetaSession> {
  refuseExpiredVersion(config.apiVersion, dayOf(io.now(), 'UTC'));
  const client = createMetaClient(config, accountId, timings);
  const { name, currency, timezone_name: timezone } = await describeAccount(client, io);
  return {
    id: accountId,
    timezone,
    currency,
    ...(name === undefined ? {} : { name }),
    conversionAction: config.conversionAction,
    reader: createWindowReader(client),
  };
}

/** The account's node. Throws `contract` when it is not what the documentation says. */
export async function describeAccount(client: MetaClient, io: Io): Promise<AccountDescription> {
  const { accountId } = client;
  const reply = await client.get(io, `act_${accountId}`, { fields: ACCOUNT_FIELDS.join(',') });
  const account = accountSchema.safeParse(reply.json);
  if (account.success && account.data.account_id === accountId) return account.data;
  throw new PipelineError({
    type: 'contract',
    message: `Meta does not describe ad account ${accountId} as expected: ${account.error ? z.prettifyError(account.error) : `it answers for ${account.data.account_id}`}`,
    advice: 'The API may have changed: compare the answer with the documentation of the ad account.',
    context: { account: accountId },
  });
}
