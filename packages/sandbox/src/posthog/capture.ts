/** What posthog-node and posthog-js send: batches of events, gzipped or not, kept for whoever asks what came. */
import { gunzipSync, strFromU8 } from 'fflate';
import type { Context } from 'hono';
import { z } from 'zod';

const eventSchema = z.looseObject({
  event: z.string().min(1),
  distinct_id: z.string().min(1),
  uuid: z.string().exactOptional(),
  timestamp: z.string().exactOptional(),
  properties: z.record(z.string(), z.unknown()).default({}),
});
export type CapturedEvent = z.infer<typeof eventSchema>;
const batchSchema = z.object({
  api_key: z.string().min(1),
  batch: z.array(eventSchema),
  sent_at: z.string().optional(),
});

/** What was sent to the capture host. */
export interface Captured {
  /** Events in the order in which they came; of very many the newest. */
  readonly events: readonly CapturedEvent[];
  /** All that came, also those that are no longer kept. */
  readonly count: number;
  readonly batches: number;
  /** The project keys that were used. */
  readonly apiKeys: readonly string[];
  clear(): void;
}

export interface CaptureDesk extends Captured {
  /** Answers `POST /batch/` as PostHog does: 200 when the batch was taken, 400 when it can't be read. */
  take(c: Context): Promise<Response>;
}

/** Events kept; a test reads far fewer. */
const KEPT = 20_000;

export function createCaptureDesk(): CaptureDesk {
  const events: CapturedEvent[] = [];
  const keys = new Set<string>();
  let count = 0;
  let batches = 0;
  return {
    events,
    get count() {
      return count;
    },
    get batches() {
      return batches;
    },
    get apiKeys() {
      return [...keys];
    },
    clear() {
      events.length = 0;
      keys.clear();
      count = 0;
      batches = 0;
    },
    async take(c) {
      const batch = batchSchema.safeParse(readBody(new Uint8Array(await c.req.arrayBuffer())));
      if (!batch.success)
        return c.json(
          { type: 'validation_error', code: 'invalid_payload', detail: 'Malformed request data' },
          400,
        );
      keys.add(batch.data.api_key);
      batches += 1;
      count += batch.data.batch.length;
      events.push(...batch.data.batch);
      if (events.length > KEPT) events.splice(0, events.length - KEPT);
      return c.json({ status: 'Ok' });
    },
  };
}

/** Gzip is known by its first bytes: clients say it in a header or in the query. Undefined when it is no JSON. */
function readBody(bytes: Uint8Array): unknown {
  try {
    const plain = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
    return JSON.parse(strFromU8(plain));
  } catch {
    return undefined;
  }
}
