/**
 * One run of the PostHog source into a database; prints its results and the process's peak memory as JSON.
 * `node src/posthog/main.ts <database url> <now>` with POSTHOG_* set; started by the benchmark `posthog`.
 */
import { posthog } from '@floyo/etl-posthog';
import { readConfig } from '@floyo/shared/config';
import { runSource } from '@floyo/shared/runner';
import { startTestRun } from '@floyo/shared/testing/test-run';

const [url = '', now = ''] = process.argv.slice(2);
const config = readConfig(posthog.config, process.env);
if (config === undefined) throw new Error('PostHog is not configured');

await using test = await startTestRun(url, { now, waitBudgetMs: 60_000 });
const results = await runSource(test.run, posthog, config, { kind: 'scheduled' });
process.stdout.write(
  JSON.stringify({
    results: results.map(
      ({ stream, status, duration_ms, rows_read, rows_inserted, api_calls, metadata, error }) => ({
        stream,
        status,
        seconds: duration_ms / 1_000,
        rows_read,
        rows_inserted,
        api_calls,
        changed_days: metadata['changed_days'],
        drift: metadata['drift'],
        error,
      }),
    ),
    rss_mb: process.resourceUsage().maxRSS / 1_024,
  }),
);
