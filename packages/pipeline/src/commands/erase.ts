/** `floyo erase`: takes one customer out of everything that is stored, and computes what that changed. */
import { ConfigError } from '@floyo/shared/errors';

import { type App, openAppDatabase, print, runWatched } from '../app.ts';
import { eraseCustomer, type ErasureCounts } from '../erasure.ts';
import { formatRun } from '../print/run-printer.ts';
import { formatCount } from '../print/style.ts';
import { clockOf, hasFailed } from '../run.ts';

export interface EraseOptions {
  readonly customer: string;
  readonly shop?: string;
  readonly wait: number;
}

/** A plain id, or Shopify's gid of a customer. */
function customerIdOf(text: string): string {
  const id = text.replace(/^gid:\/\/shopify\/Customer\//, '');
  if (!/^\w+$/.test(id))
    throw new ConfigError(
      [{ variable: '--customer', message: `${text} is no customer id such as 6940095564` }],
      'usage',
    );
  return id;
}

export async function eraseCommand(app: App, options: EraseOptions): Promise<number> {
  const customerId = customerIdOf(options.customer);
  await using database = await openAppDatabase(app);
  const stored = await database.session.db.selectFrom('orders').select('shop').distinct().execute();
  const configured = app.settings.sources
    .filter(({ connector }) => connector.source === 'shopify')
    .flatMap(({ connector, config }) => connector.accounts(config));
  const known = [...new Set([...stored.map(({ shop }) => shop), ...configured])];
  if (options.shop !== undefined && !known.includes(options.shop))
    throw new ConfigError(
      [
        {
          variable: '--shop',
          message: `${options.shop} is no shop; there are ${known.join(', ') || 'none'}`,
        },
      ],
      'usage',
    );
  const shops = options.shop === undefined ? known : [options.shop];
  const now = clockOf(app.settings.config.now)().toString();
  let erased: ErasureCounts = { orders: 0, rejects: 0, other: 0 };
  const document = await runWatched(app, database, {
    kind: 'metrics',
    sources: [],
    work: { kind: 'scheduled' },
    metrics: {
      check: 'never',
      prepare: async (trx) => {
        erased = await eraseCustomer(trx, { customerId, shops, now, runId: null });
      },
    },
    waitMs: options.wait,
    skipWhenBusy: false,
  });
  const failed = hasFailed(document);
  const text = failed
    ? 'Nothing was erased.'
    : `Erased: ${formatCount(erased.orders)} orders made anonymous, ${formatCount(erased.rejects)} records set aside emptied, ${formatCount(erased.other)} other mentions taken out. Amounts and days stay.`;
  print(app, { ...document, erased: failed ? null : erased }, `${formatRun(document, app.streams)}\n${text}`);
  return failed ? 1 : 0;
}
