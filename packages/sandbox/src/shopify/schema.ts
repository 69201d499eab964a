/** The official Admin schema, cut down to what orders need (see schema/), ready to execute. */
import { readFileSync } from 'node:fs';

import { buildSchema } from 'graphql';

/** The text of the schema; also what tests validate a client's queries against. */
export const schemaText = readFileSync(
  new URL('schema/admin_2026-10.pruned.graphql', import.meta.url),
  'utf8',
);

export const adminSchema = buildSchema(schemaText);
