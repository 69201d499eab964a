/** Shapes that several packages check texts with: in the environment, and in vendors' records. */
import { z } from 'zod';

import { splitList } from './config.ts';
import { isDay } from './window.ts';

/** Vendors write numbers as text, and now and then as numbers; a whole one that may have lost digits is refused. */
const asText = z.union([
  z.string(),
  z
    .number()
    .refine((value) => !Number.isInteger(value) || Number.isSafeInteger(value), 'has lost digits')
    .transform(String),
]);

/** A decimal number as text, not negative; it never becomes a float. */
export const decimalText = asText.pipe(z.string().regex(/^\d+(\.\d+)?$/, 'is not a decimal number'));
/** The most that a column of counts (bigint) holds. */
const MAX_COUNT = 2n ** 63n - 1n;
/** A whole number as text, not negative, and no larger than a column of counts holds. */
export const countText = asText.pipe(
  z
    .string()
    .regex(/^\d+$/, { error: 'is not a count', abort: true })
    .refine((text) => text.length < 19 || BigInt(text) <= MAX_COUNT, `is more than ${MAX_COUNT}`),
);
/** A numeric id as text. */
export const idText = asText.pipe(z.string().regex(/^\d+$/, 'is not an id'));
/** A day that exists, `YYYY-MM-DD`. */
export const dayText = z.string().refine(isDay, 'is not a day');

/** An http(s) address of the environment. */
export const httpUrl = z.url({ protocol: /^https?$/, error: 'must be a URL with http or https' });
/** An access token of the environment. */
export const tokenText = z
  .string()
  .regex(/^\S+$/, 'must be the token alone, without spaces and without "Bearer"');

/** A comma list of numeric ids without doubles; `prefix` may stand before each. `noun` is what one is called. */
export function idList(noun: string, prefix = ''): z.ZodType<string[], string | undefined> {
  return z.string().transform((text, context) => {
    const ids = splitList(text).map((id) =>
      id.toLowerCase().startsWith(prefix) ? id.slice(prefix.length) : id,
    );
    const wrong = ids.filter((id) => !/^\d+$/.test(id));
    const twice = [...new Set(ids.filter((id, index) => ids.indexOf(id) !== index))];
    if (ids.length === 0) context.addIssue(`names no ${noun}`);
    if (wrong.length > 0)
      context.addIssue(
        `${wrong.join(', ')}: an ${noun} is a number${prefix === '' ? '' : `, with or without ${prefix}`}`,
      );
    if (twice.length > 0) context.addIssue(`${twice.join(', ')}: named twice`);
    return ids;
  });
}

/** A DATABASE_URL. The messages show no example: what stands where a password would is masked in all that is printed. */
export const databaseUrl = z
  .string()
  .refine((text) => !text.includes('[YOUR-PASSWORD]'), {
    error: "still has the placeholder of Supabase's dashboard where the password belongs",
    abort: true,
  })
  .refine((text) => /^postgres(ql)?:\/\//.test(text) && URL.canParse(text), {
    error:
      'is no URL of a Postgres: it begins with postgresql:// and has user, password, host, port and database; in the password / is written %2F, ? %3F, # %23, @ %40 and % %25',
  });
