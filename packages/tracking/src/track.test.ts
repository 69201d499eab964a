/** Events of the plan through the real posthog-node and a client shaped like posthog-js; what is refused; the page. */
import { readFileSync } from 'node:fs';

import { PostHog } from 'posthog-node';
import { describe, expect, expectTypeOf, it } from 'vitest';

import { trackingPlanPage } from './document.ts';
import { type EventName, forUser, identify, PLAN, type PropertiesOf, track, TrackingError } from './index.ts';
import { PAGE } from './testing/generate.ts';

/** Keeps what posthog-js would be asked to send. */
function browser() {
  const sent: unknown[][] = [];
  return { sent, capture: (...all: unknown[]) => sent.push(all), identify: (id: string) => sent.push([id]) };
}

describe('track', () => {
  it('sends with posthog-js', () => {
    const posthog = browser();
    identify(posthog, 'user_1');
    track(posthog, 'suggestion_shown', { suggestion_id: 's1' });
    expect(posthog.sent).toEqual([['user_1'], ['suggestion_shown', { suggestion_id: 's1' }, undefined]]);
  });

  it('sends with posthog-node under the user id, with the id and time of what happened', async () => {
    const bodies: string[] = [];
    const posthog = new PostHog('phc_tests', {
      host: 'http://127.0.0.1:1',
      disableCompression: true,
      fetch: (_url, { body }) => {
        if (typeof body === 'string') bodies.push(body);
        return Promise.resolve(new Response('{}'));
      },
    });
    const uuid = '0b7f5f0a-3c52-5f0e-8d0b-111111111111';
    const delivered = { uuid, timestamp: new Date('2026-11-20T12:00:00Z') };
    track(forUser(posthog, 'user_1'), 'email_delivered', { email_id: 'e1' }, delivered);
    await posthog.shutdown();
    expect(JSON.parse(bodies[0] ?? '{}')).toMatchObject({
      batch: [
        {
          event: 'email_delivered',
          distinct_id: 'user_1',
          uuid,
          timestamp: '2026-11-20T12:00:00.000Z',
          properties: { email_id: 'e1' },
        },
      ],
    });
  });

  it.each([
    ['an email address', { email_id: 'jo@example.com', campaign: 'c' }, 'email_id holds an email address'],
    ['one inside a text', { email_id: 'e1', campaign: 'to jo@example.com' }, 'campaign holds an email'],
    ['an IP address', { email_id: '203.0.113.9', campaign: 'c' }, 'email_id is an IP address'],
    ['a long one', { email_id: '2001:db8::1', campaign: 'c' }, 'email_id is an IP address'],
    ['a missing property', { email_id: 'e1' }, 'campaign '],
    ['an unknown property', { email_id: 'e1', campaign: 'c', subject: 'x' }, 'subject'],
    ['an empty id', { email_id: '', campaign: 'c' }, 'email_id is empty'],
  ])('refuses %s, and sends nothing', (_name, properties, message) => {
    const posthog = browser();
    const wrong = properties as PropertiesOf<'email_sent'>;
    expect(() => track(posthog, 'email_sent', wrong)).toThrow(TrackingError);
    expect(() => track(posthog, 'email_sent', wrong)).toThrow(message);
    expect(() => track(posthog, 'email_sent', wrong)).not.toThrow(/jo@|203\.0/);
    expect(posthog.sent).toEqual([]);
  });

  it.each(['', 'jo@example.com', 'two words'])('refuses %j as a user', (userId) => {
    const posthog = browser();
    expect(() => identify(posthog, userId)).toThrow(TrackingError);
    expect(() => forUser(posthog, userId)).toThrow(TrackingError);
    expect(posthog.sent).toEqual([]);
  });

  it('takes ids as products make them', () => {
    for (const id of ['42', '0b7f5f0a-3c52-5f0e-8d0b-111111111111', 'msg:2026-11-20:42', 'a1:b2', 'v1.2.3'])
      expect(() => track(browser(), 'suggestion_shown', { suggestion_id: id })).not.toThrow();
  });

  it('is typed by the plan', () => {
    expectTypeOf<PropertiesOf<'experiment_exposed'>>().toEqualTypeOf<{
      experiment: string;
      variant: string;
    }>();
    expectTypeOf<PropertiesOf<'email_clicked'>['is_bot']>().toEqualTypeOf<boolean>();
    expectTypeOf<'suggestion_seen'>().not.toExtend<EventName>();
  });
});

describe('the plan', () => {
  it('is what docs/tracking-plan.md says (when this fails: pnpm generate)', () => {
    expect(readFileSync(PAGE, 'utf8')).toBe(trackingPlanPage());
  });

  it('has the events that metrics and experiments are computed from', () => {
    expect(
      Object.entries(PLAN).map(([event, { properties }]) => [event, Object.keys(properties.shape)]),
    ).toEqual([
      ['signup', []],
      ['workflow_created', ['workflow_id']],
      ['workflow_run', ['workflow_id']],
      ['suggestion_shown', ['suggestion_id']],
      ['suggestion_accepted', ['suggestion_id']],
      ['email_sent', ['email_id', 'campaign']],
      ['email_delivered', ['email_id']],
      ['email_clicked', ['email_id', 'is_bot']],
      ['experiment_exposed', ['experiment', 'variant']],
      ['upgrade', ['plan']],
    ]);
  });
});
