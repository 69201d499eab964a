/**
 * Where a connector keeps a credential that its vendor changes: sealed by the connector before it comes here (nothing in
 * the database is a secret in clear), replaced by compare-and-set, durable before anybody uses the new one.
 */
import type { SecretStore } from './connector.ts';
import type { Session } from './db.ts';
import type { Write } from './lock.ts';
import { recall, remember, type StateKey } from './state.ts';

/** The store of one agent's account. `write` commits before it returns. */
export function createSecretStore(
  session: Session,
  write: Write,
  agent: string,
  accountId: string,
): SecretStore {
  const stateKey = (key: string): StateKey => ({ agent, scope: accountId, key: `sealed ${key}` });
  return {
    async load(key) {
      const known = await recall(session.db, stateKey(key));
      return typeof known?.value === 'string' ? known.value : undefined;
    },
    replace: (key, previous, next) =>
      write(async (trx) => {
        const known = await recall(trx, stateKey(key));
        if ((known?.value ?? undefined) !== previous) return false;
        await remember(trx, stateKey(key), next, known?.version ?? 0);
        return true;
      }),
  };
}
