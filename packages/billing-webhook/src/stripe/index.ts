/** The Stripe connector: the platform's account, read by events in scheduled runs and by lists in backfills. */
import { type Connector, defineConnector } from '@floyo/shared/connector';

import { stripeConfig } from '../config.ts';
import { createStripeClient, type Timing } from './client.ts';
import { examineStripe } from './examine.ts';
import { openStripe, PLATFORM, type StripeSession } from './session.ts';
import { backfill } from './streams/backfill.ts';
import { events } from './streams/events.ts';

type StripeConfig = NonNullable<ReturnType<typeof stripeConfig.read>['config']>;

/** The connector; `timing` tells how fast it calls, and how long it waits when that was too fast. */
export function createStripe(timing: Timing = {}): Connector<StripeConfig, StripeSession> {
  return defineConnector({
    source: 'stripe',
    agent: 'billing',
    config: stripeConfig,
    accounts: () => [PLATFORM],
    open: (config, accountId, io) => openStripe(config, accountId, io, timing),
    examine: (config, _accountId, io) => examineStripe(createStripeClient(config, timing), io),
    streams: [events, backfill],
  });
}

export const stripe = createStripe();
