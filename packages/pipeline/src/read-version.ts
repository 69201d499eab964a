/** What an event of the ledger says of its subscription: metrics know the tables, the webhook's mapping the payloads. */
import { mapEvent } from '@floyo/billing-webhook/mapping/map-event';
import { MappingError } from '@floyo/billing-webhook/mapping/read';
import type { ReadVersion } from '@floyo/metrics';

/** Null for what the mapping no longer takes for a subscription's version. */
export const readVersion: ReadVersion = (payload) => {
  try {
    const { object, rows } = mapEvent(payload);
    return object === null ? null : { object, rows };
  } catch (error) {
    if (error instanceof MappingError) return null;
    throw error;
  }
};
