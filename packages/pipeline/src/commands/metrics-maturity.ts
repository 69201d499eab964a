/** `floyo metrics maturity`: what share of an account's final sums is known so many days after the day. */
import { CURVE_AGES, readMaturityCurve } from '@floyo/metrics';

import { type App, openAppDatabase, print } from '../app.ts';
import { formatTable } from '../print/style.ts';

export async function metricsMaturityCommand(app: App): Promise<number> {
  await using database = await openAppDatabase(app);
  const curve = await readMaturityCurve(database.session.db);
  const percent = (share: string | null) => (share === null ? '–' : `${Math.round(Number(share) * 100)} %`);
  const rows = [
    ...Map.groupBy(curve, (point) => `${point.source} ${point.account_id} ${point.currency}`),
  ].flatMap(([account, points]) =>
    (['spend', 'conversions', 'revenue'] as const).flatMap((sum) => {
      const shares = CURVE_AGES.map(
        (age) => points.find(({ age_days }) => age_days === age)?.[`${sum}_share`] ?? null,
      );
      return shares.every((share) => share === null) ? [] : [[account, sum, ...shares.map(percent)]];
    }),
  );
  const text =
    rows.length === 0
      ? 'Not known yet: it takes days that were read early and again when they were final.'
      : formatTable(
          ['account', 'sum', ...CURVE_AGES.map((age) => `${age} d`)],
          rows,
          CURVE_AGES.map((_, index) => index + 2),
        );
  print(app, { curve }, text);
  return 0;
}
