/** What the streams hand to the runner: an event or an object, as Stripe told it. */
import { z } from 'zod';

const objectSchema = z.looseObject({ id: z.string().min(1), object: z.string().min(1) });

export const stripeRecordSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('event'), event: objectSchema }),
  z.object({ kind: z.literal('object'), object: objectSchema, fetchedAt: z.iso.datetime() }),
]);
export type StripeRecord = z.infer<typeof stripeRecordSchema>;
