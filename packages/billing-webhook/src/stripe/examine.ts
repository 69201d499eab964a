/**
 * What `doctor` says of Stripe: the key and its mode, what it may not read, and whether the webhook brings what billing
 * needs. A few small calls; what Stripe refuses becomes a finding with its reason.
 */
import type { Finding, Io } from '@floyo/shared/connector';
import { PipelineError } from '@floyo/shared/errors';
import { dayOf } from '@floyo/shared/window';

import { API_VERSION, REVIEW_API_VERSION_BY, type StripeClient } from './client.ts';
import { examineDelivery } from './examine-delivery.ts';
import { fine, refusal } from './findings.ts';

/** Every list that a run or a backfill reads. */
const RESOURCES = [
  'events',
  'customers',
  'subscriptions',
  'invoices',
  'invoice_payments',
  'charges',
  'refunds',
  'disputes',
  'prices',
  'products',
  'coupons',
  'balance_transactions',
] as const;

/** Checks the account without reading its data. */
export async function examineStripe(client: StripeClient, io: Io): Promise<readonly Finding[]> {
  const findings: Finding[] = [modeFinding(client), versionFinding(io)];
  const unreadable: Finding[] = [];
  for (const resource of RESOURCES) {
    try {
      await client.page(io, resource, { limit: 1 });
    } catch (error) {
      if (io.signal.aborted) throw error;
      if (error instanceof PipelineError && error.type === 'auth')
        return [versionFinding(io), refusal('key', error)];
      unreadable.push(refusal(`access to ${resource}`, error));
    }
  }
  if (unreadable.length > 0) findings.push(...unreadable);
  else findings.push(fine('access', `The key reads ${RESOURCES.join(', ')}`));
  return [...findings, ...(await examineDelivery(client, io))];
}

function modeFinding({ livemode }: StripeClient): Finding {
  return livemode
    ? fine('key', 'The key is of live mode')
    : {
        check: 'key',
        level: 'warning',
        message: 'The key is of test mode: what it reads is kept apart, and metrics count live rows alone',
        fix: 'Put the live key into STRIPE_SECRET_KEY when the numbers are to count.',
      };
}

function versionFinding(io: Pick<Io, 'now'>): Finding {
  return dayOf(io.now(), 'UTC') <= REVIEW_API_VERSION_BY
    ? fine('API version', `Calls are made in version ${API_VERSION}`)
    : {
        check: 'API version',
        level: 'warning',
        message: `Calls are made in version ${API_VERSION}, which nobody has reviewed since`,
        fix: 'Read https://docs.stripe.com/changelog, move API_VERSION and the types of `stripe` on, and with them the day of review.',
      };
}
