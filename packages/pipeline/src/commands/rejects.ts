/** `floyo rejects list` and `floyo rejects replay`: the quarantine of records that failed validation. */
import type { Session } from '@floyo/shared/db';

import { type App, openAppDatabase, print, runAndReport } from '../app.ts';
import { formatCount, formatTable } from '../print/style.ts';

const SHOWN = 50;

export async function rejectsListCommand(app: App): Promise<number> {
  await using database = await openAppDatabase(app);
  const rejects = await listOpen(database.session);
  const rows = rejects
    .slice(0, SHOWN)
    .map((reject) => [
      reject.agent,
      reject.account_id,
      reject.external_id,
      reject.date ?? '',
      reject.first_seen_at.slice(0, 10),
      reject.reasons.join('; '),
    ]);
  const more =
    rejects.length > SHOWN ? [`… and ${formatCount(rejects.length - SHOWN)} more (--json shows all)`] : [];
  const text =
    rejects.length === 0
      ? 'Nothing is set aside.'
      : [formatTable(['agent', 'account', 'record', 'day', 'since', 'reasons'], rows), ...more].join('\n');
  print(app, { rejects }, text);
  return 0;
}

async function listOpen(session: Session) {
  const rows = await session.db
    .selectFrom('ops.rejected_records')
    .select([
      'agent',
      'account_id',
      'stream',
      'external_id',
      'date',
      'reasons',
      'payload',
      'first_seen_at',
      'last_seen_at',
    ])
    .where('resolved_at', 'is', null)
    .orderBy('id')
    .execute();
  return rows.map((row) => ({ ...row, reasons: Array.isArray(row.reasons) ? row.reasons.map(String) : [] }));
}

/** Replays every configured source's rejects under the lock, then computes what that changed. */
export async function rejectsReplayCommand(app: App, options: { readonly wait: number }): Promise<number> {
  await using database = await openAppDatabase(app);
  return await runAndReport(app, database, {
    kind: 'manual',
    sources: app.settings.sources,
    work: { kind: 'replay' },
    waitMs: options.wait,
    skipWhenBusy: false,
  });
}
