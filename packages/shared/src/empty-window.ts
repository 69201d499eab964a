/**
 * A window that comes without any record would take away what is stored of it. Vendors answer 200 with an empty list by
 * mistake, so that this is believed on a second word only: the vendor's own totals, or where it has none a second reading.
 */
import { Decimal } from 'decimal.js';
import { sql } from 'kysely';

import type { Account, AnyConnector, AnyStream, Io } from './connector.ts';
import type { Session } from './db.ts';
import { PipelineError } from './errors.ts';
import { scopeCondition } from './sql-parts.ts';
import { addDays, type Day, type DayWindow, listDays } from './window.ts';

/** Whole days of an account, to be replaced by what the vendor has of them. */
export interface ReplacedDays {
  readonly connector: AnyConnector;
  readonly stream: AnyStream;
  readonly account: Account;
  readonly window: DayWindow;
}

/** A total of a day on which there should be nothing; `told` is undefined where the vendor lists the day without figures. */
interface Contradiction {
  readonly day: Day;
  readonly measure: string;
  readonly told: string | undefined;
}

/**
 * Reads a window; when it brings no record, makes sure that it is empty before its stored rows go. Without stored rows
 * nothing more is asked.
 * @returns the pages to commit, the second reading's where there was one, and what to warn of once they are in
 * @throws PipelineError (truncated) when the vendor's totals say that there is something; whatever reading them throws.
 */
export async function readConfirmed<Pages extends { readonly read: number }>(
  days: ReplacedDays,
  using: { readonly db: Session['db']; readonly io: Io; readonly read: () => Promise<Pages> },
): Promise<{ readonly pages: Pages; readonly warning: PipelineError | undefined }> {
  const { stream, account, window } = days;
  const pages = await using.read();
  // Changes that a function applies delete nothing.
  if (pages.read > 0 || stream.parent.applyWith !== undefined) return { pages, warning: undefined };
  const stored = await countStored(using.db, days);
  if (stored === 0) return { pages, warning: undefined };
  if (stream.totals === undefined) {
    const again = await using.read();
    return { pages: again, warning: again.read === 0 ? emptiedWarning(days, stored) : undefined };
  }
  const totals = await stream.totals.read(account, window, using.io);
  const contradiction = findContradiction(totals, stream.totals.measures, window);
  if (contradiction !== undefined) throw contradicted(days, stored, contradiction);
  return { pages, warning: undefined };
}

async function countStored(
  db: Session['db'],
  { stream: { parent }, account, window }: ReplacedDays,
): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from ${sql.table(parent.table)} t
    where ${scopeCondition(parent.scope(account.id), 't')}
      and t.date >= ${window.from}::date and t.date < ${window.to}::date`.execute(db);
  return rows[0]?.count ?? 0;
}

/** A day that is left out has a total of 0, and so has one whose told measures are: the others can't be compared. */
function findContradiction(
  totals: ReadonlyMap<Day, Readonly<Record<string, string>>>,
  measures: readonly string[],
  window: DayWindow,
): Contradiction | undefined {
  for (const day of listDays(window)) {
    const figures = totals.get(day);
    if (figures === undefined) continue;
    const told = measures.filter((measure) => figures[measure] !== undefined);
    const measure = told.find((name) => !new Decimal(figures[name] ?? 0).isZero());
    if (measure !== undefined) return { day, measure, told: figures[measure] };
    if (told.length === 0) return { day, measure: measures.join(', '), told: undefined };
  }
  return undefined;
}

function contradicted(days: ReplacedDays, stored: number, contradiction: Contradiction): PipelineError {
  const { day, measure, told } = contradiction;
  return new PipelineError({
    type: 'truncated',
    retryable: true,
    message: `${gaveNone(days)}, but its own totals say of ${day}: ${measure} ${told ?? 'unknown'}. ${rowsOf(stored)} kept`,
    advice:
      "The next run reads these days again. If it stays, compare with the vendor's own report of them; where that has no rows either, delete the stored ones: days without any are not asked about.",
    context: { window: days.window, stored, total: contradiction },
  });
}

function emptiedWarning(days: ReplacedDays, stored: number): PipelineError {
  const { connector, account, window } = days;
  return new PipelineError({
    type: 'drift',
    severity: 'P2',
    message: `${gaveNone(days)}, twice: ${rowsOf(stored)} removed`,
    advice: `If the vendor does have rows of these days, read them again: \`floyo backfill --source ${connector.source} --account ${account.id} --from ${window.from} --to ${addDays(window.to, -1)}\`.`,
    context: { window, stored },
  });
}

function gaveNone({ connector, stream, account, window }: ReplacedDays): string {
  return `${connector.source} ${account.id} gave no rows of ${stream.name} for ${window.from}..${addDays(window.to, -1)}`;
}

function rowsOf(count: number): string {
  return count === 1 ? '1 stored row was' : `${count} stored rows were`;
}
