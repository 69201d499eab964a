/** The ad account's own figures by day, which its ads have to add up to. */
import { z } from 'zod';

import type { Io } from '@floyo/shared/connector';
import { PipelineError } from '@floyo/shared/errors';
import { countText, dayText, decimalText, idText } from '@floyo/shared/schemas';
import type { Day, DayWindow } from '@floyo/shared/window';

import type { MetaSession } from '../account.ts';
import { totalsParameters } from '../query.ts';

/** Columns of `spend` that are sums over ads; reach is not: people are met by several ads. */
export const MEASURES = ['spend', 'impressions', 'clicks'] as const;

const totalSchema = z.object({
  account_id: idText,
  date_start: dayText,
  spend: decimalText.default('0'),
  impressions: countText.default('0'),
  clicks: countText.default('0'),
});

/** Totals of the days that have any; a day without delivery is left out. Throws `contract` for an answer of another shape. */
export async function readTotals(
  session: MetaSession,
  window: DayWindow,
  io: Io,
): Promise<ReadonlyMap<Day, Readonly<Record<string, string>>>> {
  const totals = new Map<Day, Record<string, string>>();
  const read = session.reader.readQuery(io, window);
  for await (const page of read(totalsParameters(window, MEASURES), false)) {
    for (const record of page) {
      const total = totalSchema.safeParse(record);
      if (!total.success || total.data.account_id !== session.id || totals.has(total.data.date_start))
        throw new PipelineError({
          type: 'contract',
          message: `Meta's totals of ad account ${session.id} are not one row per day`,
          advice: 'The API may have changed: compare the answer with the documentation of insights.',
          context: { window, reasons: total.error?.issues.map(({ message }) => message) },
        });
      const { date_start: day, spend, impressions, clicks } = total.data;
      totals.set(day, { spend, impressions, clicks });
    }
  }
  return totals;
}
