/**
 * The command line: words to commands, and errors to exit codes (0 done; 1 an agent failed; 2 wrong usage or
 * configuration). One table of contents; each command is a file in commands/.
 */
import { Command, CommanderError, Option } from 'commander';

import { type App, createApp, type World } from './app.ts';
import { parseAgents, parseDay, parseDuration, parseList } from './option-values.ts';
import { reportFailure } from './report-failure.ts';

const DEFAULT_WAIT = '10m';

/** Runs one command line and returns the exit code; nothing is thrown. */
export async function runCli(argv: readonly string[], world: World): Promise<number> {
  let exitCode = 0;
  const action =
    <Arguments extends unknown[]>(load: () => Promise<(app: App, ...rest: Arguments) => Promise<number>>) =>
    async (...rest: Arguments) => {
      const command = await load();
      exitCode = await command(createApp(world, argv.includes('--json')), ...rest);
    };
  const doctor = async () => {
    const { doctorCommand } = await import('./commands/doctor.ts');
    exitCode = await doctorCommand(world, argv.includes('--json'));
  };
  const program = createProgram(action, doctor, world);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    if (error instanceof CommanderError && error.code === 'commander.help') {
      world.streams.stderr.write(program.helpInformation());
      return 2;
    }
    return reportFailure(error, argv.includes('--json'), world);
  }
}

/** A command is loaded when it is asked for: a start costs what it needs. */
type Action = <Arguments extends unknown[]>(
  load: () => Promise<(app: App, ...rest: Arguments) => Promise<number>>,
) => (...rest: Arguments) => Promise<void>;

function createProgram(action: Action, doctor: () => Promise<void>, { streams }: World): Command {
  const json = ['--json', 'one JSON document on standard output, logs on standard error'] as const;
  const wait = () =>
    new Option('--wait <duration>', 'how long to wait for the lock, e.g. 90s, 10m, 1h')
      .argParser(parseDuration)
      .default(parseDuration(DEFAULT_WAIT), DEFAULT_WAIT);
  const program = new Command('floyo')
    // A subcommand may have options of its parent's names (metrics, metrics show).
    .enablePositionalOptions()
    .description(
      "Floyo's data pipeline: spend, orders, billing and events into Postgres, daily metrics out of it.",
    )
    .configureOutput({ writeOut: (text) => streams.stdout.write(text), writeErr: () => undefined })
    .showHelpAfterError(false)
    .exitOverride();

  program
    .command('migrate')
    .description('apply the migrations')
    .option(...json)
    .action(action(async () => (await import('./commands/migrate.ts')).migrateCommand));
  program
    .command('doctor')
    .description('check configuration, database and every account, and say what to do')
    .option(...json)
    .action(doctor);
  program
    .command('run')
    .description('one pipeline run: every configured source in order, then metrics')
    .option('--only <sources>', 'only these sources, e.g. meta,shopify', parseList)
    .option('--dry-run', 'show what would be read; calls no vendor and writes nothing')
    .addOption(wait())
    .option(...json)
    .action(action(async () => (await import('./commands/run.ts')).runCommand));
  program
    .command('etl')
    .argument('<source>', 'fx, meta, tiktok, shopify, stripe or posthog')
    .description('one source, then metrics')
    .addOption(wait())
    .option(...json)
    .action(action(async () => (await import('./commands/etl.ts')).etlCommand));
  program
    .command('backfill')
    .description('read whole days again, newest first, then metrics; resumes where it was interrupted')
    .requiredOption('--source <source>', 'the source')
    .requiredOption('--from <day>', 'first day, YYYY-MM-DD', parseDay)
    .requiredOption('--to <day>', 'last day, included; today where it lies in the future', parseDay)
    .option('--account <id>', 'only this account')
    .option('--agents <number>', 'how many windows are read at once', parseAgents, 3)
    .addOption(
      new Option('--max-duration <duration>', 'stop cleanly before this long, to go on with the same command')
        .argParser(parseDuration)
        .default(parseDuration('330m'), '330m'),
    )
    .option('--dry-run', 'show what would be read; calls no vendor and writes nothing')
    .addOption(wait())
    .option(...json)
    .action(action(async () => (await import('./commands/backfill.ts')).backfillCommand));
  addMetrics(program, { action, json, wait });
  addExperiments(program, action, json);
  program
    .command('status')
    .description('lock, last runs, freshness of every source and account, backlog, rejects')
    .option(...json)
    .action(action(async () => (await import('./commands/status.ts')).statusCommand));
  const rejects = program.command('rejects').description('records that were set aside');
  rejects
    .command('list')
    .description('show them with their reasons')
    .option(...json)
    .action(action(async () => (await import('./commands/rejects.ts')).rejectsListCommand));
  rejects
    .command('replay')
    .description('map and load them again, after a fix')
    .addOption(wait())
    .option(...json)
    .action(action(async () => (await import('./commands/rejects.ts')).rejectsReplayCommand));
  const retention = program.command('retention').description('months of events that left their tables');
  retention
    .command('list')
    .description('show them, and what they take on disk')
    .option(...json)
    .action(action(async () => (await import('./commands/retention.ts')).retentionListCommand));
  retention
    .command('drop')
    .argument('[partitions...]', 'which, e.g. events_2025_01; all unless told')
    .option('--yes', 'drop them; without it they are only shown')
    .description('drop them for good')
    .option(...json)
    .action(action(async () => (await import('./commands/retention.ts')).retentionDropCommand));
  program
    .command('billing')
    .description("Stripe's events that could not be applied")
    .command('retry')
    .argument('[event]', 'one event, evt_…; all that failed unless told')
    .description('apply them again, after a fix')
    .option(...json)
    .action(action(async () => (await import('./commands/billing-retry.ts')).billingRetryCommand));
  program
    .command('unlock')
    .description('show who holds the lock since when')
    .option('--force', "end the holder's database session")
    .option(...json)
    .action(action(async () => (await import('./commands/unlock.ts')).unlockCommand));
  program
    .command('schedule')
    .description('stay up and run on a cron expression')
    .option('--cron <expression>', 'when', '17 * * * *')
    .option('--timezone <name>', 'the time zone of the expression', 'UTC')
    .action(action(async () => (await import('./commands/schedule.ts')).scheduleCommand));
  program
    .command('demo')
    .description('everything on an embedded Postgres with local vendors, from nothing')
    .option('--keep', 'stay up afterwards, database and vendors')
    .option(...json)
    .action(action(async () => (await import('./commands/demo.ts')).demoCommand));
  return program;
}

