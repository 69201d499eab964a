import { expect, it } from 'vitest';

import { posthogConfig } from './config.ts';
import { eventMatcher, isEvent, toSqlInstant } from './hogql.ts';

const good = { POSTHOG_PROJECT_ID: '52073', POSTHOG_PERSONAL_API_KEY: 'phx_key' };

it('reads what is set and has defaults for the rest', () => {
  const { config, problems } = posthogConfig.read({ ...good, POSTHOG_HOST: 'https://eu.posthog.com/' });
  expect(problems).toEqual([]);
  expect(config).toMatchObject({ host: 'https://eu.posthog.com', projectId: '52073' });
  expect(config?.rawEvents).toContain('suggestion_*');
  expect(config?.properties).not.toContain('$ip');
  expect(posthogConfig.read({})).toEqual({ config: undefined, problems: [] });
});

it.each([
  [{ POSTHOG_PERSONAL_API_KEY: 'phc_project' }, 'which can only send events'],
  [{ POSTHOG_HOST: 'https://us.i.posthog.com' }, 'is the host that events are sent to'],
  [{ POSTHOG_HOST: 'eu.posthog.com' }, 'http'],
  [{ POSTHOG_PROJECT_ID: 'floyo' }, 'must be the number of the project'],
  [{ POSTHOG_PROJECT_ID: '' }, 'is not set'],
])('%o is told', (env, message) => {
  const { problems } = posthogConfig.read({ ...good, ...env });
  expect(problems.map((problem) => problem.message).join()).toContain(message);
});

it('asks for events by name and pattern, here and there alike', () => {
  expect(isEvent(['signup', 'a_b*'])).toEqual({
    sql: '(event IN {event_names} OR event LIKE {pattern0})',
    values: { event_names: ['signup'], pattern0: String.raw`a\_b%` },
  });
  const holds = eventMatcher(['signup', 'a_b*']);
  expect(['signup', 'a_b', 'a_bc', 'axb', 'signup2'].filter(holds)).toEqual(['signup', 'a_b', 'a_bc']);
});

it('writes instants with six digits', () => {
  expect(toSqlInstant('2026-01-02T03:04:05Z')).toBe('2026-01-02 03:04:05.000000');
  expect(toSqlInstant('2026-01-02T03:04:05.123456Z')).toBe('2026-01-02 03:04:05.123456');
});
