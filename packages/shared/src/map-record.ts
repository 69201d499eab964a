/** One record of a vendor: validated and mapped to rows, or the reasons why not. */
import type { z } from 'zod';

import type { Account, AnyStream, LoadRows } from './connector.ts';
import type { RunContext } from './runner.ts';

/** Validates and maps one record. */
export function mapRecord(
  stream: AnyStream,
  record: unknown,
  account: Account,
  reporting: RunContext['reporting'],
): { readonly ok: true; readonly rows: LoadRows } | { readonly ok: false; readonly reasons: string[] } {
  const parsed = stream.schema.safeParse(record);
  if (!parsed.success)
    return {
      ok: false,
      reasons: parsed.error.issues.map(
        (issue: z.core.$ZodIssue) => `${issue.path.join('.')}: ${issue.message}`,
      ),
    };
  try {
    return { ok: true, rows: stream.toRows(parsed.data, account, reporting) };
  } catch (error) {
    return { ok: false, reasons: [error instanceof Error ? error.message : String(error)] };
  }
}
