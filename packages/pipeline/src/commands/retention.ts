/** `floyo retention list` and `drop`: months of events that left their tables (FLOYO_EVENTS_RETENTION_MONTHS). */
import { ConfigError } from '@floyo/shared/errors';
import { dropRetired, listRetired, type RetiredMonth } from '@floyo/shared/retention';

import { type App, openAppDatabase, print } from '../app.ts';
import { formatCount, formatTable } from '../print/style.ts';

const MEBIBYTE = 1_048_576;

export async function retentionListCommand(app: App): Promise<number> {
  await using database = await openAppDatabase(app);
  const retired = await listRetired(database.session);
  print(app, { retired }, describe(retired));
  return 0;
}

/** Without `--yes` it shows what it would drop and drops nothing. */
export async function retentionDropCommand(
  app: App,
  partitions: readonly string[],
  options: { readonly yes?: boolean },
): Promise<number> {
  await using database = await openAppDatabase(app);
  const retired = await listRetired(database.session);
  const unknown = partitions.filter((name) => !retired.some(({ partition }) => partition === name));
  if (unknown.length > 0)
    throw new ConfigError(
      [
        {
          variable: 'usage',
          message: `${unknown.join(', ')}: no such month has left its table (floyo retention list)`,
        },
      ],
      'usage',
    );
  const chosen = retired.filter(({ partition }) => partitions.length === 0 || partitions.includes(partition));
  if (options.yes !== true) {
    const hint = chosen.length === 0 ? '' : '\nNothing was dropped. Give --yes to drop them for good.';
    print(app, { would_drop: chosen, dropped: [] }, `${describe(chosen)}${hint}`);
    return 0;
  }
  for (const { partition } of chosen) await dropRetired(database.session, partition);
  const dropped = chosen.map(({ partition }) => partition);
  print(app, { dropped }, dropped.length === 0 ? describe([]) : `Dropped ${dropped.join(', ')}.`);
  return 0;
}

function describe(retired: readonly RetiredMonth[]): string {
  if (retired.length === 0) return 'No month of events has left its table.';
  const rows = retired.map(({ partition, from_day, to_day, detached_at, rows: count, bytes }) => [
    partition,
    from_day,
    to_day,
    detached_at.slice(0, 10),
    formatCount(Number(count)),
    formatCount(Math.round(Number(bytes) / MEBIBYTE)),
  ]);
  return formatTable(['month', 'from', 'to (not included)', 'since', 'rows, about', 'MB'], rows);
}
