/** What a run knows of the Stripe account while it reads: the client, and whether the lists of the present state are in. */
import type { Account, Io } from '@floyo/shared/connector';

import { createStripeClient, type StripeClient, type StripeKey, type Timing } from './client.ts';

/** The platform's own account; connected accounts are told apart by their events. */
export const PLATFORM = 'default';

export interface StripeSession extends Account {
  readonly client: StripeClient;
  readonly state: StateGate;
}

/** The present state is read by the first window of a run; the others wait for it. */
export interface StateGate {
  /** Whether the caller is the one who reads it. */
  claim(): boolean;
  /** Told by the reader when it is in, or how it failed: the next one may try. */
  settle(failure?: unknown): void;
  /** Resolves when it is in. */
  done(): Promise<void>;
  /** Whether this run has read it. */
  readonly isRead: boolean;
}

/** Makes a session; no call is needed, and a restricted key may not be allowed to ask about the account. */
export function openStripe(
  config: StripeKey,
  accountId: string,
  io: Pick<Io, 'reporting'>,
  timing: Timing = {},
): Promise<StripeSession> {
  return Promise.resolve({
    id: accountId,
    timezone: io.reporting.timezone,
    currency: null,
    client: createStripeClient(config, timing),
    state: createStateGate(),
  });
}

function createStateGate(): StateGate {
  let reading: PromiseWithResolvers<undefined> | undefined;
  let isRead = false;
  return {
    claim() {
      if (reading !== undefined) return false;
      reading = Promise.withResolvers<undefined>();
      reading.promise.catch(() => undefined);
      return true;
    },
    settle(failure) {
      if (failure === undefined) {
        isRead = true;
        reading?.resolve(undefined);
      } else {
        const failed = reading;
        reading = undefined;
        failed?.reject(failure);
      }
    },
    async done() {
      await reading?.promise;
    },
    get isRead() {
      return isRead;
    },
  };
}
