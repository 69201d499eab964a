/**
 * The product's users and what they do: signups, first workflows, days of use that grow fewer, suggestions, mails, two
 * experiments (one that has ended, one that runs), and page views for volume. A pure function of seed and UTC day, made a
 * day at a time, so that a world of millions of events costs the memory of a day.
 */
import { chance, uuidOf } from './hash.ts';

/** One event as it is stored. Instants are microseconds since 1970. */
export interface StoredEvent {
  readonly uuid: string;
  readonly event: string;
  readonly distinct_id: string;
  readonly timestamp: number;
  readonly created_at: number;
  readonly properties: Readonly<Record<string, unknown>>;
}

export interface Volume {
  /** People who sign up on a day. */
  readonly signups: number;
  /** Page views of somebody who is active on a day. */
  readonly pageviews: number;
}

export interface PostHogWorldOptions {
  readonly seed: number;
  /** The UTC day (since 1970) at which the sandbox was started: experiments are dated by it. */
  readonly anchor: number;
  readonly volume: Volume;
}

export const EXPERIMENTS = {
  /** Ended before the world's now and within a first run, the second variant much better. Converts by the first workflow. */
  finished: { key: 'onboarding_checklist', from: -33, to: -12, rates: { control: 0.3, checklist: 0.68 } },
  /** Still running, no difference to see. Converts by an upgrade. */
  running: { key: 'pricing_layout', from: -11, to: 365, rates: { control: 0.09, annual_first: 0.1 } },
} as const;

const DAY_US = 86_400_000_000;
const HISTORY_DAYS = 730;
/** Nobody is followed for longer. */
const LIFE_DAYS = 90;
/** Whoever stays away gets no more mails. */
const LAST_MAIL_AGE = 29;
const PATHS = ['/', '/gallery', '/editor', '/pricing', '/settings'];
const WEEKDAYS = [0.75, 1.1, 1.15, 1.1, 1.05, 1, 0.8];

/** What may happen to somebody on a day: numbers of their own, so that one does not follow from the other. */
const DRAW = {
  active: 1,
  activates: 2,
  activationDay: 3,
  views: 4,
  shown: 5,
  accepted: 6,
  mail: 7,
  variant: 8,
} as const;

/** Everything that happens on a UTC day, in no order. */
export function eventsOfDay(options: PostHogWorldOptions, day: number): StoredEvent[] {
  const events: StoredEvent[] = [];
  if (day < options.anchor - HISTORY_DAYS) return events;
  const firstSignup = Math.max(day - LIFE_DAYS, options.anchor - HISTORY_DAYS);
  for (let signupDay = firstSignup; signupDay <= day; signupDay += 1)
    for (let nth = 0; nth < signupsOn(options, signupDay); nth += 1)
      addUserDay(events, options, { signupDay, nth }, day);
  return events;
}

interface User {
  readonly signupDay: number;
  readonly nth: number;
}

function signupsOn({ seed, volume }: PostHogWorldOptions, day: number): number {
  const weekday = WEEKDAYS[(((day + 4) % 7) + 7) % 7] ?? 1;
  return Math.round(volume.signups * weekday * (0.85 + 0.3 * chance(seed, day, 0, 99)));
}

function addUserDay(events: StoredEvent[], options: PostHogWorldOptions, user: User, day: number): void {
  const { seed, anchor, volume } = options;
  const { signupDay, nth } = user;
  const age = day - signupDay;
  const draw = (what: number, at = 0): number => chance(seed, signupDay, nth, what * 1000 + at);
  const isActive = age === 0 || draw(DRAW.active, age) < 0.62 / Math.sqrt(age + 1);
  // Most people do nothing on most days, and get no mail: looking no further keeps large worlds quick.
  if (!isActive && age > 9 && ((age + 6) % 7 > 2 || age > LAST_MAIL_AGE + 2)) return;
  const life = lifeOf(options, user, draw);

  const id = `user_${signupDay - anchor + HISTORY_DAYS}_${nth}`;
  const device = uuidOf(seed, signupDay, nth, 777);
  let index = 0;
  const add = (
    event: string,
    part: number,
    properties: Record<string, unknown> = {},
    anonymous = false,
  ): void => {
    const key = age * 64 + index;
    index += 1;
    // Within the part of the day (0 to 1), in the order in which they are told.
    const timestamp =
      day * DAY_US + Math.floor((part + chance(seed, signupDay, nth, 50_000 + key) * 0.01) * DAY_US);
    events.push({
      uuid: uuidOf(seed, signupDay, nth, 100_000 + key),
      event,
      distinct_id: anonymous ? device : id,
      timestamp,
      created_at: timestamp + delayUs(chance(seed, signupDay, nth, 70_000 + key)),
      properties: { $device_id: device, $ip: '203.0.113.7', ...properties },
    });
  };
  /** Servers send these: no device, no delay worth telling. */
  const addFromServer = (event: string, part: number, properties: Record<string, unknown>): void => {
    add(event, part, { ...properties, $device_id: undefined });
  };

  const begin = 0.1 + 0.5 * draw(DRAW.views, age);
  if (age === 0) {
    add('$pageview', begin, { path: '/' }, true);
    add('signup', begin + 0.02, { plan: 'free', email: `${id}@example.com` });
  }
  if (age === 0 && life.experiment !== undefined)
    add('experiment_exposed', begin + 0.04, { experiment: life.experiment, variant: life.variant });
  if (isActive) {
    const views = Math.max(1, Math.round(volume.pageviews * (0.5 + draw(DRAW.views, 500 + age))));
    for (let view = 0; view < views; view += 1)
      add('$pageview', begin + 0.06 + (0.2 * view) / views, { path: PATHS[view % PATHS.length] });
    add('workflow_run', begin + 0.28, { workflow_id: `wf_${signupDay}_${nth}`, seconds: 4 + (age % 9) });
    const shown = draw(DRAW.shown, age);
    if (shown < 0.55) addSuggestion(add, draw, { signupDay, nth, age, begin });
  }
  addEarlierAcceptance(add, draw, { signupDay, nth, age, begin });
  if (age === life.activationAge)
    add('workflow_created', begin + 0.31, { workflow_id: `wf_${signupDay}_${nth}` });
  if (age === life.upgradeAge) add('upgrade', begin + 0.32, { plan: 'pro' });
  addMails(addFromServer, draw, { signupDay, nth, age });
}

