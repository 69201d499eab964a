/**
 * What a run notes of its environment before it reads anything, under the lock: the fixed rates and the assumptions that
 * values are made with, and the accounts that days wait for. A command that is run where something is not set takes nothing away:
 * only the run of every source does. What only reads compares (database.ts).
 */
import { sql } from 'kysely';

import { type Assumptions, DEFAULT_ASSUMPTIONS, type NeededAccount, readAssumptions } from '@floyo/metrics';
import type { Database, Transaction } from '@floyo/shared/db';
import { PipelineError } from '@floyo/shared/errors';
import type { RunContext } from '@floyo/shared/runner';

import { insertSettings } from './database.ts';
import { rememberAccounts } from './needed-accounts.ts';
import type { Settings } from './sources.ts';

/** Where each assumption is set. */
const VARIABLES = [
  ['qualifyingEvents', 'METRICS_QUALIFYING_EVENTS'],
  ['signupEvent', 'METRICS_SIGNUP_EVENT'],
  ['activationEvent', 'METRICS_ACTIVATION_EVENT'],
  ['grossMargin', 'METRICS_GROSS_MARGIN'],
] as const satisfies readonly (readonly [keyof Assumptions, string])[];

/** So many accounts of a source are named, more are counted. */
const NAMED = 3;

/** What the metrics of a run are made with. */
export interface Basis {
  /** The accounts that days wait for. */
  readonly accounts: readonly NeededAccount[];
  readonly assumptions: Assumptions;
}

/** Notes it, warns of what differs, and returns what the metrics of this run are made with. */
export async function noteEnvironment(run: RunContext, settings: Settings, whole: boolean): Promise<Basis> {
  const { needed, forgotten, elsewhere, kept } = await run.write(async (trx) => {
    await insertSettings(trx, settings);
    const kept = await noteFixedRates(trx, settings, whole);
    return { kept, ...(await rememberAccounts(trx, settings, { whole, runId: run.ledger.runId })) };
  });
  if (kept.length > 0)
    run.warn(`FX_FIXED_RATES is not set here: ${kept.join(', ')} keep the fixed rates they have`);
  if (elsewhere.length > 0)
    run.warn(
      `Not configured here, but days wait for them: ${list(elsewhere)}. Their days are incomplete until a run reads them; that they are gone is for a \`pnpm floyo run\` without them to say`,
    );
  if (forgotten.length > 0) {
    const error = new PipelineError({
      type: 'config',
      severity: 'P2',
      message: `No longer configured: ${list(forgotten)}. Days no longer wait for them`,
      advice: 'If their variables were forgotten, set them and run again: that puts their days right.',
    });
    run.warn(`${error.message}. ${error.advice ?? ''}`.trim());
    await run.ledger.writeError({ agent: 'pipeline', accountId: null }, error);
  }
  return { accounts: needed, assumptions: await chooseAssumptions(run, settings, whole) };
}

/** Those of this environment. Where it says nothing, those stored stay, and a warning names their variables. */
async function chooseAssumptions(
  run: RunContext,
  { assumptions: given }: Settings,
  whole: boolean,
): Promise<Assumptions> {
  if (whole) return { ...DEFAULT_ASSUMPTIONS, ...given };
  const stored = await readAssumptions(run.session.db);
  const kept = VARIABLES.filter(
    ([name]) => given[name] === undefined && String(stored[name]) !== String(DEFAULT_ASSUMPTIONS[name]),
  ).map(([name, variable]) => `${variable} is not set here: it stays ${String(stored[name])}`);
  if (kept.length > 0) run.warn(kept.join('. '));
  return { ...stored, ...given };
}

/** Stores this environment's fixed rates. Where it has none, those stored stay, and their currencies are returned. */
async function noteFixedRates(
  trx: Transaction<Database>,
  { fixedRates }: Settings,
  whole: boolean,
): Promise<string[]> {
  if (!whole && Object.keys(fixedRates).length === 0) {
    const { rows } = await sql<{ currency: string }>`
      select jsonb_object_keys(fixed_rates) as currency from ops.settings order by 1`.execute(trx);
    return rows.map(({ currency }) => currency);
  }
  const rates = JSON.stringify(fixedRates);
  await sql`
    update ops.settings set fixed_rates = ${rates}::jsonb, updated_at = now()
    where fixed_rates is distinct from ${rates}::jsonb`.execute(trx);
  return [];
}

/** `meta 1, 2; tiktok (4 accounts)`. */
function list(accounts: readonly NeededAccount[]): string {
  return [...Map.groupBy(accounts, ({ source }) => source)]
    .map(([source, own]) => {
      const ids = [...new Set(own.map(({ accountId }) => accountId))];
      return ids.length > NAMED ? `${source} (${ids.length} accounts)` : `${source} ${ids.join(', ')}`;
    })
    .join('; ');
}
