/**
 * Tries failed events again: those that are due, 3 times with growing pauses, and then tells people; or those that
 * somebody asks for. The payload in the ledger is mapped anew, so that a fix of the mapping heals them.
 */
import { sql } from 'kysely';

import { cleanText, encodeJson } from '@floyo/shared/copy-text';
import { type Session, sqlState } from '@floyo/shared/db';
import { toPipelineError } from '@floyo/shared/errors';
import { fingerprint } from '@floyo/shared/ledger';

import { encodeChange } from './mapping/encode-change.ts';
import { mapEvent } from './mapping/map-event.ts';
import { toApplied } from './store.ts';

/** How often the sweeper tries before people are told. */
const MAX_SWEEPS = 3;
/** How long a sweeper may take for what it has picked up before another one takes it. */
const CLAIM_MINUTES = 10;
const BATCH = 100;
const RETRIED_STATES = new Set(['40001', '40P01']);

export interface Retried {
  /** `evt_…` */
  readonly event: string;
  readonly account: string;
  readonly type: string;
  readonly created: string;
  /** Attempts so far, this one included. */
  readonly attempts: number;
  readonly status: 'processed' | 'ignored' | 'failed';
  readonly error: string | null;
}

interface FailedEvent {
  readonly external_id: string;
  readonly account: string;
  readonly type: string;
  readonly event_created: string;
  readonly payload: unknown;
}

/** Tries the failed events that are due. Safe beside other sweepers: each takes its own. */
export async function sweepFailed(session: Session, runId?: string): Promise<Retried[]> {
  const { rows } = await sql<FailedEvent>`
    update billing_events set next_attempt_at = now() + ${`${String(CLAIM_MINUTES)} minutes`}::interval
    where external_id in (
      select external_id from billing_events where status = 'failed' and next_attempt_at <= now()
      order by next_attempt_at limit ${BATCH} for update skip locked)
    returning external_id, account, type, event_created, payload`.execute(session.db);
  return retryAll(session, rows, runId);
}

/** Tries failed events again at once, all of them or the named one (`evt_…`). An event that has not failed is left out. */
export async function retryFailed(session: Session, eventId?: string): Promise<Retried[]> {
  const { rows } = await sql<FailedEvent>`
    select external_id, account, type, event_created, payload from billing_events
    where status = 'failed' and (${eventId ?? null}::text is null or payload ->> 'id' = ${eventId ?? null})`.execute(
    session.db,
  );
  return retryAll(session, rows);
}

/** The status of an event in the ledger; undefined when it is not there. */
export async function findEvent(session: Session, eventId: string): Promise<string | undefined> {
  const found = await session.db
    .selectFrom('billing_events')
    .select('status')
    .where(sql<boolean>`payload ->> 'id' = ${eventId}`)
    .executeTakeFirst();
  return found?.status;
}

async function retryAll(
  session: Session,
  events: readonly FailedEvent[],
  runId?: string,
): Promise<Retried[]> {
  const retried: Retried[] = [];
  // As they happened: the state then moves forward only.
  const sorted = [...events].sort((a, b) => a.event_created.localeCompare(b.event_created));
  for (const event of sorted) retried.push(await retryOne(session, event, runId));
  return retried;
}

async function retryOne(session: Session, failed: FailedEvent, runId?: string): Promise<Retried> {
  const error = await tryAgain(session, failed).then(
    () => null,
    (thrown: unknown) => toError(thrown),
  );
  if (error !== null) await keepFailure(session, failed, error, runId);
  const { attempts, status } = await session.db
    .selectFrom('billing_events')
    .select(['attempts', 'status'])
    .where('external_id', '=', failed.external_id)
    .executeTakeFirstOrThrow();
  return {
    event: failed.external_id.slice(failed.external_id.lastIndexOf(':') + 1),
    account: failed.account,
    type: failed.type,
    created: failed.event_created,
    attempts,
    status: status === 'processed' || status === 'ignored' ? status : 'failed',
    error: error?.message ?? null,
  };
}

/** One transaction; again at once when it lost against another. */
async function tryAgain(session: Session, { payload }: FailedEvent): Promise<void> {
  const change = encodeChange(mapEvent(payload));
  for (let attempt = 1; ; attempt++) {
    try {
      const { rows } = await sql<{ answer: string }>`
        select public.stripe_apply(${change}::jsonb) as answer`.execute(session.db);
      toApplied(rows[0]?.answer);
      return;
    } catch (error) {
      if (attempt === 3 || !RETRIED_STATES.has(sqlState(error) ?? '')) throw error;
    }
  }
}

/** Counts the attempt; after the last one no other is due, and the error is told once. */
async function keepFailure(
  session: Session,
  event: FailedEvent,
  error: Error,
  runId?: string,
): Promise<void> {
  const message = cleanText(error.message);
  await session.db.transaction().execute(async (trx) => {
    const { rows } = await sql<{ sweeps: number }>`
      update billing_events set attempts = attempts + 1, sweeps = sweeps + 1, error = ${message}, synced_at = now(),
        next_attempt_at = case when sweeps + 1 < ${MAX_SWEEPS} then now() + interval '1 minute' * power(2, sweeps + 1) end
      where external_id = ${event.external_id} and status = 'failed' returning sweeps`.execute(trx);
    if (rows[0]?.sweeps !== MAX_SWEEPS) return;
    const told = `Stripe's event ${event.external_id} (${event.type}) could not be applied: ${message}`;
    await trx
      .insertInto('ops.errors')
      .values({
        run_id: runId ?? null,
        agent: 'billing',
        account_id: event.account,
        error_type: 'internal',
        severity: 'P1',
        message: told,
        advice: 'After a fix: `pnpm floyo billing retry`. The event is kept in billing_events.',
        retryable: false,
        context: encodeJson({ event: event.external_id, type: event.type, sqlstate: sqlState(error) }),
        stack: cleanText(error.stack ?? ''),
        fingerprint: fingerprint('billing', 'internal', told),
      })
      .execute();
  });
}

function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : toPipelineError(thrown);
}
