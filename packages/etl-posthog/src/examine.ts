/** What `doctor` asks of the project: whether the key may query it, whether clocks and calendars agree, what it holds. */
import type { Finding, Io } from '@floyo/shared/connector';
import { toPipelineError } from '@floyo/shared/errors';
import { addDays, dayOf, type DayWindow, startOfDay } from '@floyo/shared/window';

import type { PostHogConfig } from './config.ts';
import { eventMatcher, textOf, toIsoInstant, toSqlInstant } from './hogql.ts';
import { openProject, type PostHogSession } from './session.ts';

/** Days whose events are looked at. */
const LOOK_BACK_DAYS = 7;
/** What a clock may be off before days go astray. */
const MAX_CLOCK_MS = 300_000;

/** Findings in a fixed order; two queries. */
export async function examine(config: PostHogConfig, projectId: string, io: Io): Promise<readonly Finding[]> {
  const session = await openProject(config, projectId, io);
  const findings: Finding[] = [];
  try {
    findings.push(...(await examineClock(session, io)));
  } catch (error) {
    return [fromError('access', error)];
  }
  const access = ok('access', `The key queries project ${projectId} at ${config.host}.`);
  try {
    return [access, ...findings, await examineEvents(session, config, io)];
  } catch (error) {
    return [access, ...findings, fromError('events', error)];
  }
}

/** PostHog's now, and on which side of its midnight our day begins. */
async function examineClock({ client }: PostHogSession, io: Io): Promise<Finding[]> {
  const { timezone } = io.reporting;
  const today = dayOf(io.now(), timezone);
  const midnight = startOfDay(today, timezone);
  const dayAt = (name: string) =>
    `toString(toDate(toTimeZone(toDateTime64({${name}}, 6, 'UTC'), {time_zone})))`;
  const [row] = await client.query(io, {
    name: 'floyo doctor',
    sql: `SELECT ${textOf('now()')} AS now_utc, ${dayAt('instant_before')} AS day_before, ${dayAt('instant_after')} AS day_after`,
    values: {
      time_zone: timezone,
      instant_before: toSqlInstant(midnight.subtract({ milliseconds: 1 }).toString()),
      instant_after: toSqlInstant(midnight.toString()),
    },
    columns: ['now_utc', 'day_before', 'day_after'],
    limit: 1,
  });
  const now = Date.parse(toIsoInstant(String(row?.['now_utc'])));
  const offMs = Math.abs(now - io.now().epochMilliseconds);
  const sameDays = row?.['day_before'] === addDays(today, -1) && row['day_after'] === today;
  return [
    offMs <= MAX_CLOCK_MS
      ? ok('clock', "PostHog's clock agrees with this machine's.")
      : {
          check: 'clock',
          level: 'warning',
          message: `PostHog's clock says ${String(row?.['now_utc'])}, ${Math.round(offMs / 60_000)} minutes from this machine's.`,
          fix: 'Set the clock of this machine (NTP); with FLOYO_NOW set this is as it should be.',
        },
    sameDays
      ? ok('time zone', `PostHog cuts days in ${timezone} where this pipeline does.`)
      : {
          check: 'time zone',
          level: 'error',
          message: `PostHog begins ${today} in ${timezone} at another instant than this pipeline.`,
          fix: 'One of them has older time zone rules. Update Node.js; on a PostHog of your own update ClickHouse.',
        },
  ];
}

/** Which of the events that are kept one by one there were. */
async function examineEvents(
  session: PostHogSession,
  { rawEvents }: PostHogConfig,
  io: Io,
): Promise<Finding> {
  const today = dayOf(io.now(), io.reporting.timezone);
  const window: DayWindow = { from: addDays(today, -LOOK_BACK_DAYS), to: addDays(today, 1) };
  const days = await session.figures.ask(io, window, 'doctor');
  const seen = new Set([...days.values()].flatMap((figures) => [...figures.keys()]));
  const total = [...days.values()]
    .flatMap((figures) => [...figures.values()])
    .reduce((sum, { count }) => sum + count, 0);
  if (total === 0)
    return {
      check: 'events',
      level: 'warning',
      message: `The project has no event of the last ${LOOK_BACK_DAYS} days.`,
      fix: 'Check POSTHOG_PROJECT_ID, and that the product sends events to this project.',
    };
  const unseen = rawEvents.filter((name) => ![...seen].some(eventMatcher([name])));
  if (unseen.length > 0)
    return {
      check: 'events',
      level: 'warning',
      message: `${total} events of the last ${LOOK_BACK_DAYS} days, none of them ${unseen.join(', ')}.`,
      fix: 'What is not sent has no metrics: check the names that the product sends, or set POSTHOG_RAW_EVENTS.',
    };
  return ok(
    'events',
    `${total} events of the last ${LOOK_BACK_DAYS} days, all that are kept one by one among them.`,
  );
}

function ok(check: string, message: string): Finding {
  return { check, level: 'ok', message, fix: null };
}

function fromError(check: string, thrown: unknown): Finding {
  const { message, advice } = toPipelineError(thrown);
  return { check, level: 'error', message, fix: advice ?? 'Run it again.' };
}
