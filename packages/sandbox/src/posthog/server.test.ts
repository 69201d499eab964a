/** PostHog as the sandbox plays it: limits, refusals, the cache, and what is sent to it. */
import { gzipSync } from 'node:zlib';

import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';

import { type Sandbox, startSandbox } from '../index.ts';
import { posthogKey, posthogProject } from './server.ts';

const NOW = '2026-11-21T12:00:00Z';
let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await startSandbox({ now: NOW });
});
afterAll(() => sandbox.close());

const answerSchema = z.object({
  columns: z.array(z.string()).default([]),
  results: z.array(z.array(z.unknown())).default([]),
  is_cached: z.boolean().default(false),
  detail: z.string().default(''),
});

async function ask(
  query: string,
  { values = {}, refresh = 'force_blocking', key = posthogKey, project = posthogProject } = {},
) {
  const response = await fetch(`${sandbox.url}/posthog/api/projects/${project}/query/`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query: { kind: 'HogQLQuery', query, values }, refresh }),
  });
  return { status: response.status, ...answerSchema.parse(await response.json()) };
}

const SINCE = "timestamp >= toDateTime64('2026-11-01 00:00:00', 6, 'UTC')";

it('answers 100 rows without a LIMIT, no OFFSET, and no query without a lower bound', async () => {
  expect((await ask(`SELECT uuid FROM events WHERE ${SINCE}`)).results).toHaveLength(100);
  expect((await ask(`SELECT uuid FROM events WHERE ${SINCE} LIMIT 7`)).results).toHaveLength(7);
  const offset = await ask(`SELECT uuid FROM events WHERE ${SINCE} LIMIT 7 OFFSET 7`);
  expect(offset).toMatchObject({
    status: 400,
    detail: expect.stringContaining('OFFSET is not supported') as string,
  });
  expect((await ask('SELECT uuid FROM events LIMIT 7')).status).toBe(504);
});

it.each([
  ['SELECT uuid FROM persons', 'Unknown table'],
  ['SELECT uuid events', 'Syntax error'],
  [`SELECT nothing FROM events WHERE ${SINCE}`, 'Unable to resolve field: nothing'],
  [`SELECT upper(event) FROM events WHERE ${SINCE}`, 'Unsupported function call'],
  ["SELECT toDate(timestamp, 'UTC') FROM events", 'Unsupported function call'],
  [`SELECT event, count() FROM events WHERE ${SINCE}`, 'not in GROUP BY'],
  [`SELECT event FROM events WHERE ${SINCE} AND uuid > 'a'`, 'no supertype'],
  ['SELECT event FROM events WHERE event IN {names}', 'Placeholder {names}'],
])('refuses %s', async (query, detail) => {
  const answer = await ask(query);
  expect(answer.status).toBe(400);
  expect(answer.detail).toContain(detail);
});

it('counts in a zone, sorts UUIDs by their second half, and takes values for placeholders', async () => {
  const { columns, results } = await ask(
    `SELECT toString(toDate(toTimeZone(timestamp, {zone}))) AS day, count() AS n FROM events
     WHERE ${SINCE} AND event IN {names} GROUP BY day ORDER BY day LIMIT 100`,
    { values: { zone: 'Europe/Berlin', names: ['signup'] } },
  );
  expect(columns).toEqual(['day', 'n']);
  expect(results.length).toBeGreaterThan(19);
  const { results: ids } = await ask(
    `SELECT toString(uuid) AS id FROM events WHERE ${SINCE} ORDER BY uuid LIMIT 50`,
  );
  const halves = ids.map(([id]) => String(id).slice(19));
  expect(halves).toEqual(halves.toSorted());
});

it('answers from its cache whoever does not ask for a fresh answer', async () => {
  const query = `SELECT count() AS n FROM events WHERE ${SINCE}`;
  const first = await ask(query);
  sandbox.posthog.send([{ event: 'signup', distinct_id: 'x', timestamp: '2026-11-20T00:00:00Z' }]);
  expect(await ask(query, { refresh: 'blocking' })).toMatchObject({
    is_cached: true,
    results: first.results,
  });
  expect(await ask(query)).toMatchObject({
    is_cached: false,
    results: [[Number(first.results[0]?.[0]) + 1]],
  });
});

it('knows its key and its project', async () => {
  expect((await ask('SELECT now() AS n', { key: 'phx_other' })).status).toBe(401);
  expect((await ask('SELECT now() AS n', { project: '1' })).status).toBe(404);
  expect(await ask('SELECT now() AS n')).toMatchObject({ status: 200, columns: ['n'] });
});

it('takes batches, gzipped or not, and tells what came', async () => {
  const event = {
    event: 'pipeline_run_finished',
    distinct_id: 'floyo-pipeline',
    properties: { kind: 'manual' },
  };
  const send = (body: string | Uint8Array<ArrayBuffer>) =>
    fetch(`${sandbox.url}/posthog/batch/`, { method: 'POST', body });
  const batch = JSON.stringify({ api_key: 'phc_key', batch: [event], sent_at: NOW });
  expect((await send(batch)).status).toBe(200);
  expect((await send(new Uint8Array(gzipSync(batch)))).status).toBe(200);
  expect((await send('{"batch": []}')).status).toBe(400);
  expect(sandbox.posthog.captured).toMatchObject({
    count: 2,
    batches: 2,
    apiKeys: ['phc_key'],
    events: [event, event],
  });
  const captured: unknown = await (await fetch(`${sandbox.url}/_sandbox/captured`)).json();
  expect(captured).toMatchObject({ count: 2, events: [event, event] });
  await fetch(`${sandbox.url}/_sandbox/captured`, { method: 'DELETE' });
  expect(sandbox.posthog.captured.count).toBe(0);
});
