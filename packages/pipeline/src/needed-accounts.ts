/** Which accounts and streams must have covered a day for its metrics to be whole: the configured ones but the rates. */
import type { NeededAccount } from '@floyo/metrics';

import type { Settings } from './sources.ts';

/** In the order of a run. */
export function neededAccounts({ sources }: Pick<Settings, 'sources'>): NeededAccount[] {
  return sources
    .filter(({ connector }) => connector.source !== 'fx')
    .flatMap(({ connector, config }) =>
      connector.accounts(config).flatMap((accountId) =>
        connector.streams
          // What only backfills read is covered by the stream that goes on from there.
          .filter(({ only }) => only !== 'backfill')
          .map(({ name }) => ({ source: connector.source, accountId, stream: name })),
      ),
    );
}
