/** The store over HTTP, where nothing else reaches the database: Supabase's API, as the service role. */
import { createClient } from '@supabase/supabase-js';

import { type EventStore, StoreError, toApplied } from './store.ts';

export interface SupabaseAccess {
  readonly url: string;
  readonly serviceRoleKey: string;
}

export function createSupabaseStore({ url, serviceRoleKey }: SupabaseAccess): EventStore {
  const client = createClient(url, serviceRoleKey, {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
  });
  return {
    async apply(change) {
      // As a text, not as an object: the payload's numbers stay as they were sent. The function takes both.
      const { error, status, ...reply } = await client.rpc('stripe_apply', { change });
      if (error !== null) throw new StoreError(error.message, codeOf(error.code, status), error);
      return toApplied(reply.data);
    },
    async check() {
      // Once: whoever asks for health asks again, and does not wait for the client's seven seconds of retries.
      const { error, status } = await client
        .from('billing_events')
        .select('external_id')
        .limit(1)
        .retry(false);
      if (error !== null) throw new StoreError(error.message, codeOf(error.code, status), error);
    },
  };
}

/** PostgREST hands the SQLSTATE on; what never got there has none, and a gateway's answer is of the connection's kind. */
function codeOf(code: string, status: number): string | undefined {
  if (code !== '') return code;
  return status >= 500 || status === 0 ? undefined : '08000';
}