function addMetrics(
  program: Command,
  {
    action,
    json,
    wait,
  }: { readonly action: Action; readonly json: readonly [string, string]; readonly wait: () => Option },
): void {
  const metrics = program
    .command('metrics')
    .enablePositionalOptions()
    .description('compute what is dirty or due, or a range, or all')
    .option('--from <day>', 'first day, YYYY-MM-DD', parseDay)
    .option('--to <day>', 'last day, included', parseDay)
    .option('--full', 'every day')
    .option(
      '--rezone',
      'with --full: move what is stored to the reporting zone and currency of the environment',
    )
    .option('--check', 'compare the last 35 days with a full recompute, which else happens once a day')
    .addOption(wait())
    .option(...json)
    .action(action(async () => (await import('./commands/metrics.ts')).metricsCommand));
  metrics
    .command('show')
    .argument('[metrics...]', 'which; all unless told')
    .description('values by day, week or month')
    .option('--from <day>', 'first day, YYYY-MM-DD; 14 days, 8 weeks or 6 months unless told', parseDay)
    .option('--to <day>', 'last day, included; today unless told', parseDay)
    .addOption(
      new Option('--grain <grain>', 'how they add up').choices(['day', 'week', 'month']).default('day'),
    )
    .addOption(new Option('--by <dimension>', 'one line a source').choices(['source']))
    .addOption(new Option('--csv', 'comma-separated values').conflicts('json'))
    .option(...json)
    .action(action(async () => (await import('./commands/metrics-show.ts')).metricsShowCommand));
  metrics
    .command('maturity')
    .description('what share of the final sums is known after 1, 3, 7, 14 and 28 days')
    .option(...json)
    .action(action(async () => (await import('./commands/metrics-maturity.ts')).metricsMaturityCommand));
  program
    .command('why')
    .argument('<metric>', 'e.g. net_sales, or ad_spend[source=meta]')
    .argument('<day>', 'YYYY-MM-DD')
    .description('what a value is made of: rows, rates, coverage, runs, and how it moved')
    .option(...json)
    .action(action(async () => (await import('./commands/why.ts')).whyCommand));
  program
    .command('erase')
    .description('take one customer out of everything that is stored; sums stay')
    .requiredOption('--customer <id>', "the shop's customer id")
    .option('--shop <name>', 'only of this shop, name.myshopify.com')
    .addOption(wait())
    .option(...json)
    .action(action(async () => (await import('./commands/erase.ts')).eraseCommand));
}

function addExperiments(program: Command, action: Action, json: readonly [string, string]): void {
  const experiments = program
    .command('experiments')
    .enablePositionalOptions()
    .argument('[key]', 'which; all unless told')
    .description('what is tested, on how many users, and what can be said of it')
    .option(...json)
    .action(action(async () => (await import('./commands/experiments.ts')).experimentsCommand));
  experiments
    .command('create')
    .argument('<key>', 'as the product sends it, such as checkout-button')
    .description('plan an experiment: what is planned is not changed afterwards')
    .option('--hypothesis <text>', 'what you expect to happen, and why')
    .option('--variants <list>', 'names and weights, the first is the control: control=50,new=50')
    .option('--conversion <event>', 'the event that counts as success')
    .option('--owner <name>', 'who decides on the result')
    .option('--planned-n <users>', 'how many users to take in, all variants together')
    .option('--end <day>', 'the last day on which users are taken in, YYYY-MM-DD; one of the two is needed')
    .option('--window <days>', 'days after that of the exposure in which a conversion counts', '7')
    .option(
      '--exposure <event>',
      "the event of seeing a variant; PostHog's own is $feature_flag_called",
      'experiment_exposed',
    )
    .option('--start <day>', 'the first day on which users are taken in; now unless told')
    .option(...json)
    .action(action(async () => (await import('./commands/experiments.ts')).experimentsCreateCommand));
  experiments
    .command('stop')
    .argument('<key>', 'which')
    .description('take no more users in; before its plan is met there is no winner')
    .option(...json)
    .action(action(async () => (await import('./commands/experiments.ts')).experimentsStopCommand));
}
