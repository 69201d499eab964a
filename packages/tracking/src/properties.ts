/** What a property of an event may hold: ids and names, and nothing that tells who somebody is. */
import { z } from 'zod';

const EMAIL = /[^\s@]+@[^\s@]+\.[^\s@]+/;
const IP = /^(\d{1,3}(\.\d{1,3}){3}|[0-9a-f]{0,4}(:[0-9a-f]{0,4}){2,7})$/i;

/** A short text without an email address in it, and no IP address. */
const safeText = z
  .string()
  .min(1, 'is empty')
  .max(200, 'is longer than 200 characters')
  .refine((text) => !EMAIL.test(text), 'holds an email address')
  .refine((text) => !IP.test(text), 'is an IP address');

/** One of the product's own ids. */
export const id = (description: string) => safeText.describe(description);
/** A name out of a short list: a campaign, a plan, a variant. */
export const name = (description: string) => safeText.describe(description);
/** Yes or no. */
export const flag = (description: string) => z.boolean().describe(description);

/** The id that a user is identified by: the product's own, for ever the same. */
export const userIdSchema = safeText.regex(/^\S+$/, 'has a space in it');
