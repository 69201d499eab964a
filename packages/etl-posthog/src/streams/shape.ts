/** Shapes that the records of both streams have, and how long days go on changing. */
import { z } from 'zod';

/** Phones that were offline, buffers and retries bring events late; older ones are a backfill's. */
export const RESTATEMENT_DAYS = 35;

/** An instant as the queries ask for it: UTC, with microseconds. */
export const instantText = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(\.\d{1,6})?$/, 'is not an instant');
/** The name of an event or a person. An index holds no longer ones. */
export const nameText = z.string().min(1, 'is empty').max(1_000, 'is longer than any name');
/** ClickHouse's truth values are 0 and 1. */
export const flag = z.union([z.boolean(), z.literal(0), z.literal(1)]).transform(Boolean);
/** A count, which JSON may carry as text. */
export const count = z
  .union([z.int(), z.string().regex(/^\d+$/, 'is not a count').transform(Number)])
  .pipe(z.int().min(1));
