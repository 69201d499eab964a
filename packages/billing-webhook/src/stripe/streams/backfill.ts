/** The stream of a backfill: the lists of Stripe, as of now for what has no day, and by day for what has one. */
import { defineStream, type Stream } from '@floyo/shared/connector';

import type { StripeRecord } from '../record.ts';
import type { StripeSession } from '../session.ts';
import { tendBilling } from '../tend.ts';
import { common } from './define.ts';

export const backfill: Stream<StripeSession, StripeRecord> = defineStream<StripeSession, StripeRecord>({
  ...common,
  name: 'backfill',
  only: 'backfill',
  tend: tendBilling,
});
