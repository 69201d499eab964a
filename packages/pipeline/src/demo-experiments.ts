/** The experiments of the sandbox's product, planned as somebody would: one that is over and one that runs. */
import type { Temporal } from 'temporal-polyfill';

import { createExperiment } from '@floyo/metrics';
import { EXPERIMENTS } from '@floyo/sandbox/posthog/world';
import type { Session } from '@floyo/shared/db';
import { addDays, dayOf } from '@floyo/shared/window';

/** Plans both. @param started the instant at which the sandbox was started: their days are counted from it. */
export async function planDemoExperiments(
  { db }: Session,
  started: Temporal.Instant,
  timezone: string,
): Promise<void> {
  const { finished, running } = EXPERIMENTS;
  const anchor = dayOf(started, 'UTC');
  const variantsOf = (rates: Readonly<Record<string, number>>) => Object.keys(rates).join(',');
  const common = { owner: 'growth', exposure: 'experiment_exposed', window: '7' };
  await createExperiment(
    db,
    {
      ...common,
      key: finished.key,
      hypothesis:
        'Who sees a checklist after signing up knows what to do first, and creates a workflow sooner',
      variants: variantsOf(finished.rates),
      conversion: 'workflow_created',
      plannedN: undefined,
      start: addDays(anchor, finished.from),
      end: addDays(anchor, finished.to - 1),
    },
    { now: started, timezone },
  );
  await createExperiment(
    db,
    {
      ...common,
      key: running.key,
      hypothesis: 'The yearly price first makes more people upgrade',
      variants: variantsOf(running.rates),
      conversion: 'upgrade',
      plannedN: '2000',
      start: addDays(anchor, running.from),
      end: undefined,
    },
    { now: started, timezone },
  );
}
