/** vitest's matchers for a part of a text, typed so that they can stand where a value is expected. */
import { expect } from 'vitest';

/** A text that contains `part`. */
export function containing(part: string): unknown {
  return expect.stringContaining(part);
}

/** A text that matches `pattern`. */
export function matching(pattern: RegExp): unknown {
  return expect.stringMatching(pattern);
}
