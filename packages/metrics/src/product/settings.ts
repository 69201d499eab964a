/** Which events make a user active, signed up and activated: kept in ops.product_settings, where SQL reads them. */
import { sql } from 'kysely';

import type { Database, Session, Transaction } from '@floyo/shared/db';

export interface ProductSettings {
  /** Names of events; `*` stands for any text, a leading `-` leaves out. */
  readonly qualifyingEvents: readonly string[];
  readonly signupEvent: string;
  readonly activationEvent: string;
}

/**
 * Everything that people do, without what systems send about them: mails on their way, bookkeeping of identities and
 * flags, exceptions, and exposures to experiments.
 */
export const PRODUCT_DEFAULTS: ProductSettings = {
  qualifyingEvents: [
    '*',
    '-email_*',
    '-experiment_exposed',
    '-pipeline_*',
    '-$feature_flag_called',
    '-$identify',
    '-$set',
    '-$create_alias',
    '-$merge_dangerously',
    '-$groupidentify',
    '-$exception',
  ],
  signupEvent: 'signup',
  activationEvent: 'workflow_created',
};

/** Makes the stored settings these. @returns whether they were others, so that every day has to be derived anew. */
export async function syncProductSettings(
  trx: Transaction<Database>,
  { qualifyingEvents, signupEvent, activationEvent }: ProductSettings,
): Promise<boolean> {
  const isLeftOut = (name: string) => name.startsWith('-');
  const qualifying = qualifyingEvents.filter((name) => !isLeftOut(name)).map(toPattern);
  const others = qualifyingEvents.filter(isLeftOut).map((name) => toPattern(name.slice(1)));
  const { rows } = await sql`
    insert into ops.product_settings as s (qualifying, not_qualifying, signup_event, activation_event)
    values (${qualifying}::text[], ${others}::text[], ${signupEvent}, ${activationEvent})
    on conflict (only_row) do update set qualifying = excluded.qualifying, not_qualifying = excluded.not_qualifying,
      signup_event = excluded.signup_event, activation_event = excluded.activation_event, updated_at = now()
    where (s.qualifying, s.not_qualifying, s.signup_event, s.activation_event)
      is distinct from (excluded.qualifying, excluded.not_qualifying, excluded.signup_event, excluded.activation_event)
    returning 1`.execute(trx);
  return rows.length > 0;
}

/** The stored settings; undefined where nothing was computed yet. */
export async function readProductSettings(db: Session['db']): Promise<ProductSettings | undefined> {
  const { rows } = await sql<{ qualifying: string[]; others: string[]; signup: string; activation: string }>`
    select qualifying, not_qualifying as others, signup_event as signup, activation_event as activation
    from ops.product_settings`.execute(db);
  const [stored] = rows;
  return (
    stored && {
      qualifyingEvents: [
        ...stored.qualifying.map(toName),
        ...stored.others.map((name) => `-${toName(name)}`),
      ],
      signupEvent: stored.signup,
      activationEvent: stored.activation,
    }
  );
}

function toPattern(name: string): string {
  return name.replaceAll(/[\\%_]/g, String.raw`\$&`).replaceAll('*', '%');
}

function toName(pattern: string): string {
  return pattern.replaceAll(/\\([\\%_])|%/g, (_, escaped: string | undefined) => escaped ?? '*');
}
