/** `pnpm sandbox`: starts the sandbox, prints how to point the pipeline at it, stays up until it is interrupted. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';

import type { Sandbox, SandboxOptions } from './index.ts';
import { startSandbox } from './index.ts';

const optionsSchema = z.object({
  port: z.number(),
  seed: z.number(),
  now: z.string().optional(),
  shopCsv: z.string().optional(),
  shop: z.string().optional(),
  json: z.boolean().optional(),
});

const program = new Command('sandbox')
  .exitOverride((stop) => process.exit(stop.exitCode === 0 ? 0 : 2))
  .description(
    'Local servers that speak the protocols of Meta, TikTok, Shopify, Stripe, PostHog and the ECB.',
  )
  .option('--port <number>', 'port on the loopback interface, 0 for a free one', readInteger, 4400)
  .addOption(
    new Option('--now <instant>', 'an ISO instant at which the clock stands (default: the system clock)')
      .env('FLOYO_NOW')
      .argParser(readInstant),
  )
  .option('--seed <number>', 'another world', readInteger, 7)
  .option('--shop-csv <file>', 'serve one shop more from a CSV of order lines; with --shop')
  .option('--shop <name>', 'the shop of --shop-csv, e.g. real.myshopify.com')
  .option('--json', 'print one line of JSON: {url, env}');

function readInstant(text: string): string {
  if (!z.iso.datetime({ offset: true }).safeParse(text).success) {
    throw new InvalidArgumentError('An instant such as 2026-11-21T12:00:00Z is expected.');
  }
  return text;
}

function readInteger(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('A whole number is expected.');
  return value;
}

/** Exports for the shell; whatever isn't an export is a comment, so that the text can be evaluated. */
function describe({ url, env }: Sandbox): string {
  const quoted = Object.entries(env).map(
    ([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'`,
  );
  return [
    ...quoted,
    `# The sandbox is up at ${url}; Ctrl-C ends it.`,
    `# Move the clock:    curl -X POST ${url}/_sandbox/clock -d '{"now":"2026-11-22T12:00:00Z"}'`,
    `# Order a fault:     curl -X POST ${url}/_sandbox/faults -d '{"vendor":"meta","kind":"throttle"}'`,
    `# Clear the faults:  curl -X DELETE ${url}/_sandbox/faults`,
    `# What was asked:    curl ${url}/_sandbox/requests`,
    `# Deliver billing:   curl -X POST ${url}/_sandbox/stripe/deliver -d '{"url":"http://localhost:8787/webhooks/stripe"}'`,
    '',
  ].join('\n');
}

async function main(): Promise<void> {
  const options = optionsSchema.parse(program.parse().opts());
  if ((options.shopCsv === undefined) !== (options.shop === undefined)) {
    program.error('--shop-csv and --shop go together.');
  }
  const settings: SandboxOptions = {
    port: options.port,
    seed: options.seed,
    report: (text) => process.stderr.write(`${text}\n`),
  };
  if (options.now !== undefined) settings.now = options.now;
  if (options.shopCsv !== undefined && options.shop !== undefined) {
    settings.shopCsv = { shop: options.shop, path: options.shopCsv };
  }
  const sandbox = await startSandbox(settings).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    process.stderr.write(`The sandbox could not be started: ${reason}\n`);
    process.exit(1);
  });
  const { url, env } = sandbox;
  const stop = (): void => {
    sandbox.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  // Last: whoever reads it may stop the sandbox at once.
  process.stdout.write(options.json === true ? `${JSON.stringify({ url, env })}\n` : describe(sandbox));
}

await main();