interface Life {
  readonly activationAge: number | undefined;
  readonly upgradeAge: number | undefined;
  readonly experiment: string | undefined;
  readonly variant: string | undefined;
}

/** Whether and when somebody activates and upgrades, and which variant they see. */
function lifeOf(
  { anchor }: PostHogWorldOptions,
  { signupDay }: User,
  draw: (what: number, at?: number) => number,
): Life {
  const since = signupDay - anchor;
  const within = ({ from, to }: { readonly from: number; readonly to: number }) =>
    since >= from && since < to;
  const second = draw(DRAW.variant) < 0.5;
  const { finished, running } = EXPERIMENTS;
  const inFinished = within(finished);
  const inRunning = within(running);
  const activates = inFinished ? (second ? finished.rates.checklist : finished.rates.control) : 0.45;
  const upgrades = inRunning ? (second ? running.rates.annual_first : running.rates.control) : 0.06;
  return {
    activationAge:
      draw(DRAW.activates) < activates ? Math.floor(draw(DRAW.activationDay) ** 3 * 7) : undefined,
    upgradeAge: draw(DRAW.activates, 1) < upgrades ? Math.floor(draw(DRAW.activationDay, 1) * 9) : undefined,
    experiment: inFinished ? finished.key : inRunning ? running.key : undefined,
    variant:
      !inFinished && !inRunning ? undefined : !second ? 'control' : inFinished ? 'checklist' : 'annual_first',
  };
}

type Add = (event: string, part: number, properties: Record<string, unknown>) => void;
type Draw = (what: number, at?: number) => number;
interface At {
  readonly signupDay: number;
  readonly nth: number;
  readonly age: number;
  readonly begin: number;
}

function addSuggestion(add: Add, draw: Draw, { signupDay, nth, age, begin }: At): void {
  const suggestion = {
    suggestion_id: `sg_${signupDay}_${nth}_${age}`,
    suggestion_type: age % 2 === 0 ? 'node' : 'template',
  };
  add('suggestion_shown', begin + 0.29, suggestion);
  if (draw(DRAW.accepted, age) < 0.25) add('suggestion_accepted', begin + 0.3, suggestion);
  else if (draw(DRAW.accepted, age) < 0.5) add('suggestion_dismissed', begin + 0.3, suggestion);
}

/** Some take up the next day what they were shown. */
function addEarlierAcceptance(add: Add, draw: Draw, { signupDay, nth, age, begin }: At): void {
  const before = age - 1;
  const wasActive = before === 0 || (before > 0 && draw(DRAW.active, before) < 0.62 / Math.sqrt(before + 1));
  if (!wasActive || draw(DRAW.shown, before) >= 0.55 || draw(DRAW.accepted, before) < 0.9) return;
  add('suggestion_accepted', begin + 0.05, { suggestion_id: `sg_${signupDay}_${nth}_${before}` });
}

/** A mail a week, mostly delivered, sometimes clicked up to three days later, now and then by a machine. */
function addMails(add: Add, draw: Draw, { signupDay, nth, age }: Omit<At, 'begin'>): void {
  const sentAge = age - ((age + 6) % 7);
  if (sentAge < 1 || sentAge > LAST_MAIL_AGE) return;
  const mail = {
    email_id: `em_${signupDay}_${nth}_${sentAge}`,
    campaign: sentAge === 1 ? 'welcome' : 'weekly',
  };
  const fate = draw(DRAW.mail, sentAge);
  if (age === sentAge) {
    add('email_sent', 0.35, mail);
    if (fate < 0.975) add('email_delivered', 0.36, mail);
    if (fate < 0.03) add('email_clicked', 0.37, { ...mail, is_bot: true });
  }
  if (fate >= 0.03 && fate < 0.15 && age === sentAge + Math.floor(draw(DRAW.mail, sentAge + 500) * 3))
    add('email_clicked', 0.6, { ...mail, is_bot: false });
}

/** Most events arrive within a minute, some hours later, a few after days: phones that were offline. */
function delayUs(drawn: number): number {
  if (drawn < 0.99) return Math.floor(1_000_000 + (drawn / 0.99) * 45_000_000);
  return Math.floor(((drawn - 0.99) / 0.01) ** 2 * 3 * DAY_US + 3_600_000_000);
}
